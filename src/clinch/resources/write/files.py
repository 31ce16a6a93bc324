"""Files in a write: those that objects are to hold are read with it, and held in its statement."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from clinch.db.database import Transaction
from clinch.resources.errors import Invalid, ValidationError
from clinch.resources.fields import ListOf, read_each, stored_time
from clinch.resources.files import (
    RELEASED_FOR,
    TEMPORARY_FOR,
    persisted_path,
    temporary_path,
)
from clinch.resources.write.change import Change, Row

if TYPE_CHECKING:
    from clinch.resources.write.work import Work

NO_FILE = "This is not the URL of a file that you have uploaded, or that the object has."

_X = "jsonb_to_recordset({rows}::jsonb) x(object_id text, file_id text"

HOLD = (
    "insert into file_use (organization_id, object_id, file_id)"
    f" select $1::uuid, x.object_id, x.file_id from {_X})"
    " on conflict (organization_id, object_id, file_id) do nothing"
)
LET_GO = (
    f"delete from file_use u using {_X}) where u.organization_id = $1"
    " and u.object_id = x.object_id and u.file_id = x.file_id"
)
RELEASE = (
    f"update file f set kept_until = x.kept_until from {_X}, kept_until timestamptz)"
    " where f.organization_id = $1 and f.id = x.file_id"
)
"""Statements over rows as JSON, which stands at `{rows}`; `$1` is the organization. A released file
may be held by others: this is looked at when its time has come."""


class HeldFiles:
    """The files that one write's objects are sent to hold."""

    def __init__(self, work: "Work") -> None:
        self._work = work
        self._uploaded: dict[str, Row] = {}

    async def read(self, transaction: Transaction) -> None:
        """Read those that the user has uploaded, and keep them from being swept meanwhile."""
        actor = self._work.actor
        entries = (
            entry
            for change in self._work.changes
            for field in _sent_lists(change)
            for entry in change.get(field)
        )
        ids = {self._uploaded_id(entry) for entry in entries} - {None}
        if not ids:
            return
        rows = await transaction.rows(
            "select f.id as file_id, f.content_type, f.size from file f"
            " where f.organization_id = $1 and f.id = any($2) and f.user_id = $3"
            " and f.size is not null and f.uploaded_at > $4 order by f.id for key share",
            actor.organization_id,
            list(ids),
            actor.user_id,
            self._work.now - TEMPORARY_FOR,
        )
        self._uploaded = {row["file_id"]: dict(row) for row in rows}

    def resolve(self, change: Change) -> None:
        """Put the files in the place of their addresses; raises ValidationError."""
        problems: dict[str, Any] = {}
        for field in _sent_lists(change):
            known = partial(self._known, change, field)
            try:
                change.set(field, read_each(change.get(field), partial(_held, known)))
            except Invalid as error:
                problems[field.error_key] = error.problem
        if problems:
            raise ValidationError(problems)

    def _known(self, change: Change, field: ListOf, entry: Row) -> Row | None:
        """What is known of an entry's file: the object has it already, or it was uploaded."""
        stored = self._work.stored.get((change.resource.noun, change.id), {})
        organization, object_type = self._work.actor.organization, change.resource.event_type()
        own_id = self._id_below(persisted_path(organization, object_type, change.id), entry)
        for had in stored.get(field.column, ()):
            if had["file_id"] == own_id:
                return {key: had[key] for key in ("file_id", "content_type", "size")}
        return self._uploaded.get(self._uploaded_id(entry) or "")

    def _uploaded_id(self, entry: Row) -> str | None:
        return self._id_below(temporary_path(self._work.actor.user_id or ""), entry)

    def _id_below(self, path: str, entry: Row) -> str | None:
        """The part of an entry's address that follows the path, None when it is elsewhere."""
        place, url = f"{self._work.declarations.public_url}{path}", entry["url"]
        return url.removeprefix(place).partition("/")[0] if url.startswith(place) else None


def _held(known: Callable[[Row], Row | None], entry: Row) -> Row:
    """An entry as it is stored; raises Invalid."""
    file = known(entry)
    if file is None:
        raise Invalid({"errors": [], "field-errors": {"url": NO_FILE}})
    rest = {key: value for key, value in entry.items() if key != "url"}
    return rest | file | {"content_type": entry["content_type"] or file["content_type"]}


def _sent_lists(change: Change) -> Iterator[ListOf]:
    """The lists of files that a request itself gave a value."""
    return (field for field in change.resource.file_lists if change.sets(field))


def moved_uses(changes: Iterable[Change], now: datetime) -> tuple[list[Row], list[Row], list[Row]]:
    """The uses to add, those to take away, and until when their files are kept all the same."""
    held: list[Row] = []
    gone: list[Row] = []
    for change in changes:
        if change.resource.file_lists:
            before, after = _files(change, change.before), _files(change, change.after)
            held += [{"object_id": change.id, "file_id": id} for id in after if id not in before]
            gone += [{"object_id": change.id, "file_id": id} for id in before if id not in after]
    kept_until = stored_time(now + RELEASED_FOR)
    return held, gone, [row | {"kept_until": kept_until} for row in gone]


def _files(change: Change, row: Row | None) -> dict[str, None]:
    """The ids of the files that an object holds, in their order."""
    lists = (row[field.column] for field in change.resource.file_lists) if row is not None else ()
    return {entry["file_id"]: None for entries in lists for entry in entries}
