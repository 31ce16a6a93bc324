"""Following the log: each follower keeps a durable cursor an organization, and moves it in the
transaction that carries its effect, so that it may be killed anywhere and miss or repeat nothing.

What takes longer than a transaction may, or is itself a write, is an errand: its cursor moves when
it is done, so it may be killed anywhere and misses nothing, but may do again what it did.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from clinch.db.database import Database, Tenant, Transaction
from clinch.db.schema import Column, tenant_table
from clinch.resources.store import Store
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


@dataclass(frozen=True, slots=True)
class Errand:
    """A name for the cursor, and what is done after the next events of one organization.

    `handle` gets the store, the organization's uuid and the events as a follower does. It writes
    in transactions of its own, and what it does twice must be as if it were done once.
    """

    name: str
    handle: Callable[[Store, str, list[Event]], Awaitable[None]]


async def behind(database: Database, follower: Follower | Errand) -> list[str]:
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


async def run_errand(store: Store, errand: Errand, organization_id: str) -> int:
    """Run the errand for everything it has not seen, a batch of events a time; how many events.

    What it writes is in the log too, and is seen as well.
    """
    tenant, seen = Tenant(organization_id), 0
    while True:
        async with store.database.tenant(tenant) as transaction:
            events = await _next_events(transaction, errand.name, organization_id)
        if not events:
            return seen
        await errand.handle(store, organization_id, events)
        async with store.database.tenant(tenant) as transaction:
            await _move(transaction, errand.name, organization_id, events[-1]["seq"])
        seen += len(events)


async def _one_batch(database: Database, follower: Follower, organization_id: str) -> int:
    async with database.tenant(Tenant(organization_id)) as transaction:
        events = await _next_events(transaction, follower.name, organization_id)
        if events:
            await follower.handle(transaction, organization_id, events)
            await _move(transaction, follower.name, organization_id, events[-1]["seq"])
    return len(events)


async def _next_events(transaction: Transaction, name: str, organization_id: str) -> list[Event]:
    await transaction.execute(
        "insert into event_cursor (organization_id, follower, seq) values ($1, $2, 0)"
        " on conflict (organization_id, follower) do nothing",
        organization_id,
        name,
    )
    # Two processes may follow under one name: the lock lets one of them at a time.
    cursor = await transaction.value(
        "select seq from event_cursor where organization_id = $1 and follower = $2 for update",
        organization_id,
        name,
    )
    rows = await transaction.rows(
        f"select {EVENT_COLUMNS} from event"
        " where organization_id = $1 and seq > $2 order by seq limit $3",
        organization_id,
        cursor,
        BATCH,
    )
    return [dict(row) for row in rows]


async def _move(transaction: Transaction, name: str, organization_id: str, seq: int) -> None:
    # Of two that ran the same errand the later one must not move the cursor back.
    await transaction.execute(
        "update event_cursor set seq = greatest(seq, $3)"
        " where organization_id = $1 and follower = $2",
        organization_id,
        name,
        seq,
    )
