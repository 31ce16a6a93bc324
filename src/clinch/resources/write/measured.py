"""The rows of custom values that are numbers or moments: how a write keeps them, and their check.

They follow from the values of the objects, so they change without an event, in the statement that
writes the objects.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from clinch.db.database import Database, Tenant, Transaction
from clinch.resources.custom_values import CUSTOM_VALUE, measured_rows
from clinch.resources.declaration import Declarations
from clinch.resources.write.change import Change, Row

_BATCH = 500
_X = "jsonb_to_recordset({rows}::jsonb) x(object_id text, field_id text"

KEEP = (
    "insert into custom_value (organization_id, object_id, field_id, number, moment)"
    " select $1::uuid, x.object_id, x.field_id, x.number, x.moment"
    f" from {_X}, number numeric, moment timestamptz)"
    " on conflict (organization_id, object_id, field_id)"
    " do update set number = excluded.number, moment = excluded.moment"
)
DROP = (
    f"delete from custom_value v using {_X}) where v.organization_id = $1"
    " and v.object_id = x.object_id and v.field_id = x.field_id"
)
"""Statements over rows of the table as JSON, which stands at `{rows}`; `$1` is the organization."""


def moved_rows(changes: Iterable[Change]) -> tuple[list[Row], list[Row]]:
    """The rows to keep and the rows to drop, of the values that the changes change."""
    kept: list[Row] = []
    dropped: list[Row] = []
    for change in changes:
        custom = change.resource.custom_fields
        if custom is None:
            continue
        before = change.was(custom) or {}
        after = change.get(custom) if change.after is not None else {}
        if before == after:
            continue
        new, gone = _difference(
            list(measured_rows(change.id, before)), list(measured_rows(change.id, after))
        )
        kept += new
        dropped += gone
    return kept, dropped


def _difference(stored: list[Row], wanted: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows to keep and to drop, so that what is stored becomes what is wanted."""
    had = {_key(row): row for row in stored}
    has = {_key(row): row for row in wanted}
    new = [row for key, row in has.items() if had.get(key) != row]
    gone = [{"object_id": o, "field_id": f} for o, f in had if (o, f) not in has]
    return new, gone


def _key(row: Row) -> tuple[str, str]:
    return row["object_id"], row["field_id"]


async def mend(database: Database, declared: Declarations, organization_id: str) -> tuple[int, int]:
    """Bring all rows of an organization to what its objects say.

    How many rows there are then, and how many of them were wrong, missing or too many. Goes through
    the objects in batches, each locked while its rows are compared.
    """
    tables = {resource.table for resource in declared if resource.custom_fields is not None}
    rows = wrong = 0
    for table in sorted(tables):
        last: str | None = ""
        while last is not None:
            async with database.tenant(Tenant(organization_id)) as transaction:
                last, found, mended = await _mend_batch(transaction, organization_id, table, last)
            rows, wrong = rows + found, wrong + mended
    async with database.tenant(Tenant(organization_id)) as transaction:
        return rows, wrong + await _drop_orphans(transaction, organization_id, tables)


async def _mend_batch(
    transaction: Transaction, organization_id: str, table: str, after: str
) -> tuple[str | None, int, int]:
    """The last id of the batch after an id, or None at the end; its rows; how many were wrong."""
    objects = await transaction.rows(
        f"select r.id, r.custom::text from {table} r where r.organization_id = $1 and r.id > $2"
        f" and r.custom is not null order by r.id limit {_BATCH} for no key update",
        organization_id,
        after,
    )
    stored = await transaction.rows(
        "select v.object_id, v.field_id, to_jsonb(v.number)::text as number, v.moment"
        " from custom_value v where v.organization_id = $1 and v.object_id = any($2)",
        organization_id,
        [row["id"] for row in objects],
    )
    wanted = [
        row for id, custom in objects for row in measured_rows(id, msgspec.json.decode(custom))
    ]
    kept, dropped = _difference([_as_wanted(dict(row)) for row in stored], wanted)
    for sql, changed in ((KEEP, kept), (DROP, dropped)):
        if changed:
            text = msgspec.json.encode(changed).decode()
            await transaction.execute(sql.format(rows="$2"), organization_id, text)
    last = objects[-1]["id"] if len(objects) == _BATCH else None
    return last, len(wanted), len(kept) + len(dropped)


def _as_wanted(row: dict[str, Any]) -> Row:
    number, moment = row["number"], row["moment"]
    return row | {
        "number": None if number is None else msgspec.json.decode(number),
        "moment": None if moment is None else moment.isoformat(),
    }


async def _drop_orphans(
    transaction: Transaction, organization_id: str, tables: Iterable[str]
) -> int:
    """Drop the rows of objects that are gone; how many."""
    gone = " and ".join(
        f"not exists (select from {table} r where r.organization_id = $1 and r.id = v.object_id)"
        for table in tables
    )
    rows = await transaction.rows(
        f"delete from {CUSTOM_VALUE.name} v where v.organization_id = $1 and {gone} returning 1",
        organization_id,
    )
    return len(rows)
