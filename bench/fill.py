"""Fills an organization with leads by COPY: the rows that the write path would have made.

What does not differ from lead to lead is what the write path makes of one, so that a new column is
filled here too.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg

from bench.bodies import OPPORTUNITIES, Row, lead_body, opportunity_bodies, times
from clinch.crm.activities.created import Created
from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.crm.rich_text import to_rich
from clinch.db.ids import new_id
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Resource, counter
from clinch.resources.fields import stored_time
from clinch.resources.search_text import fold
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.summaries import restatement

FIRST_NUMBER = 100_000_000  # all ids have the same length
_RESOURCES: tuple[type[Resource], ...] = (Lead, Contact, Opportunity, Created)


@dataclass(frozen=True, slots=True)
class Filled:
    """How the leads of an organization are called: `prefix` and the numbers from FIRST_NUMBER."""

    prefix: str
    leads: int


def id_prefix(kind: str, seed: int) -> str:
    """What all ids of one fill begin with; with nine digits it has the length of every id."""
    return f"{kind}_{seed:04}0CqYbench"


async def example_rows(store: Store, actor: Actor, seed: int) -> dict[type[Resource], Row]:
    """A row of each resource as the write path stores it for one lead, which is not kept."""
    lead = Change.create(Lead, lead_body(0, seed), new_id("lead"))
    deals = [
        Change.create(Opportunity, body | {"lead_id": lead.id})
        for body in opportunity_bodies(0, seed)
    ]
    async with store.database.tenant(actor.tenant, commit=False) as transaction:
        await store.writes.write_within(
            transaction, actor, [lead, *deals], Provenance(source="bench"), answer=False
        )
        return {
            resource: json.loads(
                await transaction.value(
                    f"select to_jsonb(r)::text from {resource.table} r where organization_id = $1"
                    f" and {'id' if resource is Lead else 'lead_id'} = $2 limit 1",
                    actor.organization_id,
                    lead.id,
                )
            )
            for resource in _RESOURCES
        }


class LeadRows:
    """Makes the rows of lead `number` and of what belongs to it, as the write path stores them."""

    def __init__(
        self,
        examples: dict[type[Resource], Row],
        status_ids: dict[type[Resource], list[str]],
        seed: int,
    ) -> None:
        self._examples, self._statuses, self._seed = examples, status_ids, seed

    def __call__(self, number: int) -> Iterator[tuple[type[Resource], Row]]:
        body = lead_body(number, self._seed)
        lead_id = f"{id_prefix('lead', self._seed)}{FIRST_NUMBER + number}"
        own = {
            "id": lead_id,
            "name": body["name"],
            "url": body["url"],
            "description": body["description"].strip(),
            "status_id": self._status(Lead, number),
        }
        yield Lead, self._row(Lead, number, own)
        for id, contact in self._numbered("cont", number, body["contacts"]):
            own = {
                "id": id,
                "lead_id": lead_id,
                "name": contact["name"],
                "title": contact["title"],
                "emails": [self._examples[Contact]["emails"][0] | contact["emails"][0]],
                "phones": [self._phone(contact["phones"][0]["phone"])],
            }
            yield Contact, self._row(Contact, number, own)
        for id, deal in self._numbered("oppo", number, opportunity_bodies(number, self._seed)):
            own = deal | {
                "id": id,
                "lead_id": lead_id,
                "note_html": to_rich(deal["note"]),
                "status_id": self._status(Opportunity, number),
            }
            yield Opportunity, self._row(Opportunity, number, own)
        for id, _ in self._numbered("acti", number, [{}]):
            made = stored_time(times(number, self._seed)[0])
            own = {"id": id, "lead_id": lead_id, "activity_at": made, "date_updated": made}
            yield Created, self._row(Created, number, own)

    def _row(self, resource: type[Resource], number: int, own: Row) -> Row:
        made, changed = times(number, self._seed)
        stamps = {"date_created": stored_time(made), "date_updated": stored_time(changed)}
        return self._examples[resource] | stamps | own

    def _numbered(self, kind: str, number: int, bodies: list[Row]) -> Iterator[tuple[str, Row]]:
        for position, body in enumerate(bodies):
            place = FIRST_NUMBER + number * len(bodies) + position
            yield f"{id_prefix(kind, self._seed)}{place}", body

    def _status(self, resource: type[Resource], number: int) -> str:
        ids = self._statuses[resource]
        return ids[number % len(ids)]

    def _phone(self, phone: str) -> Row:
        formatted = f"+1 {phone[2:5]}-{phone[5:8]}-{phone[8:]}"
        example: Row = self._examples[Contact]["phones"][0]
        return example | {"phone": phone, "phone_formatted": formatted}


async def fill(
    store: Store, connection: asyncpg.Connection, actor: Actor, leads: int, seed: int
) -> Filled:
    """Add leads with all that belongs to them, over a connection of the database's owner."""
    statuses: dict[type[Resource], list[str]] = {
        Lead: await _ids(connection, actor, "lead_status"),
        Opportunity: await _ids(connection, actor, "opportunity_status", "type = 'active'"),
    }
    rows = LeadRows(await example_rows(store, actor, seed), statuses, seed)
    # Foreign keys hold by construction; indexes are made when the rows are there.
    await connection.execute("set session_replication_role = replica")
    await connection.execute("set maintenance_work_mem = '256MB'")
    indexes = await _drop_indexes(connection)
    for resource in _RESOURCES:
        made = (row for number in range(leads) for kind, row in rows(number) if kind is resource)
        await _copy_rows(connection, actor.organization_id, resource, made)
    await _copy(
        connection,
        "search_text",
        ["organization_id", "id", "lead_id", "text"],
        _search_texts(actor.organization_id, rows, leads),
    )
    for definition in indexes:
        await connection.execute(definition)
    await connection.execute("analyze")  # or the next statement joins each lead with all
    await connection.execute(restatement(store.declared, Lead), actor.organization_id)
    await connection.execute(
        f"update event_clock set {counter(Lead)} = {counter(Lead)} + $2,"
        f" {counter(Opportunity)} = {counter(Opportunity)} + $3 where organization_id = $1",
        actor.organization_id,
        leads,
        leads * OPPORTUNITIES,
    )
    await connection.execute("set session_replication_role = origin")
    await connection.execute("vacuum analyze")
    return Filled(id_prefix("lead", seed), leads)


