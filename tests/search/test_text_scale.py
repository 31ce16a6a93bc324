"""What a fragment costs among many leads: the index finds it, and no table is read through."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import asyncpg
import pytest
from harness import Organization, Program, make_organization, serve

from clinch.crm.activities.activity import Activity
from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.db.database import Due, Transaction
from clinch.program import declarations
from clinch.resources.actor import Visibility
from clinch.resources.query.definitions import custom_values
from clinch.resources.query.read import Page
from clinch.resources.search_text import fold
from clinch.search.custom_terms import find_custom
from clinch.search.text import named_fields, parse

LEADS = 20_000


class Explaining:
    """Stands for a transaction, and asks for the plan of what is asked of it."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.plan = ""

    def take_due(self) -> Due:
        return self._transaction.take_due()

    async def rows(self, sql: str, *arguments: Any) -> list[tuple[bytes, int, str]]:
        found = await self._transaction.rows(f"explain (costs off) {sql}", *arguments)
        self.plan = "\n".join(row[0] for row in found)
        return [(b"{}", 0, "")]


@pytest.fixture(scope="module")
def program(modules_database: str) -> Iterator[Program]:
    """What the planner decides is not to depend on how many objects other tests have made."""
    with serve(modules_database, declarations) as served:
        yield served


@pytest.fixture(scope="module")
def crowd(program: Program, modules_database: str) -> Organization:
    """An organization with many leads, each named by the digest of its number."""
    made = make_organization(program)
    contact = {"name": "Ada", "emails": [{"email": "ada@x.example"}]}
    for name, type in (("Seats", "number"), ("Renewal", "date")):
        made.admin.post("/custom_field/lead/", {"name": name, "type": type})
    custom = {"Seats": -1, "Renewal": "1999-01-01"}
    lead = made.admin.post("/lead/", {"name": "Harbour", "contacts": [contact], "custom": custom})
    called = {"lead_id": lead["id"], "activity_at": "2026-01-01", "direction": "outbound"}
    made.admin.post("/activity/call/", called)
    program.run(_copy(modules_database, made.system.organization_id))
    return made


async def _copy(url: str, organization_id: str) -> None:
    """Copy the lead with its contact and its activities, as the owner of the tables."""
    connection = await asyncpg.connect(url)
    at = "timestamptz '2026-01-01' + make_interval(hours => n)"
    changed = {
        "id": "r.id || n",
        "lead_id": "r.lead_id || n",
        "name": "md5(n::text)",
        "last_call_date": at,
    }
    for resource in (Lead, Contact):
        names = [column.name for column in resource.columns()]
        values = [changed.get(name, f"r.{name}") for name in names]
        await connection.execute(
            f"insert into {resource.table} (organization_id, {', '.join(names)})"
            f" select r.organization_id, {', '.join(values)} from {resource.table} r,"
            f" generate_series(1, {LEADS}) n where r.organization_id = $1",
            organization_id,
        )
    await connection.execute(
        "insert into activity select (jsonb_populate_record(r, jsonb_build_object('id', r.id || n,"
        f" 'lead_id', r.lead_id || n, 'activity_at', {at}))).*"
        f" from activity r, generate_series(1, {LEADS}) n where r.organization_id = $1",
        organization_id,
    )
    await connection.execute(
        "insert into search_text select s.organization_id, s.id || n, s.lead_id || n,"
        " case when s.id = s.lead_id then md5(n::text) else md5((-n)::text) end"
        f" from search_text s, generate_series(1, {LEADS}) n where s.organization_id = $1",
        organization_id,
    )
    await connection.execute(
        "insert into custom_value select v.organization_id, v.object_id || n, v.field_id,"
        " v.number + 1 + n, v.moment + make_interval(days => n)"
        f" from custom_value v, generate_series(1, {LEADS}) n where v.organization_id = $1",
        organization_id,
    )
    for table in (Lead.table, Contact.table, Activity.table, "search_text", "custom_value"):
        await connection.execute(f"vacuum analyze {table}")
    await connection.close()


def plan_of(crowd: Organization, query: str, **rights: Any) -> str:
    actor, store = crowd.actor(**rights), crowd.program.store

    async def explain() -> str:
        async with store.reading(actor, plan_anew=True) as transaction:
            fields = await custom_values(transaction, store.declared, actor, named_fields(query))
            search = parse(query, Lead, actor, partial(find_custom, fields))
            explaining: Any = Explaining(transaction)
            page = Page(where=search.where, order=search.order)
            await store.reads.page(explaining, actor, Lead, page)
            return str(explaining.plan)

    return str(crowd.program.run(explain()))


