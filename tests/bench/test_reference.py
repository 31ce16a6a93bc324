"""The SQL written by hand answers what the program answers, and writes what it writes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from bench.create_lead import BODY, run_id
from bench.fill import FIRST_NUMBER
from bench.installation import Organization, make_organization
from bench.list_leads import FOUR_FIELDS
from bench.reference import prepared, statement
from harness import TEST

from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.crm.tasks import Task
from clinch.db.database import Database
from clinch.program import declarations
from clinch.resources.actor import Provenance
from clinch.resources.query.read import Page
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.log import digest

URL = "https://crm.example"
LEADS = 60


@pytest.fixture
async def organization(own_database: str) -> Organization:
    return await make_organization(own_database, "Harbour Sales", LEADS, seed=5)


@pytest.fixture
async def store(own_database: str) -> AsyncIterator[Store]:
    database = Database(own_database, 1)
    yield Store(database, declarations(URL))
    await database.close()


@asynccontextmanager
async def reference(url: str, organization: Organization) -> AsyncIterator[asyncpg.Connection]:
    """A connection inside the transaction that the references run in, as pgbench begins it."""
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        await connection.execute(
            statement("begin").format(
                organization_id=organization.actor.organization_id,
                credential_id=organization.credential_id,
                version=1,
            )
        )
        yield connection
        await connection.execute("commit")
    finally:
        await connection.close()


def variables(organization: Organization) -> dict[str, Any]:
    return {
        "organization": organization.actor.organization_id,
        "user": organization.actor.user_id,
        "credential": organization.credential_id,
        "public_url": URL,
        "today": datetime.now(UTC).date(),
    }


async def _grow(store: Store, organization: Organization, lead_id: str) -> None:
    """Give a lead one of everything that a lead's answer shows."""
    contact = Change.create(Contact, {"lead_id": lead_id, "timezone": "Europe/London"})
    await store.write(organization.actor, [contact], TEST)
    deals: list[dict[str, Any]] = [
        {"value": 125_050, "value_period": "monthly", "contact_id": contact.id, "note": "Soon"},
        {"confidence": 10},
    ]
    tasks: list[dict[str, Any]] = [
        {"text": "Call back"},
        {"text": "Send the offer", "date": "2031-05-06", "contact_id": contact.id},
        {"text": "Meet", "date": "2031-05-06T10:30:00+00:00"},
        {"text": "Done", "is_complete": True},
    ]
    await store.write(
        organization.actor,
        [
            *(Change.create(Opportunity, {"lead_id": lead_id, **deal}) for deal in deals),
            *(Change.create(Task, {"lead_id": lead_id, **task}) for task in tasks),
        ],
        TEST,
    )


async def _grow_custom_fields(store: Store, organization: Organization, lead_id: str) -> None:
    for noun, resource in (("lead", Lead), ("contact", Contact), ("opportunity", Opportunity)):
        definition = Change.create(
            store.declared[f"{noun}_custom_field"], {"name": "Industry", "type": "text"}
        )
        await store.write(organization.actor, [definition], TEST)
        body = {"custom.Industry": "Ropes"}
        change = (
            Change.update(Lead, lead_id, body)
            if resource is Lead
            else Change.create(resource, {"lead_id": lead_id, **body})
        )
        await store.write(organization.actor, [change], TEST)


@pytest.mark.parametrize("grown", [False, True])
async def test_one_lead(
    own_database: str, organization: Organization, store: Store, grown: bool
) -> None:
    lead_id = f"{organization.filled.prefix}{FIRST_NUMBER + 7}"
    if grown:
        await _grow(store, organization, lead_id)
        await _grow_custom_fields(store, organization, lead_id)
    async with store.reading(organization.actor) as transaction:
        expected = json.loads(await store.reads.get(transaction, organization.actor, Lead, lead_id))
    assert len(expected["contacts"]) == (5 if grown else 3)
    assert len(expected["opportunities"]) == (5 if grown else 2)
    asked = {"prefix": organization.filled.prefix, "number": str(FIRST_NUMBER + 7)}
    [(sql, arguments)] = prepared("get_lead", variables(organization) | asked)
    async with reference(own_database, organization) as connection:
        answer = await connection.fetchval(sql, *arguments)
    assert json.loads(answer) == expected


