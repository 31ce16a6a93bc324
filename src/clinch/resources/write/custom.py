"""Custom values in a write: their definitions are read with it, then the values are checked."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clinch.resources.custom_fields import (
    REFERENCES,
    Sent,
    apply,
    find_definition,
)
from clinch.resources.declaration import Resource
from clinch.resources.errors import NO_OBJECT, Invalid, ValidationError
from clinch.resources.query.tree import In, Or
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import Load

if TYPE_CHECKING:
    from clinch.resources.write.work import Work


def definitions(work: "Work") -> Iterable[Load]:
    """The definitions of the custom fields that the changes set, by id or name."""
    names: dict[str, dict[str, None]] = {}
    for change in work.changes:
        if change.resource.custom_fields is not None and change.custom:
            noun = change.resource.custom_fields.definitions
            names.setdefault(noun, {}).update(dict.fromkeys(sent.name for sent in change.custom))
    for noun, found in names.items():
        resource = work.declarations[noun]
        wanted = tuple(found)
        by_id = In(resource.fields["id"], wanted)
        yield Load(resource, Or((by_id, In(resource.fields["name"], wanted))))


class CustomValues:
    """Checks the custom values of one write, once their definitions were read."""

    def __init__(self, work: "Work") -> None:
        self._work = work

    def loads(self) -> list[Load]:
        """The users and contacts that values name, by id or, for users, by full name."""
        wanted: dict[str, dict[str, None]] = {}
        for change in self._work.changes:
            for sent in change.custom:
                definition = self._definition(change, sent)
                noun = REFERENCES.get(definition["type"]) if definition is not None else None
                if noun is not None:
                    named = sent.value if isinstance(sent.value, list) else [sent.value]
                    texts = (value for value in named if isinstance(value, str))
                    wanted.setdefault(noun, {}).update(dict.fromkeys(texts))
        return [self._load(noun, tuple(values)) for noun, values in wanted.items() if values]

    def _load(self, noun: str, values: tuple[str, ...]) -> Load:
        resource = self._work.declarations[noun]
        by_id = In(resource.fields["id"], values)
        if noun == "user":
            return Load(resource, Or((by_id, In(resource.fields["name"], values))))
        return Load(resource, by_id)

    def _definition(self, change: Change, sent: Sent) -> Row | None:
        try:
            return find_definition(self._definitions(change.resource), sent.name)
        except Invalid:
            return None

    def _definitions(self, resource: type[Resource]) -> list[Row]:
        custom = resource.custom_fields
        return (
            [] if custom is None else self._work.known(self._work.declarations[custom.definitions])
        )

    def resolve(self, change: Change) -> None:
        """Lay the values that were sent over those that are stored; raises ValidationError."""
        if not change.custom or change.after is None:
            return
        stored = self._work.stored.get((change.resource.noun, change.id), {})
        values: dict[str, Any] = dict(stored.get("custom", {}))
        problems: dict[str, Any] = {}
        for sent in change.custom:
            try:
                definition = find_definition(self._definitions(change.resource), sent.name)
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

    def _value(self, change: Change, definition: Row, sent: Sent, current: Any) -> Any:
        value = apply(definition, sent, current, self._work.actor)
        noun = REFERENCES.get(definition["type"])
        if noun is not None and value is not None:
            many = value if isinstance(value, list) else [value]
            ids = [self._referred(change, noun, one, current) for one in many]
            value = ids if isinstance(value, list) else ids[0]
        roles = definition["editable_with_roles"]
        if value != current and roles and self._work.actor.role not in (None, *roles):
            raise Invalid("You do not have permission to change this field.")
        return value

    def _referred(self, change: Change, noun: str, value: str, current: Any) -> str:
        """The id of the object that a value names; one that is stored already need not exist."""
        kept = current if isinstance(current, list) else [current]
        for row in self._work.known(self._work.declarations[noun]):
            full_name = (
                f"{row['first_name']} {row['last_name']}".strip() if noun == "user" else None
            )
            if value in (row["id"], full_name) and self._fits(change, noun, row):
                return str(row["id"])
        if value in kept:
            return value
        raise Invalid(NO_OBJECT)

    def _fits(self, change: Change, noun: str, row: Row) -> bool:
        """A contact is one of the same lead."""
        if noun != "contact":
            return True
        stored = self._work.stored.get((change.resource.noun, change.id), {})
        own = stored | (change.after or {})
        return bool(row["lead_id"] == own.get("lead_id", own["id"] if own else None))
