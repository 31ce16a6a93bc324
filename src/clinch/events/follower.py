"""Following the log: each follower keeps a durable cursor an organization, and moves it in the
transaction that carries its effect, so that it may be killed anywhere and miss or repeat nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from clinch.db.database import Database, Tenant, Transaction
from clinch.db.schema import Column, tenant_table
from clinch.resources.write.log import EVENT

EVENT_CURSOR = tenant_table(
    "event_cursor", Column("follower", "text"), Column("seq", "bigint"), key=("follower",)
)

BATCH = 500

EVENT_COLUMNS = ", ".join(column.name for column in EVENT.columns[1:])

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Follower:
    """A name for the cursor, and what is done with the next events of one organization.

    `handle` gets the transaction, the organization's uuid and the events in order, each with all
    columns of its row but the organization.
    """

    name: str
    handle: Callable[[Transaction, str, list[Event]], Awaitable[None]]


async def behind(database: Database, follower: Follower) -> list[str]:
    """The organizations whose log is ahead of the follower's cursor."""
    async with database.everyone() as transaction:
        rows = await transaction.rows(
            "select c.organization_id::text from event_clock c"
            " left join event_cursor k on k.organization_id = c.organization_id"
            " and k.follower = $1 where c.seq > coalesce(k.seq, 0)",
            follower.name,
        )
    return [row[0] for row in rows]


async def catch_up(database: Database, follower: Follower, organization_id: str) -> int:
    """Hand the follower everything it has not seen, a batch a transaction; how many events."""
    seen = 0
    while True:
        handled = await _one_batch(database, follower, organization_id)
        seen += handled
        if handled < BATCH:
            return seen


async def _one_batch(database: Database, follower: Follower, organization_id: str) -> int:
    async with database.tenant(Tenant(organization_id)) as transaction:
        await transaction.execute(
            "insert into event_cursor (organization_id, follower, seq) values ($1, $2, 0)"
            " on conflict (organization_id, follower) do nothing",
            organization_id,
            follower.name,
        )
        # Two processes may follow under one name: the lock lets one of them at a time.
        cursor = await transaction.value(
            "select seq from event_cursor where organization_id = $1 and follower = $2 for update",
            organization_id,
            follower.name,
        )
        rows = await transaction.rows(
            f"select {EVENT_COLUMNS} from event"
            " where organization_id = $1 and seq > $2 order by seq limit $3",
            organization_id,
            cursor,
            BATCH,
        )
        if rows:
            await follower.handle(transaction, organization_id, [dict(row) for row in rows])
            await transaction.execute(
                "update event_cursor set seq = $3 where organization_id = $1 and follower = $2",
                organization_id,
                follower.name,
                rows[-1]["seq"],
            )
    return len(rows)
