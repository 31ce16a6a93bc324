"""Custom values in a write: their definitions are read with it, then the values are checked."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clinch.resources.custom_fields import (
    ASSOCIATION,
    REFERENCES,
    SHARED,
    CustomFields,
    Sent,
    apply,
    find_definition,
    read_text,
    read_value,
    refit,
)
from clinch.resources.declaration import Resource
from clinch.resources.errors import NO_OBJECT, Invalid, ValidationError
from clinch.resources.fields import Children, Ref
from clinch.resources.query.tree import And, Equal, In, Node, Or, Related
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import FOR_SHARE, Load

if TYPE_CHECKING:
    from clinch.resources.write.work import Work


def definitions(work: "Work") -> Iterable[Load]:
    """The definitions of the custom fields that the changes set, by id or name; of objects that
    have the fields of their type, all that the type has.

    Those of a write that sets values are held as they are until it ends: what it stores is valid by
    them, and whoever changes a definition may count on finding all values that were valid before.
    """
    for resource in dict.fromkeys(change.resource for change in work.changes):
        custom = resource.custom_fields
        if custom is not None:
            yield from _of_types(work, custom) if custom.owner else _by_name(work, custom)


def _by_name(work: "Work", custom: CustomFields) -> Iterable[Load]:
    changes = work.of(custom.resource)
    sent = [one.name for change in changes for one in change.custom]
    wanted = tuple(dict.fromkeys([*sent, *(id for change in changes for id in change.refits)]))
    if not wanted:
        return
    own, shared, association = _resources(work, custom)
    by_id, by_name = In(own.fields["id"], wanted), In(own.fields["name"], wanted)
    named = Or((by_id, by_name))
    yield Load(own, named, FOR_SHARE)
    yield Load(shared, named, FOR_SHARE)
    here = Equal(association.fields["object_type"], custom.object_type)
    associated = And((here, Related(_ref(association, "custom_field_id"), named)))
    yield Load(association, associated, FOR_SHARE)


def _of_types(work: "Work", custom: CustomFields) -> Iterable[Load]:
    own, shared, association = _resources(work, custom)
    types = types_of(work, custom)
    sets = any(change.custom or change.refits for change in work.of(custom.resource))
    lock = FOR_SHARE if sets else ""
    yield Load(own, Related(_ref(own, custom.owner), types), lock)
    associated = Related(_ref(association, custom.owner), types)
    yield Load(shared, Related(Children(ASSOCIATION, "custom_field_id"), associated), lock)
    yield Load(association, associated, lock)


def types_of(work: "Work", custom: CustomFields) -> Node:
    """The condition of the types whose objects the write changes or will make."""
    changes, ref = work.of(custom.resource), custom.owner_ref
    made = {c.after[ref.column]: None for c in changes if c.kind == "create" and c.after}
    there = tuple(change.id for change in changes if change.kind != "create")
    by_id = In(work.declarations[ref.target].fields["id"], tuple(filter(None, made)))
    objects = In(custom.resource.fields["id"], there)
    by_object = Related(Children(custom.resource.noun, ref.key), objects)
    return Or((by_id, by_object) if there else (by_id,))


def _resources(
    work: "Work", custom: CustomFields
) -> tuple[type[Resource], type[Resource], type[Resource]]:
    names = (custom.definitions, SHARED, ASSOCIATION)
    own, shared, association = (work.declarations[name] for name in names)
    return own, shared, association


def _ref(resource: type[Resource], key: str) -> Ref:
    return next(ref for ref in resource.refs if ref.key == key)


class CustomValues:
    """Checks the custom values of one write, once their definitions were read."""

    def __init__(self, work: "Work") -> None:
        self._work = work
        self._fields: dict[tuple[str, str | None], list[Row]] = {}

    def loads(self) -> list[Load]:
        """The objects that values name, by id or, for users, by full name."""
        wanted: dict[str, dict[str, None]] = {}
        for change in self._work.changes:
            for sent in change.custom:
                self._want(wanted, self._definition(change, sent), sent.value)
            for id in change.refits:
                self._want(wanted, self._defined(change, id), self._stored(change).get(id))
        return [self._load(noun, tuple(values)) for noun, values in wanted.items() if values]

    def _want(self, wanted: dict[str, dict[str, None]], definition: Row | None, value: Any) -> None:
        noun = REFERENCES.get(definition["type"]) if definition is not None else None
        if noun is not None:
            named = value if isinstance(value, list) else [value]
            texts = (one for one in named if isinstance(one, str))
            wanted.setdefault(noun, {}).update(dict.fromkeys(texts))

    def _load(self, noun: str, values: tuple[str, ...]) -> Load:
        resource = self._work.declarations[noun]
        by_id = In(resource.fields["id"], values)
        if noun == "user":
            return Load(resource, Or((by_id, In(resource.fields["name"], values))))
        return Load(resource, by_id)

    def _definition(self, change: Change, sent: Sent) -> Row | None:
        try:
            return find_definition(self.fields_of(change), sent.name)
        except Invalid:
            return None

    def _defined(self, change: Change, id: str) -> Row | None:
        """The definition that has this id, None when the object has no such field any more."""
        return next((row for row in self.fields_of(change) if row["id"] == id), None)

    def fields_of(self, change: Change) -> list[Row]:
        """The definitions, as far as they were read, of the fields that the object has.

        In that of a shared field `required` and `editable_with_roles` are the association's.
        """
        custom = change.resource.custom_fields
        if custom is None:
            return []
        owner = self._row(change).get(custom.owner_ref.column) if custom.owner else None
        place = (change.resource.noun, owner)
        if place not in self._fields:
            self._fields[place] = [*self._own(custom, owner), *self._shared(custom, owner)]
        return self._fields[place]

    def _own(self, custom: CustomFields, owner: str | None) -> Iterable[Row]:
        for definition in self._work.known(self._work.declarations[custom.definitions]):
            if definition.get(custom.owner) == owner:
                yield definition

    def _shared(self, custom: CustomFields, owner: str | None) -> Iterable[Row]:
        _, resource, association = _resources(self._work, custom)
        shared = {row["id"]: row for row in self._work.known(resource)}
        for row in self._work.known(association):
            here = row["object_type"] == custom.object_type and row.get(custom.owner) == owner
            if here and row["custom_field_id"] in shared:
                settings = {key: row[key] for key in ("required", "editable_with_roles")}
                yield shared[row["custom_field_id"]] | settings

    def _row(self, change: Change) -> Row:
        stored = self._work.stored.get((change.resource.noun, change.id), {})
        return stored | (change.after or {})

    def resolve(self, change: Change) -> None:
        """Lay the values that were sent over those that are stored; raises ValidationError."""
        if not (change.custom or change.refits) or change.after is None:
            return
        values = dict(self._stored(change))
        problems: dict[str, Any] = {}
        for id in values.keys() & change.refits:
            value = self._refitted(change, self._defined(change, id), values.pop(id))
            if value is not None:
                values[id] = value
        for sent in change.custom:
            try:
                definition = find_definition(self.fields_of(change), sent.name)
                value = self._value(change, definition, sent, values.get(definition["id"]))
                if value is None:
                    values.pop(definition["id"], None)
                else:
                    values[definition["id"]] = value
            except Invalid as error:
                problems[sent.key] = error.problem
        if problems:
            raise ValidationError(problems)
        change.after["custom"] = values

    def _stored(self, change: Change) -> dict[str, Any]:
        stored = self._work.stored.get((change.resource.noun, change.id), {})
        values: dict[str, Any] = stored.get("custom", {})
        return values

    def _refitted(self, change: Change, definition: Row | None, stored: Any) -> Any:
        """A stored value as its field has it by now; None for what does not fit."""
        if definition is None:
            return None
        if definition["type"] in REFERENCES:
            entries = stored if isinstance(stored, list) else [stored]
            found = (self._find(change, definition, one) for one in entries)
            stored = [id for id in found if id is not None]
        return refit(definition, stored, self._work.actor)

    def _value(self, change: Change, definition: Row, sent: Sent, current: Any) -> Any:
        def read(one: Any) -> Any:
            return self._read(change, definition, sent, one, current)

        value = apply(definition, sent, current, read)
        roles = definition["editable_with_roles"]
        if value != current and roles and self._work.actor.role not in (None, *roles):
            raise Invalid("You do not have permission to change this field.")
        return value

    def _read(self, change: Change, definition: Row, sent: Sent, one: Any, current: Any) -> Any:
        """One of the values that were sent, as it is stored; what a list loses may be no valid
        value any more, or never have been one."""
        refers = definition["type"] in REFERENCES
        if sent.verb == "remove":
            text = read_text(one)
            return (refers and self._find(change, definition, text)) or text
        value = read_value(definition, one, self._work.actor)
        return self._referred(change, definition, value, current) if refers else value

    def _referred(self, change: Change, definition: Row, value: str, current: Any) -> str:
        """The id of the object that a value names; one that is stored already need not exist."""
        kept = current if isinstance(current, list) else [current]
        found = self._find(change, definition, value)
        if found is not None or value in kept:
            return found or value
        raise Invalid(NO_OBJECT)

    def _find(self, change: Change, definition: Row, value: Any) -> str | None:
        noun = REFERENCES[definition["type"]]
        row = self._work.stored.get((noun, value))
        if row is not None and self._fits(change, definition, row):
            return str(row["id"])
        if noun == "user":
            for row in self._work.known(self._work.declarations[noun]):
                if value == f"{row['first_name']} {row['last_name']}".strip():
                    return str(row["id"])
        return None

    def _fits(self, change: Change, definition: Row, row: Row) -> bool:
        """A contact, or an object of the type that the field is for, is one of the same lead."""
        if definition["type"] == "user":
            return True
        if definition["type"] == "custom_object":
            wanted = definition["referenced_custom_type_id"]
            if row["custom_object_type_id"] != wanted:
                return False
        own = self._row(change)
        return bool(row["lead_id"] == own.get("lead_id", own["id"] if own else None))
