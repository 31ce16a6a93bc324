"""Who can be called on which channel."""

from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.identity.users import Membership
from clinch.resources.actor import Actor
from clinch.resources.query.read import Page, ReadPath
from clinch.resources.query.tree import Equal

_CHANNELS = ("mobile", "native", "web")
_MOST = 10_000


async def read_availability(
    transaction: Transaction, actor: Actor, reads: ReadPath
) -> dict[str, Any]:
    """`{"data": [{"user_id": ..., "availability": [...]}]}` of all who are active.

    Nobody is online on a channel, since there are no calls yet that could come in by one.
    """
    active = Page(
        Equal(Membership.active, True), order="date_created", limit=_MOST, keys=("user_id",)
    )
    members = msgspec.json.decode(await reads.page(transaction, actor, Membership, active))
    offline = [{"type": type, "status": "offline", "active_calls": []} for type in _CHANNELS]
    return {"data": [member | {"availability": offline} for member in members["data"]]}
