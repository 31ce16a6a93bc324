"""The rows that the benchmarks copy in are those that the write path makes."""

from datetime import datetime
from typing import Any

import asyncpg
import pytest
from bench.bodies import CONTACTS, OPPORTUNITIES, lead_body, opportunity_bodies
from bench.fill import FIRST_NUMBER
from bench.installation import Organization, make_organization
from harness import TEST

from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.db.database import Database
from clinch.program import declarations
from clinch.resources.store import Store
from clinch.resources.write.change import Change

LEADS = 20
SEED = 3

# What two leads made from the same body may differ in.
_OWN = ("id", "lead_id", "status_id", "date_created", "date_updated", "activity_at")


@pytest.fixture
async def filled(own_database: str) -> Organization:
    return await make_organization(own_database, "Harbour Sales", LEADS, SEED)


async def _rows(connection: asyncpg.Connection, table: str, lead_id: str) -> list[dict[str, Any]]:
    by = "id" if table == "lead" else "lead_id"
    order = {"opportunity": "note, value", "activity": "id"}.get(table, "name")
    rows = await connection.fetch(
        f"select * from {table} where {by} = $1 order by {order}", lead_id
    )
    return [{k: v for k, v in row.items() if k not in _OWN} for row in rows]


@pytest.mark.parametrize("number", [0, 7, LEADS - 1])
async def test_copied_rows_equal_written_ones(
    own_database: str, filled: Organization, number: int
) -> None:
    database = Database(own_database, 1)
    store = Store(database, declarations())
    body = lead_body(number, SEED)
    [written] = await store.write(filled.actor, [Change.create(Lead, body)], TEST)
    deals = [body | {"lead_id": written.id} for body in opportunity_bodies(number, SEED)]
    await store.write(filled.actor, [Change.create(Opportunity, body) for body in deals], TEST)
    await database.close()
    copied_id = f"{filled.filled.prefix}{FIRST_NUMBER + number}"
    assert len(copied_id) == len(written.id)
    connection = await asyncpg.connect(own_database)
    try:
        for table, count in (
            ("lead", 1),
            ("contact", CONTACTS),
            ("opportunity", OPPORTUNITIES),
            ("activity", 1),
        ):
            written_rows = await _rows(connection, table, written.id)
            assert await _rows(connection, table, copied_id) == written_rows
            assert len(written_rows) == count
        texts = "select text from search_text where lead_id = $1 order by text"
        copied_texts = await connection.fetch(texts, copied_id)
        assert copied_texts == await connection.fetch(texts, written.id)
        assert len(copied_texts) == 1 + CONTACTS
    finally:
        await connection.close()


async def test_the_fill_is_counted_and_leaves_the_schema_as_it_was(
    own_database: str, filled: Organization
) -> None:
    connection = await asyncpg.connect(own_database)
    try:
        for table, count in (("lead", LEADS), ("opportunity", LEADS * OPPORTUNITIES)):
            total = await connection.fetchval(
                f"select {table}_total from event_clock where organization_id = $1",
                filled.actor.organization_id,
            )
            assert total == await connection.fetchval(f"select count(*) from {table}") == count
        indexes = await connection.fetch(
            "select indexname from pg_indexes where schemaname = 'public'"
        )
        await make_organization(own_database, "Second", 3, SEED + 1)
        again = await connection.fetch(
            "select indexname from pg_indexes where schemaname = 'public'"
        )
        assert sorted(map(str, indexes)) == sorted(map(str, again))
        assert await connection.fetchval("select max(date_updated) from lead") > datetime(
            2025, 1, 6, tzinfo=(await connection.fetchval("select now()")).tzinfo
        )
    finally:
        await connection.close()