async def _ids(
    connection: asyncpg.Connection, actor: Actor, table: str, only: str = "true"
) -> list[str]:
    rows = await connection.fetch(
        f"select id from {table} where organization_id = $1 and {only} order by position, id",
        actor.organization_id,
    )
    return [row["id"] for row in rows]


async def _drop_indexes(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "select c.relname, pg_get_indexdef(i.indexrelid) as definition from pg_index i"
        " join pg_class c on c.oid = i.indexrelid"
        " where i.indrelid = any($1::regclass[]) and not i.indisprimary",
        [*(resource.table for resource in _RESOURCES), "search_text"],
    )
    for row in rows:
        await connection.execute(f"drop index {row['relname']}")
    return [row["definition"] for row in rows]


async def _copy_rows(
    connection: asyncpg.Connection,
    organization_id: str,
    resource: type[Resource],
    rows: Iterable[Row],
) -> None:
    columns = resource.columns()
    writers = [(column.name, _writer(column.type)) for column in columns]
    await _copy(
        connection,
        resource.table,
        ["organization_id", *(column.name for column in columns)],
        ((organization_id, *(write(row[name]) for name, write in writers)) for row in rows),
    )


def _writer(sql_type: str) -> Callable[[Any], Any]:
    """How the driver wants a value of a row, which is a JSON value."""
    if sql_type == "jsonb":
        return lambda value: None if value is None else json.dumps(value)
    if sql_type.startswith("timestamp"):
        return lambda value: None if value is None else datetime.fromisoformat(value)
    if sql_type == "date":
        return lambda value: None if value is None else date.fromisoformat(value)
    return lambda value: value


async def _copy(
    connection: asyncpg.Connection, table: str, columns: list[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    await connection.copy_records_to_table(table, columns=columns, records=rows)


def _search_texts(
    organization_id: str, rows: LeadRows, leads: int
) -> Iterator[tuple[str, str, str, str]]:
    for number in range(leads):
        for resource, row in rows(number):
            if resource.search_lead is not None:
                text = fold(resource.search_texts(row))
                yield organization_id, row["id"], row[resource.search_lead], text