@pytest.mark.parametrize("skip", [0, 7, LEADS - 50, LEADS])
@pytest.mark.parametrize("name", ["list_leads", "list_leads_four_fields"])
async def test_a_page_of_leads(
    own_database: str, organization: Organization, store: Store, name: str, skip: int
) -> None:
    await _grow(store, organization, f"{organization.filled.prefix}{FIRST_NUMBER + 11}")
    keys = tuple(FOUR_FIELDS.partition("=")[2].split(",")) if "four" in name else None
    page = Page(skip=skip, limit=50, keys=keys)
    async with store.reading(organization.actor) as transaction:
        expected = json.loads(await store.reads.page(transaction, organization.actor, Lead, page))
    assert len(expected["data"]) == min(50, LEADS - skip)
    [(sql, arguments)] = prepared(name, variables(organization) | {"skip": skip})
    async with reference(own_database, organization) as connection:
        answer = await connection.fetchval(sql, *arguments)
    assert json.loads(answer) == expected


async def test_a_new_lead(own_database: str, organization: Organization, store: Store) -> None:
    number = FIRST_NUMBER + 5
    digits = 2_000_000 + number % 7_000_000
    body = json.loads(
        json.dumps(BODY)
        .replace("+1415%d", f"+1415{digits}")
        .replace("g.%d@", f"g.{digits}@")
        .replace("%d", str(number))
    )
    made_by_api = Provenance(source="api")
    [written] = await store.write(organization.actor, [Change.create(Lead, body)], made_by_api)
    run = run_id()
    made = variables(organization) | {"run": run, "number": number}
    async with reference(own_database, organization) as connection:
        for sql, arguments in prepared("create_lead", made):
            await connection.execute(sql, *arguments)
    lead_id = f"lead_{run}{number}"
    assert len(lead_id) == len(written.id)
    connection = await asyncpg.connect(own_database)
    try:
        for table in ("lead", "contact", "activity", "search_text", "event", "event_body"):
            ours = await _rows(connection, table, written.id)
            assert ours
            assert await _rows(connection, table, lead_id) == ours
        clock = await connection.fetchrow(
            "select * from event_clock where organization_id = $1",
            organization.actor.organization_id,
        )
        assert clock["lead_total"] == LEADS + 2
        events = await connection.fetch(
            "select * from event join event_body using (organization_id, seq)"
            " where lead_id = $1 order by seq",
            lead_id,
        )
        assert [event["seq"] for event in events] == [clock["seq"] - back for back in (2, 1, 0)]
        for event in events:
            assert event["digest"].hex() == digest(event["salt"], None, event["after"].encode())
    finally:
        await connection.close()


_OWN = {
    *("id", "seq", "lead_id", "object_id", "at", "date_created", "date_updated", "activity_at"),
    *("api_key_id", "request_id", "source", "method", "path", "digest", "salt"),
}


async def _rows(connection: asyncpg.Connection, table: str, lead_id: str) -> list[dict[str, Any]]:
    """The rows of one lead, without what is a row's own."""
    queries = {
        "lead": "select * from lead where id = $1",
        "event_body": "select b.* from event_body b join event e using (organization_id, seq)"
        " where e.lead_id = $1 order by b.seq",
        "event": "select * from event where lead_id = $1 order by seq",
        "search_text": "select * from search_text where lead_id = $1 order by id desc",
    }
    query = queries.get(table, f"select * from {table} where lead_id = $1")
    return [
        {
            key: _without_own(json.loads(value)) if key == "after" else value
            for key, value in row.items()
            if key not in _OWN
        }
        for row in await connection.fetch(query, lead_id)
    ]


def _without_own(body: dict[str, Any]) -> dict[str, Any]:
    return {key: "" if key in _OWN else value for key, value in body.items()}
