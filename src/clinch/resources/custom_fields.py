"""Fields that an organization adds by itself: how their values are read, stored and answered.

A resource that has them declares `custom = CustomFields("lead_custom_field")`, naming the resource
of their definitions. A shared field is defined apart and comes to objects by an association.
Values stand in one JSON column, by the definition's id. A body sets them as
`custom.<id>`, `custom.<name>` or inside `custom`, and adds to or takes from a list with `.add` and
`.remove`. They are answered as `custom.<id>` and, by name, inside `custom`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from clinch.resources.actor import Actor
from clinch.resources.errors import NO_CHOICE, Invalid, wrong_type
from clinch.resources.fields import Field, Output, Ref, parse_datetime, stored_time

Row = dict[str, Any]

MULTIPLE = ("user", "choices", "contact", "custom_object")
REFERENCES = {"user": "user", "contact": "contact", "custom_object": "custom_object"}
TYPES = ("text", "textarea", "number", "date", "datetime", "hidden", *MULTIPLE)

SHARED = "shared_custom_field"
"""The noun of the resource that defines what several kinds of objects have."""
ASSOCIATION = "custom_field_association"
"""The noun, and the table, of what gives a shared field to a kind of object."""

_MOST = 1000
"""How many values a list has: to check each takes a moment."""

_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?")


class CustomFields(Field):
    """The column with the values; `definitions` is the noun of the resource that defines them.

    Where objects have the fields of their type, `owner` is the key of the reference to it: in the
    object, and in the definitions and associations, whose column has the same name.
    """

    sql_type = "jsonb"

    def __init__(self, definitions: str, *, owner: str = "", **rest: Any) -> None:
        super().__init__(writable="never", doc="Values by the field's name.", **rest)
        self.definitions, self.owner = definitions, owner

    @property
    def owner_ref(self) -> Ref:
        """The reference to the type; only where there is an `owner`."""
        return next(ref for ref in self.resource.refs if ref.key == self.owner)

    @property
    def object_type(self) -> str:
        """What an association calls the objects, or the types that own their fields."""
        return self.owner.removesuffix("_id") or self.resource.noun

    def empty(self) -> Any:
        return {}

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "description": self.doc}

    def output(self, row: str, out: Output) -> str:
        return (
            f"coalesce({out.lateral(row, self.values(row, out, ['custom']) or '')}.by_name, '{{}}')"
        )

    def json_text(self, row: str, out: Output) -> str:
        return self.output(row, out)

    def values(self, row: str, out: Output, keys: Iterable[str] | None) -> str | None:
        """SQL for a row with the values, each as text: `by_name` a JSON object, and `flat` each
        with its key before and a comma behind; null where there are none.

        None when `keys` are given and name no value.
        """
        only = ""
        if keys is not None and "custom" not in keys:
            wanted = ", ".join(f"'{id}'" for id in _named_ids(keys))
            if not wanted:
                return None
            only = f" and f.id in ({wanted})"
        table, kind = out.definitions(self.definitions)
        place = f"{row}.{self.owner_ref.column}" if self.owner else f"'{self.object_type}'"
        value = f"{row}.custom -> f.id"
        order = "order by f.position, f.id"
        # Objects without values are passed over; the `offset` keeps the planner from writing the
        # query out for each of the two texts.
        return (
            "select v.texts[1] as flat, v.texts[2] as by_name from ("
            f"select case when {row}.custom <> '{{}}' then (select array[string_agg("
            f"to_json('custom.' || f.id)::text || ':' || ({value})::text || ',', '' {order}),"
            f" json_object_agg(f.name, {value} {order})::text]"
            f" from {table} f where f.organization_id = $1"
            f" and f.kind in ('{kind}', 'shared') and {row}.custom ? f.id{only}"
            f" and (f.kind = '{kind}' or f.given_to ? {place})"
            f" and (f.converting_to_type is null or custom_value_fits("
            f"f.type, f.accepts_multiple_values, f.choices, {value}))) end as texts offset 0) v"
        )


def _named_ids(keys: Iterable[str]) -> list[str]:
    ids = (key.removeprefix("custom.") for key in keys if key.startswith("custom."))
    return [id for id in ids if re.fullmatch(r"\w{1,80}", id, re.ASCII)]


@dataclass(frozen=True, slots=True)
class Sent:
    """A value that a body sets: the key it came under, the field's id or name, what to do."""

    key: str
    name: str
    verb: str
    value: Any


