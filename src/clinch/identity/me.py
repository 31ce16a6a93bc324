"""What a key sees of itself: its user, their membership, and the organization it is for."""

from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.identity.organizations import Organization
from clinch.identity.users import Membership, User
from clinch.resources.actor import Actor
from clinch.resources.query.read import ReadPath

_IN_ORGANIZATION = (
    "id",
    "name",
    "currency",
    "lead_statuses",
    "pipelines",
    "created_by",
    "updated_by",
)


async def read_me(transaction: Transaction, actor: Actor, reads: ReadPath) -> dict[str, Any]:
    """The user as `/me/` answers it: memberships and organizations are objects here."""
    keys = (*_IN_ORGANIZATION, "date_created", "date_updated", "memberships")
    user = await reads.get(transaction, actor, User, actor.user_id or "")
    organization = msgspec.json.decode(
        await reads.get(transaction, actor, Organization, actor.organization, keys)
    )
    memberships = [
        membership
        for membership in organization.pop("memberships")
        if membership[Membership.user.key] == actor.user_id
    ]
    found: dict[str, Any] = msgspec.json.decode(user)
    return found | {
        "email_accounts": [],
        "phone_numbers": [],
        "memberships": memberships,
        "organizations": [organization],
    }
