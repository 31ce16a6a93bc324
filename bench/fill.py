"""Fills an organization with leads by COPY: the rows that the write path would have made.

The values come from a seed, so every run measures the same data. What does not differ from lead
to lead is what the write path makes of one lead, so that a new column gets its default here too.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg

from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.resources.actor import Actor
from clinch.resources.declaration import Declarations, Resource, counter
from clinch.resources.fields import stored_time
from clinch.resources.search_text import fold
from clinch.resources.write.change import Change
from clinch.resources.write.read_body import read_body

CONTACTS = 3
FIRST = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)
FIRST_NUMBER = 100_000_000  # all ids have the same length
_TABLES = ("lead", "contact", "search_text")

_COMPANIES = ("Harbour", "Lantern", "Juniper", "Copper", "Meadow", "Northgate", "Sable", "Tidal")
_TRADES = ("Logistics", "Robotics", "Foods", "Textiles", "Energy", "Clinics", "Press", "Studios")
_GIVEN = ("Ada", "Bruno", "Chiara", "Dmitri", "Élodie", "Farid", "Grace", "Hideo", "Ines", "Jonas")
_FAMILY = ("Moss", "Okafor", "Lindqvist", "Tanaka", "Rossi", "Nowak", "Silva", "Weiß", "Khan")
_TITLES = ("Head of Operations", "Buyer", "Chief Executive", "Engineer", "Office Manager")
_SENTENCE = "They asked about delivery times, a pilot in spring and what support costs. "

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filled:
    """How the leads of an organization are called: `prefix` and the numbers from FIRST_NUMBER."""

    prefix: str
    leads: int


def id_prefix(kind: str, seed: int) -> str:
    """What all ids of one fill begin with; with nine digits it has the length of every id."""
    return f"{kind}_{seed:04}0CqYbench"


def lead_body(number: int, seed: int) -> Row:
    """What a client would send to make the lead with this number."""
    random = Random(seed << 32 | number)
    company = f"{random.choice(_COMPANIES)} {random.choice(_TRADES)} {number}"
    domain = f"{company.lower().replace(' ', '-')}.example"
    return {
        "name": company,
        "url": f"https://{domain}",
        "description": _SENTENCE * random.randint(0, 4),
        "contacts": [_contact_body(random, domain) for _ in range(CONTACTS)],
    }


def _contact_body(random: Random, domain: str) -> Row:
    given, family = random.choice(_GIVEN), random.choice(_FAMILY)
    number = random.randint(2_000_000, 9_999_999)
    return {
        "name": f"{given} {family}",
        "title": random.choice(_TITLES),
        "emails": [{"email": f"{given[0].lower()}.{number}@{domain}", "type": "office"}],
        "phones": [{"phone": f"+1415{number}", "type": "office"}],
    }


def times(number: int, seed: int) -> tuple[datetime, datetime]:
    """When the lead was made and last changed: one a minute, changed within a month."""
    made = FIRST + timedelta(minutes=number)
    return made, made + timedelta(seconds=Random(seed << 33 | number).randrange(30 * 86_400))


class LeadRows:
    """Makes the rows of lead `number`, and of its contacts, as the write path stores them."""

    def __init__(
        self, declared: Declarations, actor: Actor, status_ids: list[str], seed: int
    ) -> None:
        example = Change.create(Lead, lead_body(0, seed))
        made = list(read_body(declared, actor, example, stored_time(FIRST)))
        self._lead, self._contact = made[0].after or {}, made[1].after or {}
        self._statuses, self._seed = status_ids, seed

    def __call__(self, number: int) -> Iterator[tuple[type[Resource], Row]]:
        body, stamps = lead_body(number, self._seed), self._stamps(number)
        lead_id = f"{id_prefix('lead', self._seed)}{FIRST_NUMBER + number}"
        yield (
            Lead,
            self._lead
            | stamps
            | {
                "id": lead_id,
                "name": body["name"],
                "url": body["url"],
                "description": body["description"].strip(),
                "status_id": self._statuses[number % len(self._statuses)],
            },
        )
        for position, contact in enumerate(body["contacts"]):
            number_of_contact = FIRST_NUMBER + number * CONTACTS + position
            yield (
                Contact,
                self._contact
                | stamps
                | {
                    "id": f"{id_prefix('cont', self._seed)}{number_of_contact}",
                    "lead_id": lead_id,
                    "name": contact["name"],
                    "title": contact["title"],
                    "emails": [self._contact["emails"][0] | contact["emails"][0]],
                    "phones": [self._phone(contact["phones"][0]["phone"])],
                },
            )

    def _stamps(self, number: int) -> Row:
        made, changed = times(number, self._seed)
        return {"date_created": stored_time(made), "date_updated": stored_time(changed)}

    def _phone(self, phone: str) -> Row:
        formatted = f"+1 {phone[2:5]}-{phone[5:8]}-{phone[8:]}"
        example: Row = self._contact["phones"][0]
        return example | {"phone": phone, "phone_formatted": formatted}


async def fill(
    connection: asyncpg.Connection, declared: Declarations, actor: Actor, leads: int, seed: int
) -> Filled:
    """Add leads with their contacts and search texts, as the database's owner."""
    statuses = await connection.fetch(
        "select id from lead_status where organization_id = $1 order by position",
        actor.organization_id,
    )
    rows = LeadRows(declared, actor, [row["id"] for row in statuses], seed)
    # Foreign keys hold by construction; indexes are made when the rows are there.
    await connection.execute("set session_replication_role = replica")
    await connection.execute("set maintenance_work_mem = '256MB'")
    indexes = await _drop_indexes(connection)
    for resource in (Lead, Contact):
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
    await connection.execute(
        f"update event_clock set {counter(Lead)} = {counter(Lead)} + $2 where organization_id = $1",
        actor.organization_id,
        leads,
    )
    await connection.execute("set session_replication_role = origin")
    await connection.execute("vacuum analyze")
    return Filled(id_prefix("lead", seed), leads)


async def _drop_indexes(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "select c.relname, pg_get_indexdef(i.indexrelid) as definition from pg_index i"
        " join pg_class c on c.oid = i.indexrelid"
        " where i.indrelid = any($1::regclass[]) and not i.indisprimary",
        list(_TABLES),
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
            assert resource.search_lead is not None
            text = fold(resource.search_texts(row))
            yield organization_id, row["id"], row[resource.search_lead], text
