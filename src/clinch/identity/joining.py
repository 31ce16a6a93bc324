"""Accepting an invitation: who follows its link becomes a member of the organization.

Who has no login makes one. Who has one proves that it is theirs; it is never written over.
"""

from dataclasses import dataclass
from datetime import datetime

from clinch.db.database import Transaction
from clinch.db.ids import new_id
from clinch.identity.authority import may_still_give
from clinch.identity.credentials import Unauthorized
from clinch.identity.invitations import Invitation
from clinch.identity.links import Link, LinkRefused
from clinch.identity.passwords import hash_password, new_password, prove_password
from clinch.identity.throttle import take_back
from clinch.identity.users import Membership, User
from clinch.resources.actor import Provenance
from clinch.resources.errors import ApiError, BadRequest
from clinch.resources.store import Store
from clinch.resources.write.change import Change


@dataclass(frozen=True, slots=True)
class Offer:
    """A pending invitation, as the one who follows its link sees it."""

    email: str
    role_id: str
    organization_name: str
    date_created: datetime


@dataclass(frozen=True, slots=True)
class Joiner:
    """Who accepts: `password` is a new one, or that of the login they have.

    `signed_in` is the user of a live session, who need not send a password.
    """

    first_name: str
    last_name: str
    password: str = ""
    signed_in: str | None = None


class WrongPassword(ApiError):
    """The address has a login, and this is not its password."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            {"error": "The password does not fit. If you sign in here already, it is that one."}
        )


async def read_offer(store: Store, link: Link) -> Offer:
    """What a link invites to; raises LinkRefused."""
    async with store.database.tenant(link.actor().tenant) as transaction:
        return await _offer(transaction, link)


async def login_of(store: Store, email: str) -> str | None:
    """The user id of the address's login, if it has one."""
    async with store.database.installation() as transaction:
        id: str | None = await transaction.value(
            "select user_id from login where lower(email) = lower($1)", email
        )
    return id


async def accept(store: Store, link: Link, joiner: Joiner, provenance: Provenance) -> None:
    """Make the one who follows the link an active member.

    Raises LinkRefused, WrongPassword, TooManyTries, and BadRequest for a member.
    """
    offer = await read_offer(store, link)
    known = await login_of(store, offer.email)
    hashed = ""
    if known is None:
        hashed = await hash_password(new_password(joiner.password))
    elif known != joiner.signed_in:
        await _prove(store, offer.email, joiner.password, link.actor().clock())
    user_id = known or new_id(User.prefix)
    actor = link.actor(user_id)
    async with store.database.tenant(actor.tenant) as transaction:
        offer = await _offer(transaction, link)
        if known is None:
            await _make_login(transaction, link, user_id, offer.email, hashed)
        else:
            await _widen_login(transaction, link, user_id)
        await store.writes.write_within(
            transaction,
            actor,
            [
                Change.update(
                    Invitation, link.id, {"status": "accepted", "user_id": user_id}, trusted=True
                ),
                *await _membership(transaction, link, offer, user_id, joiner),
            ],
            provenance,
            answer=False,
        )


async def _offer(transaction: Transaction, link: Link) -> Offer:
    rows = await transaction.rows(
        "select i.email, i.role_id, o.name, i.date_created, i.status from invitation i"
        " join organization o on o.organization_id = $1"
        " where i.organization_id = $1 and i.id = $2",
        link.organization_id,
        link.id,
    )
    if not rows:
        raise LinkRefused
    *values, status = rows[0]
    offer = Offer(*values)
    if status != "pending":
        raise LinkRefused(f"This invitation was {status} already.")
    if link.expires_at <= link.actor().clock():
        raise LinkRefused("This invitation has expired. Please ask for a new one.")
    maker = link.organization_id, link.made_by
    if not await may_still_give(transaction, *maker, offer.role_id):
        raise LinkRefused(_OUTDATED)
    return offer


_OUTDATED = "This invitation does not hold any more. Please ask for a new one."


async def _prove(store: Store, email: str, password: str, now: datetime) -> None:
    try:
        await prove_password(store.database, email, password, now)
    except Unauthorized:
        raise WrongPassword from None
    # Taken back and not forgiven: with a second factor there is more to prove before that.
    async with store.database.installation() as transaction:
        await take_back(transaction, email)


async def _make_login(
    transaction: Transaction, link: Link, user_id: str, email: str, hashed: str
) -> None:
    made = await transaction.value(
        "insert into login (user_id, email, password_hash, organization_ids)"
        " values ($1, $2, $3, array[$4::uuid]) on conflict ((lower(email))) do nothing"
        " returning user_id",
        user_id,
        email,
        hashed,
        link.organization_id,
    )
    if made is None:
        raise BadRequest("This address has got a login just now. Please use its password.")


async def _widen_login(transaction: Transaction, link: Link, user_id: str) -> None:
    await transaction.execute(
        "update login set organization_ids = organization_ids || $2::uuid"
        " where user_id = $1 and $2::uuid <> all(organization_ids)",
        user_id,
        link.organization_id,
    )


async def _membership(
    transaction: Transaction, link: Link, offer: Offer, user_id: str, joiner: Joiner
) -> list[Change]:
    """The changes that make the user an active member in the role that was offered."""
    rows = await transaction.rows(
        "select m.id, m.active, m.date_updated from membership m"
        " where m.organization_id = $1 and m.user_id = $2",
        link.organization_id,
        user_id,
    )
    if not rows:
        profile = {
            "email": offer.email,
            "first_name": joiner.first_name,
            "last_name": joiner.last_name,
        }
        return [
            Change.create(User, profile, id=user_id),
            Change.create(Membership, {"user_id": user_id, "role_id": offer.role_id}),
        ]
    id, active, changed = rows[0]
    if active:
        raise BadRequest("You belong to the organization already.")
    if changed > offer.date_created:
        # Who was put out after the invitation had been made is not let in by it.
        raise LinkRefused(_OUTDATED)
    back = {"active": True, "role_id": offer.role_id}
    return [Change.update(Membership, id, back, trusted=True)]
