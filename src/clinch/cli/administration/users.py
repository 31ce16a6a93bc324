"""`clinch user`: who belongs to an organization, and how people get in again."""

import json
import sys

from clinch.cli.administration.organizations import FROM_CLI, organization_of
from clinch.cli.administration.telling import Arguments, CommandError, tell
from clinch.db.database import Tenant
from clinch.identity.authority import role_row
from clinch.identity.invitations import Invitation
from clinch.identity.passwords import new_password
from clinch.identity.resets import make_reset_link, reset_second_factor
from clinch.identity.roles import PERMISSIONS
from clinch.identity.users import NewUser, create_user
from clinch.resources.actor import Actor
from clinch.resources.store import Store
from clinch.resources.write.change import Change


async def user_create(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    await _check_role(store, system, arguments["role"])
    password = sys.stdin.readline().rstrip("\n") if arguments["password_stdin"] else None
    if password is not None:
        new_password(password)
    new = NewUser(
        arguments["email"],
        arguments["first_name"],
        arguments["last_name"],
        arguments["role"],
        password,
    )
    user_id = await create_user(store, system, new, FROM_CLI)
    tell(arguments, {"user_id": user_id, "email": new.email, "role": new.role_id})
    return 0


async def user_invite(store: Store, arguments: Arguments) -> int:
    system = await organization_of(store, arguments)
    await _check_role(store, system, arguments["role"])
    invite = Change.create(Invitation, {"email": arguments["email"], "role_id": arguments["role"]})
    _check_public_url(store)
    [written] = await store.write(system, [invite], FROM_CLI)
    made = json.loads(written.body)
    facts = {name: made[name] for name in ("id", "email", "role_id", "expires_at", "link")}
    tell(arguments, facts, note="Hand the link over. It is not shown again.")
    return 0


async def user_reset(store: Store, arguments: Arguments) -> int:
    system, user_id = await _login(store, arguments["email"])
    if arguments["second_factor"]:
        await reset_second_factor(store, system, user_id, FROM_CLI)
        tell(arguments, {"second_factor": "off", "user_id": user_id})
        return 0
    _check_public_url(store)
    made = await make_reset_link(store, system, user_id, FROM_CLI)
    facts = {"link": made.link, "expires_at": made.expires_at.isoformat(timespec="seconds")}
    tell(arguments, facts, note="Hand the link over. It is not shown again.")
    return 0


async def _check_role(store: Store, system: Actor, role: str) -> None:
    async with store.reading(system) as transaction:
        found = await role_row(transaction, system.organization_id, role)
    if found is None:
        words = ", ".join(PERMISSIONS)
        raise CommandError(f"there is no role {role}; use {words} or the id of one of your own")


def _check_public_url(store: Store) -> None:
    if not store.declared.public_url:
        raise CommandError(
            "nothing tells where people reach this installation: set CLINCH_PUBLIC_URL, or start"
            " it with `clinch up`"
        )


async def _login(store: Store, email: str) -> tuple[Actor, str]:
    """The system in the first organization of the login with this address, and its user id."""
    async with store.database.installation() as transaction:
        rows = await transaction.rows(
            "select d.organization_id::text, d.id, l.user_id from login l"
            " join organization_directory d on d.organization_id = l.organization_ids[1]"
            " where lower(l.email) = lower($1)",
            email,
        )
    if not rows:
        raise CommandError(f"nobody signs in with the address {email}")
    organization_id, organization, user_id = rows[0]
    return Actor(Tenant(organization_id), organization), user_id