@pytest.mark.parametrize(
    "query",
    [
        "c4ca4238a0b9",
        "c4ca4238a0b9 sort:date_updated",
        "c4ca4238 NOT a0b923",
        "c4ca4238 OR a0b923",
        "c4",
        "name:c4ca4238a0b923820dcc509a6f75849b",
        "email:c4ca4238a0@x.example",
        'phone:"+1 415 555 0100"',
    ],
)
def test_the_index_finds_a_fragment(crowd: Organization, query: str) -> None:
    plan = plan_of(crowd, query)
    assert "search_text_trigrams" in plan, plan
    assert not re.search(r"Seq Scan on (search_text|contact)\b", plan), plan
    if query != "c4":  # a hundredth of all leads: the planner may compare them in memory
        assert not re.search(r"Seq Scan on lead\b", plan), plan


@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("Seats:77", "number"),
        ("Seats:[70 TO 90]", "number"),
        ("Seats < 50 sort:date_updated", "number"),
        ("Renewal:2001-05", "moment"),
        ("Renewal < 1999-02-01", "moment"),
        ("c4ca4238a0b9 Seats > 19000", "number"),
    ],
)
def test_the_index_finds_a_range_of_values(crowd: Organization, query: str, column: str) -> None:
    plan = plan_of(crowd, query)
    assert not re.search(r"Seq Scan on (lead|custom_value)\b", plan), plan
    if "c4ca" not in query:  # there one lead is left, whose values are looked at by its id
        ends = re.findall(rf"Index Cond: .*field_id = .*{column} (?:>|<)", plan)
        assert ends, plan


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("call(date >= 2028-04-10)", "activity__type_activity_at_id"),
        (
            "call(date >= 2028-04-10 direction:outgoing) sort:-created",
            "activity__type_activity_at_id",
        ),
        ("last_called >= 2028-04-10", "activity__type_activity_at_id"),
        ("last_called:2028-04-09", "activity__type_activity_at_id"),
        ("has:meetings", "activity__type_"),
        ("meetings > 3", "activity__type_"),
        ("note(anvils)", "activity__type_"),
        ("custom_activity(custom_activity_type_id:actitype_x)", "activity_"),
        ("c4ca4238a0b9 call(direction:outgoing)", "activity_lead_id_activity_at_id"),
        ("c4ca4238a0b9 calls > 1", "activity_"),
        ("c4ca4238a0b9 -call(date < 2026-01-01)", "activity_"),
    ],
)
def test_the_index_finds_activities(crowd: Organization, query: str, index: str) -> None:
    plan = plan_of(crowd, query)
    assert not re.search(r"Seq Scan on (activity|lead)\b", plan), plan
    assert index in plan, plan


def test_what_is_found_is_the_same_as_without_the_index(crowd: Organization) -> None:
    found = crowd.admin.get("/lead/", query="c4ca4238a0b9", _fields="name")
    assert found["data"] == [{"name": "c4ca4238a0b923820dcc509a6f75849b"}]
    assert crowd.admin.get("/lead/", query="harbour ada", _fields="id")["total_results"] == 1
    assert fold(["HARBOUR"]) == "harbour"


def test_the_searched_texts_are_the_tenants_own(crowd: Organization, program: Program) -> None:
    """The view, whose owner no policy holds, shows nothing of others."""
    other = make_organization(program)
    other.admin.post("/lead/", {"name": "Port"})

    async def texts() -> list[str]:
        async with program.store.reading(other.system) as transaction:
            return [row[0] for row in await transaction.rows("select text from searched_text")]

    assert program.run(texts()) == ["port"]


def test_a_term_that_comes_again_costs_nothing(crowd: Organization) -> None:
    once = plan_of(crowd, "acme name:quay (a OR b) status in (x, y)")
    again = "acme acme name:quay (a OR b OR a) name:quay acme status in (x, y, y, x)"
    assert plan_of(crowd, again) == once


@pytest.mark.parametrize("term", ["c4ca{}", "name:c4ca{}", "email:c4ca{}", "calls > {}"])
def test_who_sees_what_is_asked_once_however_long_the_query_is(
    crowd: Organization, term: str
) -> None:
    rights = {"visibility": Visibility(("cf_owner",)), "permissions": frozenset[str]()}
    one, many = (
        plan_of(crowd, " ".join(term.format(n) for n in range(terms)), **rights).count("@>")
        for terms in (1, 30)
    )
    assert one == many > 0
