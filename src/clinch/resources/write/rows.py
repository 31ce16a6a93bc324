"""Writes the rows of a write in one statement: inserts, updates, deletes, and what is derived from
them: search texts, the rows of custom values, and what files are held."""

from functools import lru_cache
from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.resources.declaration import Resource
from clinch.resources.search_text import fold
from clinch.resources.write.change import Change, Row
from clinch.resources.write.files import HOLD, LET_GO, RELEASE, moved_uses
from clinch.resources.write.measured import DROP, KEEP, moved_rows
from clinch.resources.write.work import Work

_KINDS = ("create", "update", "delete")
Group = tuple[type[Resource], str]

_KEEP_TEXTS = (
    "insert into search_text (organization_id, id, lead_id, text)"
    " select $1::uuid, x.id, x.lead_id, x.text"
    " from jsonb_to_recordset({rows}::jsonb) x(id text, lead_id text, text text)"
    " on conflict (organization_id, id)"
    " do update set lead_id = excluded.lead_id, text = excluded.text"
)
_DROP_TEXTS = (
    "delete from search_text s using jsonb_to_recordset({rows}::jsonb) x(id text)"
    " where s.organization_id = $1 and s.id = x.id"
)


async def write_rows(transaction: Transaction, work: Work) -> None:
    """Bring the tables to what the changes say; nothing is asked when nothing changes."""
    groups: dict[Group, list[Any]] = {}
    for change in work.changes:
        if change.kind == "delete":
            groups.setdefault((change.resource, "delete"), []).append(change.id)
        elif change.kind == "create" or change.changed():
            groups.setdefault((change.resource, change.kind), []).append(_packed(change))
    if not groups:
        return
    shape = tuple(sorted(groups, key=lambda group: (group[0].noun, _KINDS.index(group[1]))))
    arguments = [groups[group] if group[1] == "delete" else _text(groups[group]) for group in shape]
    derived = {sql: _text(rows) for sql, rows in _derived(work).items() if rows}
    sql = _statement(shape, tuple(derived))
    await transaction.value(sql, work.actor.organization_id, *arguments, *derived.values())


def _derived(work: Work) -> dict[str, list[Row]]:
    """The statements on derived tables, with their rows."""
    searched = [change for change in work.changes if change.resource.search_lead is not None]
    values, gone_values = moved_rows(work.changes)
    uses, gone_uses, released = moved_uses(work.changes, work.now)
    return {
        _KEEP_TEXTS: [row for change in searched if (row := _search_row(change)) is not None],
        _DROP_TEXTS: [{"id": change.id} for change in searched if change.kind == "delete"],
        KEEP: values,
        DROP: gone_values,
        HOLD: uses,
        LET_GO: gone_uses,
        RELEASE: released,
    }


def _packed(change: Change) -> Row:
    """The row as its table has it: fields without a column of their own in `data`."""
    row, packed = change.after or {}, change.resource.packed_fields
    if not packed:
        return row
    data = {f.column: row[f.column] for f in packed if row[f.column] is not None}
    names = {field.column for field in packed}
    return {name: value for name, value in row.items() if name not in names} | {"data": data}


def _text(rows: list[Row]) -> str:
    return msgspec.json.encode(rows).decode()


@lru_cache(maxsize=500)
def _statement(shape: tuple[Group, ...], derived: tuple[str, ...]) -> str:
    parts = [
        f"w{number} as ({_WRITERS[kind](resource, f'${number}')})"
        for number, (resource, kind) in enumerate(shape, start=2)
    ]
    parts += [
        f"d{number} as ({sql.format(rows=f'${number}')})"
        for number, sql in enumerate(derived, start=len(shape) + 2)
    ]
    return f"with {', '.join(parts)} select 1"


def _insert(resource: type[Resource], rows: str) -> str:
    names = _written(resource)
    return (
        f"insert into {resource.table} (organization_id, {', '.join(names)})"
        f" select $1::uuid, {', '.join(f'x.{name}' for name in names)} from {_rows(resource, rows)}"
    )


def _update(resource: type[Resource], rows: str) -> str:
    sets = ", ".join(f"{name} = x.{name}" for name in _written(resource) if name != "id")
    return (
        f"update {resource.table} r set {sets} from {_rows(resource, rows)}"
        " where r.organization_id = $1 and r.id = x.id"
    )


def _delete(resource: type[Resource], ids: str) -> str:
    return f"delete from {resource.table} r where r.organization_id = $1 and r.id = any({ids})"


_WRITERS = {"create": _insert, "update": _update, "delete": _delete}


def _written(resource: type[Resource]) -> list[str]:
    """The columns that a write says, which are not the derived ones."""
    derived = {field.column for field in resource.stored_fields if field.derived}
    return [column.name for column in resource.columns() if column.name not in derived]


def _rows(resource: type[Resource], parameter: str) -> str:
    types = {column.name: column.type.split(" collate")[0] for column in resource.columns()}
    columns = ", ".join(f"{name} {types[name]}" for name in _written(resource))
    return f"jsonb_to_recordset({parameter}::jsonb) x({columns})"


def _search_row(change: Change) -> Row | None:
    """The search text of an object that is new, or whose text differs from what it was."""
    if change.after is None or change.resource.search_lead is None:
        return None
    row = {
        "id": change.id,
        "lead_id": change.after[change.resource.search_lead],
        "text": fold(change.resource.search_texts(change.after)),
    }
    if change.before is not None:
        was = fold(change.resource.search_texts(change.before))
        if was == row["text"] and not change.moved(
            change.resource.fields[change.resource.search_lead]
        ):
            return None
    return row
