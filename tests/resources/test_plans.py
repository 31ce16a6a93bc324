"""What reads cost in a large organization: a page is found by an index or, where its order has
none, by the first of its rows; what its objects refer to, and what events are of, is looked up."""

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from harness import Organization, Program, make_organization, serve

from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.crm.tasks import Task
from clinch.db.database import Due, Transaction
from clinch.db.ids import new_id
from clinch.program import declarations
from clinch.resources.actor import Actor
from clinch.resources.declaration import Resource
from clinch.resources.query.read import Keys, Page, ReadPath
from clinch.resources.query.tree import EVERYTHING, Equal, In, Node

LEADS = 20_000
LISTED: tuple[type[Resource], ...] = (Lead, Contact, Opportunity, Task)


class Recording:
    """Stands for a transaction, and keeps what is asked of it."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.sql = ""
        self.arguments: tuple[Any, ...] = ()

    def take_due(self) -> Due:
        return self._transaction.take_due()

    async def rows(self, sql: str, *arguments: Any) -> list[tuple[bytes, int, str]]:
        self.sql, self.arguments = sql, arguments
        return [(b"{}", 0, "")]


@pytest.fixture(scope="module")
def program(modules_database: str) -> Iterator[Program]:
    with serve(modules_database, declarations) as served:
        yield served


@pytest.fixture(scope="module")
def crowd(program: Program, modules_database: str) -> Organization:
    """An organization with many leads, each with a contact, an opportunity and a task."""
    made = make_organization(program)
    lead = made.admin.post("/lead/", {"name": "Quay", "contacts": [{"name": "Ada"}]})
    of_lead = {"lead_id": lead["id"], "contact_id": lead["contact_ids"][0]}
    made.admin.post("/opportunity/", of_lead | {"value": 1000})
    made.admin.post("/task/", {"lead_id": lead["id"], "text": "Call"})
    program.run(_copy(modules_database))
    return made


async def _copy(url: str) -> None:
    """Copy the objects, each with what it refers to, as the owner of the tables."""
    connection = await asyncpg.connect(url)
    await connection.execute("set session_replication_role = replica")  # references hold as copied
    for resource in LISTED:
        changed = {"id": "r.id || n", "lead_id": "r.lead_id || n", "value": "n"}
        if resource is Opportunity:
            changed["contact_id"] = "r.contact_id || n"
        names = [column.name for column in resource.columns()]
        values = ", ".join(changed.get(name, f"r.{name}") for name in names)
        await connection.execute(
            f"insert into {resource.table} (organization_id, {', '.join(names)})"
            f" select r.organization_id, {values} from {resource.table} r,"
            f" generate_series(1, {LEADS}) n"
        )
        await connection.execute(f"vacuum analyze {resource.table}")
    await connection.close()


Read = Callable[[ReadPath, Any, Actor], Awaitable[object]]


def plan_of(crowd: Organization, read: Read) -> str:
    """The plan of what is read, as it is made once for all values."""
    actor, store = crowd.actor(), crowd.program.store

    async def explain() -> str:
        async with store.reading(actor) as transaction:
            recording = Recording(transaction)
            await read(store.reads, recording, actor)
            name = f"read_{new_id('plan')}"
            await transaction.execute(f"prepare {name} as {recording.sql}")
            values = ", ".join(f"'{_spelled(value)}'" for value in recording.arguments)
            found = await transaction.rows(f"explain (costs off) execute {name}({values})")
            return "\n".join(row[0] for row in found)

    return str(crowd.program.run(explain()))


def _spelled(value: object) -> str:
    return f"{{{','.join(map(str, value))}}}" if isinstance(value, list) else str(value)


def page(resource: type[Resource], order: str, where: Node = EVERYTHING, keys: Keys = None) -> Read:
    asked = Page(where, order, keys=keys, total=False)
    return lambda reads, recording, actor: reads.page(recording, actor, resource, asked)


def logged(resource: type[Resource]) -> Read:
    rows = [(b'{"id": "x"}', datetime(2026, 5, 4, tzinfo=UTC))] * 50
    return lambda reads, recording, actor: reads.logged(recording, actor, resource, rows)


def reads_a_table_through(plan: str) -> bool:
    return bool(re.search(r"Seq Scan on (lead|contact|opportunity|task)\b", plan))


@pytest.mark.parametrize("resource", LISTED, ids=lambda one: one.noun)
def test_a_page_reads_no_table_through(crowd: Organization, resource: type[Resource]) -> None:
    plan = plan_of(crowd, page(resource, resource.default_order))
    assert not reads_a_table_through(plan), plan


@pytest.mark.parametrize("resource", LISTED, ids=lambda one: one.noun)
def test_events_read_no_table_through(crowd: Organization, resource: type[Resource]) -> None:
    plan = plan_of(crowd, logged(resource))
    assert not reads_a_table_through(plan), plan


def test_an_order_without_an_index_keeps_the_first_rows_alone(crowd: Organization) -> None:
    plan = plan_of(crowd, page(Opportunity, "-value")).splitlines()
    [place] = [n for n, line in enumerate(plan) if "Sort Key: r.value" in line]
    above = [line.strip(" ->") for line in plan[:place]]
    assert above[-2:] == ["Limit", "Sort"], "\n".join(plan)


@pytest.mark.parametrize(
    "where",
    [
        Equal(Opportunity.status_type, "won"),
        In(Opportunity.pipeline_name, ("Sales", "Renewals")),
        Equal(Opportunity.user_name, "Ada Moss"),
    ],
    ids=["status", "pipeline", "user"],
)
def test_what_is_shown_of_others_is_not_looked_up_for_each(
    crowd: Organization, where: Equal | In
) -> None:
    plan = plan_of(crowd, page(Opportunity, "-date_updated", where, keys=("id",)))
    assert "SubPlan" not in plan, plan
