"""The event log: what every write appends, in the order in which writes are committed.

An organization's clock is one row. The last statement of a write moves it and inserts the events
with the numbers so taken; the row stays locked until the commit is durable, so the numbers are
in commit order and without gaps, and a reader needs nothing but `seq > cursor`.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.db.ids import new_id
from clinch.db.schema import Column, Index, Table, id_column, tenant_table
from clinch.resources.actor import Provenance
from clinch.resources.declaration import Declarations, counter
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

ACTIONS = {"create": "created", "update": "updated", "delete": "deleted"}

EVENT = tenant_table(
    "event",
    Column("seq", "bigint"),
    id_column(),
    Column("at", "timestamp with time zone"),
    Column("object_type", "text"),
    id_column("object_id"),
    id_column("lead_id", nullable=True),
    Column("action", "text"),
    Column("changed", "text[]"),
    id_column("user_id", nullable=True),
    id_column("api_key_id", nullable=True),
    id_column("grant_id", nullable=True),
    id_column("oauth_client_id", nullable=True),
    Column("oauth_scope", "text", nullable=True),
    id_column("on_behalf_of", nullable=True),
    id_column("request_id", nullable=True),
    Column("source", "text"),
    Column("reason", "text", nullable=True),
    Column("method", "text", nullable=True),
    Column("path", "text", nullable=True),
    Column("meta", "jsonb", nullable=True),
    Column("digest", "bytea"),
    key=("seq",),
    indexes=(
        Index(("organization_id", "id"), unique=True),
        Index(("organization_id", "object_id", "seq")),
        Index(("organization_id", "lead_id", "seq")),
        Index(("organization_id", "user_id", "seq")),
        Index(("organization_id", "request_id", "seq")),
    ),
    rights="select, insert",
)

# Apart from the event, which keeps a salted digest: a person can be erased and the log stays whole.
EVENT_BODY = tenant_table(
    "event_body",
    Column("seq", "bigint"),
    Column("before", "json", nullable=True),
    Column("after", "json", nullable=True),
    Column("salt", "bytea"),
    key=("seq",),
    rights="select, insert, delete",
)


def event_clock(declarations: Declarations) -> Table:
    """One row an organization: its last sequence number, and how many objects it has."""
    counters = (Column(name, "bigint", default="0") for name in declarations.counters())
    return tenant_table("event_clock", Column("seq", "bigint"), *counters, key=())


def log_tables(declarations: Declarations) -> list[Table]:
    return [event_clock(declarations), EVENT, EVENT_BODY]


async def append_events(transaction: Transaction, work: Work, provenance: Provenance) -> int | None:
    """Append the events of a write, as its last statement; the number of the last one."""
    happened = [(change, action) for change in work.changes for action in _actions(change)]
    events = [_event(*told, number) for number, told in enumerate(happened, start=1)]
    if not events:
        return None
    counts = Counter(
        change.resource.noun
        for change in work.changes
        if change.resource.counted and change.kind == "create"
    )
    counts.subtract(
        change.resource.noun
        for change in work.changes
        if change.resource.counted and change.kind == "delete"
    )
    moved = tuple(sorted(name for name, count in counts.items() if count))
    last: int = await transaction.value(
        _statement(tuple(counter(work.declarations[name]) for name in moved)),
        work.actor.organization_id,
        len(events),
        msgspec.json.encode(events).decode(),
        work.now,
        work.actor.user_id,
        provenance.api_key_id,
        *(provenance.oauth_grant or (None, None, None)),
        provenance.on_behalf_of,
        provenance.request_id,
        provenance.source,
        provenance.reason,
        provenance.method,
        provenance.path,
        msgspec.json.encode(work.meta).decode() if work.meta else None,
        *(counts[name] for name in moved),
    )
    return last


def _actions(change: Change) -> Iterable[str]:
    """What the log says that the object went through; nothing of an update that changes nothing."""
    if change.kind != "update" or change.touched or change.changed():
        yield ACTIONS[change.kind]
    yield from change.announced


@lru_cache(maxsize=100)
def _statement(counters: tuple[str, ...]) -> str:
    counts = "".join(
        f", {name} = c.{name} + ${number}" for number, name in enumerate(counters, start=17)
    )
    return (
        f"with clock as (update event_clock c set seq = c.seq + $2::bigint{counts}"
        " where c.organization_id = $1 returning c.seq),"
        " new as (select clock.seq - $2::bigint + x.n as seq, x.* from clock,"
        " jsonb_to_recordset($3::jsonb) x(n bigint, id text, object_type text, object_id text,"
        " lead_id text, action text, changed text[], digest text, before text, after text,"
        " salt text)),"
        " logged as (insert into event (organization_id, seq, id, at, object_type, object_id,"
        " lead_id, action, changed, user_id, api_key_id, grant_id, oauth_client_id, oauth_scope,"
        " on_behalf_of, request_id, source, reason, method, path, meta, digest)"
        " select $1::uuid, new.seq, new.id, $4::timestamptz, new.object_type, new.object_id,"
        " new.lead_id, new.action, new.changed, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
        " $16::jsonb, decode(new.digest, 'hex') from new),"
        " bodies as (insert into event_body (organization_id, seq, before, after, salt)"
        " select $1::uuid, new.seq, new.before::json, new.after::json, decode(new.salt, 'hex')"
        " from new)"
        " select clock.seq from clock"
    )


def _event(change: Change, action: str, number: int) -> dict[str, Any]:
    """An event as a row; of an announced action it holds the state alone, and no difference."""
    announced = action in change.announced
    changed = [] if announced else change.changed()
    before: bytes | None = None
    if change.before is not None and not announced:
        names = change.resource.logged_columns if change.after is None else changed
        before = msgspec.json.encode({name: change.before[name] for name in names})
    after: bytes | None = None
    if change.after is not None:
        after = msgspec.json.encode(
            {name: change.after[name] for name in change.resource.logged_columns}
        )
    salt = os.urandom(16)
    row = change.after or change.before or {}
    return {
        "n": number,
        "id": new_id("ev"),
        "object_type": change.resource.event_type_of(row),
        "object_id": change.id,
        "lead_id": row["id"] if change.resource.noun == "lead" else row.get("lead_id"),
        "action": action,
        "changed": [] if announced else sorted({*_names(change, changed), *change.touched}),
        "digest": digest(salt, before, after),
        "before": before.decode() if before is not None else None,
        "after": after.decode() if after is not None else None,
        "salt": salt.hex(),
    }


def _names(change: Change, changed: list[str]) -> list[str]:
    """The changed fields as the API names them: custom values one by one."""
    custom = change.resource.custom_fields
    keys = {field.column: field.key for field in change.resource.stored_fields}
    names = [keys[column] for column in changed if custom is None or column != custom.column]
    if custom is None or custom.column not in changed:
        return names
    before, after = change.was(custom), change.get(custom)
    return [*names, *(f"custom.{id}" for id in before | after if before.get(id) != after.get(id))]


def digest(salt: bytes, before: bytes | None, after: bytes | None) -> str:
    """What the event keeps of its body: SHA-256, in hexadecimal, over the salt and both states."""
    parts = (salt, before or b"", after or b"")
    return hashlib.sha256(b"".join(len(p).to_bytes(8, "big") + p for p in parts)).hexdigest()
