"""Files in a write: those that objects are to hold are read with it, and held in its statement."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from clinch.db.database import Transaction
from clinch.resources.actor import OperationClass
from clinch.resources.declaration import Resource
from clinch.resources.errors import Invalid, ValidationError
from clinch.resources.fields import ListOf, read_each, stored_time
from clinch.resources.files import (
    FILES,
    RELEASED_FOR,
    TEMPORARY_FOR,
    persisted_path,
    temporary_path,
)
from clinch.resources.query.compiler import Conditions
from clinch.resources.query.tree import In
from clinch.resources.write.change import Change, Row

if TYPE_CHECKING:
    from clinch.resources.write.work import Work

NO_FILE = "This is not the URL of a file that you have uploaded, or that an object has."

_PLACE = re.compile(r"([\w.]+)/(\w+)/(\w+)/", re.ASCII)

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
        self._elsewhere: dict[tuple[str, ...], Row] = {}

    async def read(self, transaction: Transaction) -> None:
        """Read those that the user has uploaded, which are not swept meanwhile, and those that
        other objects hold."""
        entries = [
            (change, entry)
            for change in self._work.changes
            for field in _sent_lists(change)
            for entry in change.get(field)
        ]
        await self._read_uploaded(
            transaction, {self._uploaded_id(entry) for _, entry in entries} - {None}
        )
        places = (
            self._place(entry) for change, entry in entries if not self._own_id(change, entry)
        )
        await self._read_elsewhere(transaction, set(filter(None, places)))

    async def _read_uploaded(self, transaction: Transaction, ids: set[str | None]) -> None:
        actor = self._work.actor
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

    async def _read_elsewhere(self, transaction: Transaction, places: set[tuple[str, ...]]) -> None:
        """Read the files that are at the places, in lists that the actor is answered."""
        ids: dict[str, set[str]] = {}
        for object_type, object_id, _ in places:
            ids.setdefault(object_type, set()).add(object_id)
        query = Conditions(self._work.declarations, self._work.actor)
        selects = []
        for resource, field in self._lists_seen():
            object_type = resource.event_type()
            if object_type in ids:
                holders = In(resource.fields["id"], tuple(ids[object_type]))
                selects.append(
                    f"select '{object_type}', r.id, e.entry from {resource.table} r"
                    f" cross join jsonb_array_elements({field.sql('r')}) e(entry)"
                    f" where {query.apart(resource, 'r', holders)}"
                )
        if not selects:
            return
        for object_type, object_id, text in await transaction.rows(
            " union all ".join(selects), *query.parameters
        ):
            entry = msgspec.json.decode(text)
            self._elsewhere[object_type, object_id, entry["file_id"]] = entry

    def _lists_seen(self) -> Iterator[tuple[type[Resource], ListOf]]:
        actor = self._work.actor
        for resource in self._work.declarations:
            if OperationClass.READ in actor.grant and actor.may(resource.needs.get("get")):
                for field in resource.file_lists:
                    if actor.may(field.seen_with):
                        yield resource, field

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
        """What is known of an entry's file: the object or another has it already, or it was
        uploaded."""
        stored = self._work.stored.get((change.resource.noun, change.id), {})
        own_id = self._own_id(change, entry)
        for had in stored.get(field.column, ()):
            if had["file_id"] == own_id:
                return _of_file(had)
        elsewhere = self._elsewhere.get(self._place(entry) or ())
        if elsewhere is not None:
            return _of_file(elsewhere)
        return self._uploaded.get(self._uploaded_id(entry) or "")

    def _own_id(self, change: Change, entry: Row) -> str | None:
        organization, object_type = self._work.actor.organization, change.resource.event_type()
        return self._id_below(persisted_path(organization, object_type, change.id), entry)

    def _place(self, entry: Row) -> tuple[str, ...] | None:
        """The type and id of the object whose file the address names, and the file's id."""
        below = self._below(f"{FILES}/persisted/{self._work.actor.organization}/", entry)
        place = _PLACE.match(below or "")
        return place.groups() if place is not None else None

    def _uploaded_id(self, entry: Row) -> str | None:
        return self._id_below(temporary_path(self._work.actor.user_id or ""), entry)

    def _id_below(self, path: str, entry: Row) -> str | None:
        """The part of an entry's address that follows the path, None when it is elsewhere."""
        below = self._below(path, entry)
        return below.partition("/")[0] if below is not None else None

    def _below(self, path: str, entry: Row) -> str | None:
        place, url = f"{self._work.declarations.public_url}{path}", str(entry["url"])
        return url.removeprefix(place) if url.startswith(place) else None


def _of_file(held: Row) -> Row:
    """What an entry that is stored says of its file."""
    return {key: held[key] for key in ("file_id", "content_type", "size")}


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
