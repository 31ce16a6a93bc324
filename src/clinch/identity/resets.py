"""Letting somebody in again who has lost their password, or the app of their second factor.

docs/decisions/011-who-may-reset-a-login.md says who may.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from clinch.db.database import Transaction
from clinch.db.ids import new_id
from clinch.identity.authority import GIVES, may_still_give, role_row
from clinch.identity.links import INSERT, Link, LinkRefused, new_link_secret
from clinch.identity.passwords import hash_password
from clinch.identity.rights import covers
from clinch.identity.second_factor import turn_off
from clinch.identity.sessions import end_sessions
from clinch.identity.sign_in_events import log_sign_in_change
from clinch.identity.throttle import forgive
from clinch.identity.users import User
from clinch.resources.actor import Actor, Provenance
from clinch.resources.errors import BadRequest, Forbidden, NotFound
from clinch.resources.store import Store

LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ResetLink:
    """The whole address, shown this once, and until when it holds."""

    link: str
    expires_at: datetime


async def make_reset_link(
    store: Store, actor: Actor, user_id: str, provenance: Provenance
) -> ResetLink:
    """A link by which a user of the actor's organization sets a new password; older ones end.

    Raises NotFound, and Forbidden where the actor may not reset that login.
    """
    id, expires_at = new_id("pwre"), actor.clock() + LIFETIME
    secret, hash = new_link_secret()
    async with store.database.tenant(actor.tenant) as transaction:
        await _check_may_reset(transaction, actor, user_id)
        await transaction.execute("delete from link where user_id = $1", user_id)
        await transaction.execute(
            INSERT, id, actor.organization_id, actor.user_id, user_id, hash, expires_at
        )
        await log_sign_in_change(store, transaction, actor, user_id, "password_reset", provenance)
    return ResetLink(f"{store.declared.public_url}/password/{id}.{secret}", expires_at)


async def reset_second_factor(
    store: Store, actor: Actor, user_id: str, provenance: Provenance
) -> None:
    """Ask a user of the actor's organization for no code any more.

    Raises NotFound, Forbidden, and BadRequest where there is no second factor.
    """
    async with store.database.tenant(actor.tenant) as transaction:
        await _check_may_reset(transaction, actor, user_id)
        if not await turn_off(transaction, user_id):
            raise BadRequest("This user has no second factor.")
        await log_sign_in_change(store, transaction, actor, user_id, "second_factor", provenance)


async def _check_may_reset(transaction: Transaction, actor: Actor, user_id: str) -> None:
    """Raise NotFound or Forbidden unless the actor may let the user in again."""
    if not actor.may(GIVES):
        raise Forbidden(f"You need the permission {GIVES} to do this.")
    login = await _login(transaction, actor.organization_id, user_id)
    if login is None:
        raise NotFound(User.__name__)
    if actor.user_id is None:
        return
    role = await role_row(transaction, actor.organization_id, login.role_id)
    own = login.organization_ids == [actor.organization_id]
    if not own or role is None or not covers(actor, role):
        raise Forbidden("Only the operator of this installation can reset this login.")


async def email_of(store: Store, link: Link) -> str:
    """The address whose password a link sets; raises LinkRefused."""
    async with store.database.tenant(link.actor().tenant) as transaction:
        login = await _checked(transaction, link)
    return login.email


async def set_password(store: Store, link: Link, password: str, provenance: Provenance) -> None:
    """Set the password, end every session of the user and use the link up; raises LinkRefused."""
    await email_of(store, link)  # before the work of hashing
    hashed = await hash_password(password)
    actor = link.actor(link.user_id)
    async with store.database.tenant(actor.tenant) as transaction:
        login = await _checked(transaction, link)
        used = "delete from link where id = $1 returning user_id"
        user_id = await transaction.value(used, link.id)
        if user_id is None:
            raise LinkRefused(_OVER)
        await transaction.execute(
            "update login set password_hash = $2 where user_id = $1", user_id, hashed
        )
        await end_sessions(transaction, user_id)
        await forgive(transaction, login.email)
        await log_sign_in_change(store, transaction, actor, user_id, "password", provenance)


_OVER = "This link was used already, or has expired. Please ask for a new one."


@dataclass(frozen=True, slots=True)
class _Login:
    email: str
    organization_ids: list[str]
    role_id: str


async def _login(transaction: Transaction, organization_id: str, user_id: str) -> _Login | None:
    """The login of a user of the organization, held as it is until the transaction ends."""
    rows = await transaction.rows(
        "select l.email, l.organization_ids::text[], m.role_id from login l"
        " join membership m on m.organization_id = $1 and m.user_id = l.user_id"
        " where l.user_id = $2 for update of l",
        organization_id,
        user_id,
    )
    return _Login(*rows[0]) if rows else None


async def _checked(transaction: Transaction, link: Link) -> _Login:
    """The login that a link may set the password of; raises LinkRefused.

    Who made it must still be in a position to: the person may have joined another organization
    since, or the maker may have left.
    """
    if link.user_id is None:
        raise LinkRefused
    login = await _login(transaction, link.organization_id, link.user_id)
    if login is None or link.expires_at <= link.actor().clock():
        raise LinkRefused(_OVER)
    own = link.made_by is None or login.organization_ids == [link.organization_id]
    if not own or not await may_still_give(
        transaction, link.organization_id, link.made_by, login.role_id
    ):
        raise LinkRefused("This link does not hold any more. Please ask for a new one.")
    return login
