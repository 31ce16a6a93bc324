"""Joining an organization by one's address, and leaving it."""

from collections.abc import Mapping
from typing import Any

from clinch.db.database import Transaction
from clinch.identity.roles import Role
from clinch.identity.users import Membership, NewUser, User, find_login, new_member
from clinch.resources.actor import Actor, Provenance
from clinch.resources.errors import NO_OBJECT, REQUIRED, Forbidden, Invalid, ValidationError
from clinch.resources.fields import Field
from clinch.resources.query.read import Keys
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.path import Mode, allow

_OTHER_ROLE = "This person belongs to the organization already, in another role."


async def ensure_member(
    store: Store,
    actor: Actor,
    body: Mapping[str, Any],
    provenance: Provenance,
    mode: Mode,
    keys: Keys = None,
) -> bytes:
    """The JSON of the active membership of the person whose `email` the body has.

    Who is new to the organization gets the `first_name` and `last_name`, and the `role_id`, as does
    who has left it. Who is there keeps their name, and is refused with another role than theirs.
    `keys` name the fields answered. Raises ApiError.
    """
    make = Change.create(Membership, {})
    store.writes.check(actor, [make])
    new = _read(body, actor)
    async with store.database.tenant(actor.tenant, commit=mode == "commit") as transaction:
        await _check_role(transaction, actor, new.role_id)
        user_id = await find_login(transaction, actor, new.email)
        known = await transaction.rows(
            "select m.id, m.active, m.role_id from membership m"
            " where m.organization_id = $1 and m.user_id = $2",
            actor.organization_id,
            user_id,
        )
        if known and known[0]["active"]:
            if known[0]["role_id"] != new.role_id:
                raise ValidationError({Membership.role_id.error_key: _OTHER_ROLE})
            return await store.reads.get(transaction, actor, Membership, known[0]["id"], keys)
        changes = new_member(user_id, new)
        if known:
            back = {"active": True, "role_id": new.role_id}
            changes = [Change.update(Membership, known[0]["id"], back, trusted=True)]
        _, written = await store.writes.write_within(
            transaction, actor, changes, provenance, answer=keys
        )
    return written[-1].body


def _read(body: Mapping[str, Any], actor: Actor) -> NewUser:
    values, problems = {}, {}
    needed: dict[str, Field] = {"email": User.email, "role_id": Membership.role_id}
    names = {"first_name": User.first_name, "last_name": User.last_name}
    for key, field in (needed | names).items():
        try:
            values[key] = field.parse(body.get(key), actor)
            if key in needed and not values[key]:
                raise Invalid(REQUIRED)
        except Invalid as error:
            problems[field.error_key] = error.problem
    if problems:
        raise ValidationError(problems)
    return NewUser(**values)


async def _check_role(transaction: Transaction, actor: Actor, role_id: str) -> None:
    """A new member does not begin with the right to manage the organization."""
    strong = await transaction.value(
        f"select r.permissions ? 'manage_organization' from {Role.table} r"
        " where r.organization_id = $1 and r.id = $2",
        actor.organization_id,
        role_id,
    )
    if strong is None:
        raise ValidationError({Membership.role_id.error_key: NO_OBJECT})
    if strong:
        raise Forbidden("This role is given only to those who are in the organization already.")


async def deactivate(
    store: Store, actor: Actor, id: str, provenance: Provenance, mode: Mode
) -> None:
    """End a membership; the user stays known, and their keys and sessions fail at once."""
    allow(actor, Membership, "delete")
    leave = Change.update(Membership, id, {"active": False}, trusted=True)
    await store.write(actor, [leave], provenance, mode=mode, answer=False)