def sent_values(body: dict[str, Any]) -> list[Sent]:
    """The custom values in a body, those by name first; raises Invalid with the key's problem."""
    found = []
    by_name = body.get("custom")
    if by_name is not None:
        if not isinstance(by_name, dict):
            raise wrong_type("dict")
        found += [Sent(f"custom.{name}", name, "set", value) for name, value in by_name.items()]
    for key, value in body.items():
        if key.startswith("custom."):
            name, verb = key.removeprefix("custom."), "set"
            for ending in ("add", "remove"):
                if name.endswith(f".{ending}"):
                    name, verb = name.removesuffix(f".{ending}"), ending
            found.append(Sent(key, name, verb, value))
    return found


def find_definition(definitions: Iterable[Row], name: str) -> Row:
    """The definition with this id or, else, this name; raises Invalid."""
    by_name = None
    for definition in definitions:
        if definition["id"] == name:
            return definition
        if definition["name"] == name:
            by_name = definition
    if by_name is None:
        raise Invalid("Unknown custom field.")
    return by_name


def apply(definition: Row, sent: Sent, current: Any, read: Callable[[Any], Any]) -> Any:
    """The field's value after what was sent, None for none; raises Invalid. `read` gives one value
    as it is stored."""
    multiple = definition["accepts_multiple_values"]
    if sent.verb == "set":
        if sent.value is None or sent.value in ("", []):
            return None
        if not multiple:
            return read(sent.value)
        return list(dict.fromkeys(read(value) for value in _listed(sent.value)))
    if not multiple:
        raise Invalid("This field does not accept multiple values.")
    values = current if isinstance(current, list) else [] if current is None else [current]
    named = [read(value) for value in _listed(sent.value)]
    if sent.verb == "remove":
        return [kept for kept in values if kept not in named] or None
    return _listed(list(dict.fromkeys([*values, *named]))) or None


def _listed(value: Any) -> list[Any]:
    """The values as a list, also where there is one alone; raises Invalid for too many."""
    values = value if isinstance(value, list) else [value]
    if len(values) > _MOST:
        raise Invalid("List is too long.")
    return values


def refit(definition: Row, value: Any, actor: Actor) -> Any:
    """A stored value as its field has it by now; None where nothing of it fits.

    Of several entries the first is kept where there is one value only.
    """
    fitting = []
    for entry in value if isinstance(value, list) else [value]:
        try:
            fitting.append(_converted(definition, entry, actor))
        except Invalid:
            continue
    if not fitting:
        return None
    return list(dict.fromkeys(fitting)) if definition["accepts_multiple_values"] else fitting[0]


def _converted(definition: Row, value: Any, actor: Actor) -> Any:
    if definition["type"] == "number":
        return read_value(definition, value, actor)
    # Without an exponent, which no text of a number may have.
    text = value if isinstance(value, str) else format(Decimal(str(value)), "f")
    if definition["type"] == "date":
        return parse_datetime(text, actor).date().isoformat()
    return read_value(definition, text, actor)


def read_value(definition: Row, value: Any, actor: Actor) -> Any:
    """One value of the field's type, as it is stored; raises Invalid."""
    kind = definition["type"]
    if kind == "number":
        return _read_number(value)
    text = read_text(value)
    match kind:
        case "date":
            return _read_date(text)
        case "datetime":
            return stored_time(parse_datetime(text, actor))
        case "choices":
            text = text.strip()  # as the choices are
            if text not in (definition["choices"] or ()):
                raise Invalid(NO_CHOICE)
    return text


def read_text(value: Any) -> str:
    """A text as any field may have it; raises Invalid."""
    if not isinstance(value, str):
        raise wrong_type("str")
    if "\x00" in value:
        raise Invalid("The value must not contain null characters.")
    if len(value) > 100_000:
        raise Invalid("The value must be no longer than 100000 characters.")
    return value


def _read_number(value: Any) -> int | float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type("int or float")
    if abs(value) > 10**30:
        raise Invalid("The value must not be larger than 1e30.")
    return value


def _read_date(value: str) -> str:
    """The day of an ISO 8601 date or datetime as it is written, in whatever zone."""
    try:
        return datetime.fromisoformat(value.strip()).date().isoformat()
    except ValueError:
        raise Invalid("Invalid ISO 8601 datetime.") from None
