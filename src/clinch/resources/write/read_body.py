"""From the body of a request to the values of a row, with every mistake gathered."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from clinch.db.ids import new_id
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import sent_values
from clinch.resources.declaration import Audited, Declarations, Resource
from clinch.resources.errors import REQUIRED, Invalid, ValidationError, wrong_type
from clinch.resources.fields import Children, Field, Ref, read_each, stored_time
from clinch.resources.write.change import Change, Row

Problems = dict[str, Any]


def read_bodies(
    declarations: Declarations, actor: Actor, changes: list[Change], now: datetime
) -> list[Change]:
    """The changes with their values read, each followed by those nested in it.

    Raises ValidationError with the mistakes of the first change that has any.
    """
    return [
        change
        for asked in changes
        for change in read_body(declarations, actor, asked, stored_time(now))
    ]


def read_body(
    declarations: Declarations, actor: Actor, change: Change, now: str
) -> Iterator[Change]:
    """One change with its values read, then those nested in it; raises ValidationError."""
    if change.kind == "delete":
        if not change.resource.when_deleted:
            yield change
            return
        change.become_update(change.resource.when_deleted)
    nested: list[Change] = []
    values, problems = _values(change, actor)
    change.sent = frozenset(values)
    if change.resource.custom_fields is not None:
        try:
            change.custom = sent_values(change.body)
        except Invalid as error:
            problems["custom"] = error.problem
    if change.kind == "create":
        change.id = change.id or new_id(change.resource.prefix)
        values = _new_row(change, actor, now, values, problems)
        nested = _nested(declarations, actor, change, now, problems)
    if problems:
        raise ValidationError(problems)
    change.after = values
    yield change
    yield from nested


def _values(change: Change, actor: Actor) -> tuple[Row, Problems]:
    """What was sent, by column; names that mean nothing here are passed over."""
    values: Row = {}
    problems: Problems = {}
    allowed = {"always"} if change.kind == "update" else {"always", "create"}
    if change.trusted:
        allowed.add("internally")
    for key, value in change.body.items():
        field = change.resource.fields.get(key)
        if field is None or not field.stored:
            field = change.resource.aliases.get(key)
            if field is not None and field.key in change.body:
                continue
        if field is None or field.writable not in allowed:
            continue
        if value is None and change.kind == "create" and _falls_back(field):
            continue
        if not actor.may(field.seen_with):
            problems[field.error_key] = "You do not have permission to change this field."
            continue
        try:
            values[field.column] = field.parse(value, actor)
        except Invalid as error:
            problems[field.error_key] = error.problem
    return values, problems


def _falls_back(field: Field) -> bool:
    """Whether a new object that says null of the field has what one has that says nothing."""
    return field.has_default and not field.nullable and not field.required


def _new_row(change: Change, actor: Actor, now: str, values: Row, problems: Problems) -> Row:
    row: Row = {"id": change.id, **change.resource.only}
    for field in change.resource.stored_fields:
        if field.column in values:
            row[field.column] = values[field.column]
        elif field.column not in row:
            row[field.column] = _initial(field, actor, change, problems)
    if issubclass(change.resource, Audited):
        row["created_by"] = row["created_by"] or actor.user_id
        row["updated_by"] = actor.user_id
        row["date_created"] = row["date_created"] or now
        row["date_updated"] = now
    return row


def _initial(field: Field, actor: Actor, change: Change, problems: Problems) -> Any:
    if field.required and not _found_later(field, change):
        problems.setdefault(field.error_key, REQUIRED)
    return field.initial(actor)


def _found_later(field: Field, change: Change) -> bool:
    """Whether it is a reference still to be filled in: to the object's parent, or by default."""
    return isinstance(field, Ref) and (change.inner or field.lookup is not None)


def _nested(
    declarations: Declarations, actor: Actor, parent: Change, now: str, problems: Problems
) -> list[Change]:
    found: list[Change] = []
    for key, field in parent.resource.fields.items():
        entries = parent.body.get(key)
        if not isinstance(field, Children) or field.writable != "create" or entries is None:
            continue
        resource = declarations[field.target]

        def read(
            entry: Any, resource: type[Resource] = resource, field: Children = field
        ) -> list[Change]:
            if not isinstance(entry, dict):
                raise wrong_type("dict")
            body = {k: v for k, v in entry.items() if k != field.by}
            child = Change.create(resource, body, trusted=parent.trusted)
            child.inner = True
            try:
                changes = list(read_body(declarations, actor, child, now))
            except ValidationError as error:
                raise Invalid(error.body) from None
            if child.after is not None:
                child.after[field.by] = parent.id
            return changes

        try:
            if not isinstance(entries, list):
                raise wrong_type("list")
            if len(entries) > field.most:
                raise Invalid("List is too long.")
            for position, changes in enumerate(read_each(entries, read)):
                for change in changes:
                    change.place = ((field.error_key, position), *change.place)
                    found.append(change)
        except Invalid as error:
            problems[field.error_key] = error.problem
    return found
