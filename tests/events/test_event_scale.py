"""What a page of events costs in a long log: an index finds what is asked for."""

import asyncpg
import pytest
from harness import Organization, Program, make_organization

from clinch.db.database import Transaction
from clinch.events.request import EventPage
from clinch.events.view import list_events

EVENTS = 20_000


@pytest.fixture(scope="module")
def busy(program: Program, cluster: str) -> Organization:
    """An organization of many users, with a long log."""
    made = make_organization(program)
    made.admin.post("/lead/", {"name": "Harbour"})
    program.run(_repeat(cluster, made.system.organization_id))
    return made


async def _repeat(url: str, organization_id: str) -> None:
    """Copy the newest event, as the owner of the tables: a user has every hundredth."""
    connection = await asyncpg.connect(url)
    changed = {
        "seq": "seq + n",
        "id": "id || n",
        "object_id": "object_id || n",
        "lead_id": "lead_id || n",
        "user_id": "user_id || n % 100",
        "request_id": "request_id || n / 2",
    }
    columns = await connection.fetch(
        "select attname from pg_attribute where attrelid = 'event'::regclass and attnum > 0"
    )
    names = [row["attname"] for row in columns]
    await connection.execute(
        f"insert into event ({', '.join(names)})"
        f" select {', '.join(changed.get(name, name) for name in names)}"
        f" from event, generate_series(1, {EVENTS}) n where organization_id = $1"
        " and seq = (select seq from event_clock where organization_id = $1)",
        organization_id,
    )
    await connection.execute(
        f"update event_clock set seq = seq + {EVENTS} where organization_id = $1", organization_id
    )
    await connection.execute("vacuum analyze event")
    await connection.close()


@pytest.mark.parametrize(
    ("names", "index", "shown"),
    [
        ("user_id", "event_user_id_seq", 50),
        ("user_id object_type", "event_user_id_seq", 50),
        ("request_id", "event_request_id_seq", 2),
        ("lead_id", "event_lead_id_seq", 1),
        ("object_type object_id", "event_object_id_seq", 1),
    ],
)
def test_an_index_finds_the_events(busy: Organization, names: str, index: str, shown: int) -> None:
    """And little more than the page is read of the log, which has its older events too."""
    store, actor = busy.program.store, busy.actor()

    async def read() -> tuple[int, int, int]:
        async with store.reading(actor) as transaction:
            [one] = await transaction.rows(
                f"select {', '.join(names.split())} from event where organization_id = $1"
                " order by seq offset 5000 limit 1",
                actor.organization_id,
            )
            before = await _read_so_far(transaction, index)
            found = await list_events(transaction, actor, store.reads, EventPage(dict(one)))
            after = await _read_so_far(transaction, index)
        return len(found["data"]), after[0] - before[0], after[1] - before[1]

    listed, scans, entries = busy.program.run(read())
    assert listed == shown
    assert scans > 0
    assert entries < 1000


async def _read_so_far(transaction: Transaction, index: str) -> tuple[int, int]:
    """How often the index was used, and how many entries of all of the log's indexes were read."""
    [row] = await transaction.rows(
        "select pg_stat_get_xact_numscans($1::text::regclass),"
        " (select sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint from pg_index i"
        " where i.indrelid = 'event'::regclass)",
        index,
    )
    return row[0], row[1]
