"""What a key sees of itself: its user, their membership, and the organization it is for."""

from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.identity.organizations import Organization
from clinch.identity.users import Membership, User
from clinch.resources.actor import Actor
from clinch.resources.query.read import Page, ReadPath
from clinch.resources.query.tree import Equal

_IN_ORGANIZATION = (
    "id",
    "name",
    "currency",
    "lead_statuses",
    "pipelines",
    "created_by",
    "updated_by",
    "date_created",
    "date_updated",
)


async def read_me(transaction: Transaction, actor: Actor, reads: ReadPath) -> dict[str, Any]:
    """The user as `/me/` answers it: memberships and organizations are objects here."""
    user = await reads.get(transaction, actor, User, actor.user_id or "")
    organization = await reads.get(
        transaction, actor, Organization, actor.organization, _IN_ORGANIZATION
    )
    own = Page(Equal(Membership.user, actor.user_id), limit=1)
    memberships = await reads.page(transaction, actor, Membership, own)
    found: dict[str, Any] = msgspec.json.decode(user)
    return found | {
        "email_accounts": [],
        "phone_numbers": [],
        "memberships": msgspec.json.decode(memberships)["data"],
        "organizations": [msgspec.Raw(organization)],
    }
