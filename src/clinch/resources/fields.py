"""The kinds of field that a resource is declared with.

A field knows its column, how a value from a request is read, how it is written as JSON by the
database, which list filters it takes and how it is described to a client. `key` is its name in
the API, `alias` another that bodies may use; `error_key` the name under which a mistake is
reported.
"""

import copy
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from clinch.db.schema import Column
from clinch.resources.actor import Actor
from clinch.resources.errors import NO_CHOICE, NO_OBJECT, REQUIRED, Invalid, wrong_type

if TYPE_CHECKING:
    from clinch.resources.declaration import Resource

Json = Any
Writable = Literal["always", "create", "never"]
FilterOp = Literal["eq", "in", "gt", "gte", "lt", "lte"]

EQ: tuple[FilterOp, ...] = ("eq",)
EQ_IN: tuple[FilterOp, ...] = ("eq", "in")
RANGE: tuple[FilterOp, ...] = ("gt", "gte", "lt", "lte")

UNSET: Any = object()


class Output(Protocol):
    """What a field may ask of the composer that writes its JSON: links and other resources."""

    @property
    def public_url(self) -> str:
        """The base of links, as a quoted SQL literal."""
        ...

    @property
    def today(self) -> str:
        """The day it is where the actor is, as a SQL literal."""
        ...

    @property
    def tomorrow(self) -> str:
        """The moment when that day ends, as a SQL literal."""
        ...

    def one(self, target: str, row_id: str, key: str) -> str:
        """SQL for one field of the object of resource `target` whose id is the SQL `row_id`."""
        ...

    def many(self, children: "Children", row_id: str) -> str:
        """SQL for the JSON list of the children of the object whose id is the SQL `row_id`."""
        ...


class Field:
    """A stored value. Subclasses say how it is read; see the module's text for the names."""

    type_name: ClassVar[str] = "str"
    sql_type: ClassVar[str] = "text"
    stored: ClassVar[bool] = True
    json_type: ClassVar[str] = "string"

    def __init__(
        self,
        *,
        required: bool = False,
        nullable: bool = False,
        default: Json | Callable[[Actor], Json] = UNSET,
        writable: Writable = "always",
        filters: tuple[FilterOp, ...] = (),
        seen_with: str | None = None,
        optional: bool = False,
        shown: bool = True,
        derived: bool = False,
        key: str | None = None,
        alias: str = "",
        doc: str = "",
    ) -> None:
        self.required = required
        self.nullable = nullable
        self.default = default
        self.writable = writable
        self.filters = filters
        self.seen_with = seen_with
        self.optional = optional
        self.shown = shown
        self.derived = derived
        self.alias = alias
        self.doc = doc
        self._key = key

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.key = self._key or name
        self.error_key = name

    def bound_to(self, resource: "type[Resource]") -> Self:
        """A copy that belongs to `resource`, which inherits the field."""
        bound = copy.copy(self)
        bound.resource = resource
        return bound

    resource: "type[Resource]"

    @property
    def column(self) -> str:
        return self.key

    def columns(self) -> Sequence[Column]:
        return (Column(self.column, self.sql_type, self.nullable),) if self.stored else ()

    def initial(self, actor: Actor) -> Json:
        """The value of a new row that says nothing of this field."""
        if self.default is UNSET:
            return self.empty()
        return self.default(actor) if callable(self.default) else self.default

    def empty(self) -> Json:
        return None

    def parse(self, value: Json, actor: Actor) -> Json:
        """The value to store for `value` of a request's body; raises Invalid."""
        if value is None:
            if self.required:
                raise Invalid(REQUIRED)
            return self.empty()
        return self.read(value, actor)

    def read(self, value: Json, actor: Actor) -> Json:
        raise NotImplementedError

    def filter_value(self, text: str, actor: Actor) -> Json:
        """The value that a list filter compares with, as the driver wants it; raises Invalid."""
        return None if text == "" else text

    def output(self, row: str, out: Output) -> str:
        """SQL for the value as JSON, `row` being the alias of the table's row."""
        return f"{row}.{self.column}"

    def schema(self) -> dict[str, Json]:
        """JSON Schema (2020-12) of the value."""
        kind = [self.json_type, "null"] if self.nullable else self.json_type
        return {"type": kind} | ({"description": self.doc} if self.doc else {})


class Text(Field):
    """A string, trimmed; null and blank are stored as "" unless it is nullable."""

    def __init__(self, *, max: int = 100_000, min: int = 0, trim: bool = True, **rest: Any) -> None:
        super().__init__(**rest)
        self.max, self.min, self.trim = max, min, trim

    def empty(self) -> Json:
        return None if self.nullable else ""

    def parse(self, value: Json, actor: Actor) -> Json:
        # Null is blank here, and must not slip past what a blank text would be refused for.
        blank = value is None and not self.nullable and not self.required
        return super().parse("" if blank else value, actor)

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, str):
            raise wrong_type("str")
        if "\x00" in value:
            raise Invalid("The value must not contain null characters.")
        value = value.strip() if self.trim else value
        if self.required and not value:
            raise Invalid(REQUIRED)
        if len(value) > self.max:
            raise Invalid(f"The value must be no longer than {self.max} characters.")
        if len(value) < self.min:
            raise Invalid(f"The value must be at least {self.min} characters long.")
        return value or self.empty()


class Url(Text):
    """A web address; `http://` is added where the scheme is missing, blank is null."""

    _ADDRESS = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
    _SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d)", re.IGNORECASE)

    def __init__(self, **rest: Any) -> None:
        super().__init__(max=2000, **{"nullable": True, **rest})

    def read(self, value: Json, actor: Actor) -> Json:
        value = super().read(value, actor)
        if not value:
            return value
        if "://" not in value:
            if self._SCHEME.match(value):
                raise Invalid("This URL uses a scheme that's not allowed.")
            value = f"http://{value}"
        if not self._ADDRESS.fullmatch(value):
            scheme = value.partition("://")[0].lower()
            raise Invalid(
                "Invalid URL."
                if scheme in ("http", "https")
                else "This URL uses a scheme that's not allowed."
            )
        return value


class EmailAddress(Text):
    """An address of at most 254 characters, trimmed."""

    _ADDRESS = re.compile(
        r"[^\s@<>()\[\],;:\\\"]+@([^\s@.,;:<>()\[\]\\\"_]+\.)+[^\W\d_][\w-]{0,61}[^\W_]"
    )

    def read(self, value: Json, actor: Actor) -> Json:
        value = super().read(value, actor)
        if value and (len(value) > 254 or not self._ADDRESS.fullmatch(value)):
            raise Invalid("Invalid email address.")
        return value


class Choice(Text):
    """One of a fixed list of words."""

    def __init__(self, *choices: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.choices = choices

    def read(self, value: Json, actor: Actor) -> Json:
        if value not in self.choices:
            raise Invalid(NO_CHOICE)
        return value

    def schema(self) -> dict[str, Json]:
        return super().schema() | {"enum": [*self.choices, *([None] if self.nullable else [])]}


class Integer(Field):
    """A whole number between `min` and `max`."""

    sql_type = "bigint"
    json_type = "integer"

    def __init__(self, *, min: int = -(2**53), max: int = 2**53, **rest: Any) -> None:
        super().__init__(**rest)
        self.min, self.max = min, max

    def empty(self) -> Json:
        return None if self.nullable else 0

    def read(self, value: Json, actor: Actor) -> Json:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type("int")
        if value > self.max:
            raise Invalid(f"The value must not be larger than {self.max}.")
        if value < self.min:
            raise Invalid(f"The value must be at least {self.min}.")
        return value

    def filter_value(self, text: str, actor: Actor) -> Json:
        if text == "":
            return None
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise wrong_type("int")
        return int(text)


class Boolean(Field):
    """True or false."""

    sql_type = "boolean"
    json_type = "boolean"

    def empty(self) -> Json:
        return None if self.nullable else False

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, bool):
            raise wrong_type("bool")
        return value

    def filter_value(self, text: str, actor: Actor) -> Json:
        return None if text == "" else text.lower() != "false"


def parse_datetime(text: str, actor: Actor) -> datetime:
    """An ISO 8601 date or datetime in UTC; one without an offset is in the actor's zone."""
    try:
        if "\x00" in text:  # fromisoformat would read no further
            raise ValueError
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC) - actor.utc_offset
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("Invalid ISO 8601 datetime.") from None


def stored_time(moment: datetime) -> str:
    """A time as the database prints it inside JSON, so that equal times are equal texts."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    return text.rstrip("0").rstrip(".") + "+00:00"


class DateTime(Field):
    """A moment, stored in UTC."""

    sql_type = "timestamp with time zone"

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, str):
            raise Invalid("Invalid ISO 8601 datetime.")
        return stored_time(parse_datetime(value, actor))

    def filter_value(self, text: str, actor: Actor) -> Json:
        return None if text == "" else parse_datetime(text, actor)

    def output(self, row: str, out: Output) -> str:
        time = f"api_time({row}.{self.column})"
        return f"left({time}, 26)" if self.resource.naive_times else time

    def schema(self) -> dict[str, Json]:
        # A time without an offset is not what the format means.
        bound = getattr(self, "resource", None)
        naive = bound is not None and bound.naive_times
        return super().schema() | ({} if naive else {"format": "date-time"})


class Date(Field):
    """A day without a time."""

    sql_type = "date"

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, str):
            raise Invalid("Invalid ISO 8601 datetime.")
        if "T" in value or " " in value.strip():
            moment = parse_datetime(value, actor) + actor.utc_offset
            return moment.date().isoformat()
        return _parse_date(value).isoformat()

    def filter_value(self, text: str, actor: Actor) -> Json:
        return None if text == "" else _parse_date(text)

    def schema(self) -> dict[str, Json]:
        return super().schema() | {"format": "date"}


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise Invalid("Invalid ISO 8601 datetime.") from None


class Id(Field):
    """The object's own id."""

    sql_type = 'text collate "C"'

    def __init__(self, **rest: Any) -> None:
        super().__init__(writable="never", doc="The object's id.", **rest)


@dataclass(frozen=True, slots=True)
class Lookup:
    """How a reference is found when no id is sent: by its label under `body_key`, else the first.

    `label` is the target's field, `order` what makes one the first (keys with commas between),
    `unknown` the text for a label that nothing has. `within` is a key of the body and of the
    target that narrows the search.
    """

    order: str
    label: str = "id"
    body_key: str = ""
    unknown: str = NO_OBJECT
    within: str = ""


class Ref(Field):
    """A reference to another object of the same organization.

    `target` is a resource or, for one that is declared later, its name. `target_deleted` says what
    becomes of the object when its target goes: it goes with it, it lets go of it, or it keeps a
    target in use from being deleted. With `locks` a write
    of this object locks its target first, since it changes what the target sums up. `lookup`
    finds the target of a new object that names none. `enforced` makes it a foreign key.
    """

    sql_type = 'text collate "C"'

    def __init__(
        self,
        target: "type[Resource] | str",
        *,
        target_deleted: Literal["delete", "clear", "refuse"] = "refuse",
        locks: bool = False,
        enforced: bool = True,
        lookup: Lookup | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.target = target if isinstance(target, str) else target.noun
        self.target_deleted, self.locks, self.enforced = target_deleted, locks, enforced
        self.lookup = lookup

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.key = self._key or f"{name}_id"

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, str):
            raise wrong_type("str")
        if not value:
            return self.parse(None, actor)
        if "\x00" in value:
            raise Invalid(NO_OBJECT)
        return value


class Shown(Field):
    """A field of the object that `ref` points to, shown with this one: a label, a name."""

    stored = False

    def __init__(self, ref: Ref | str, target_key: Field | str, **rest: Any) -> None:
        super().__init__(writable="never", nullable=True, **rest)
        self._ref, self._target_key = ref, target_key

    @property
    def ref(self) -> Ref:
        key = self._ref if isinstance(self._ref, str) else self._ref.key
        return next(ref for ref in self.resource.refs if ref.key == key)

    def output(self, row: str, out: Output) -> str:
        key = self._target_key if isinstance(self._target_key, str) else self._target_key.key
        return out.one(self.ref.target, f"{row}.{self.ref.column}", key)


class Computed(Field):
    """A value made when it is read: SQL in which `{row}` is the row, `{org}` its tenant, `{today}`
    the actor's day, `{tomorrow}` the moment it ends and `{public_url}` the base of links."""

    stored = False

    def __init__(self, sql: str, *, json_type: str = "string", **rest: Any) -> None:
        super().__init__(writable="never", **rest)
        self._sql, self._json_type = sql, json_type

    def output(self, row: str, out: Output) -> str:
        return self._sql.format(
            row=row,
            org="$1",
            today=out.today,
            tomorrow=out.tomorrow,
            public_url=out.public_url,
        )

    def schema(self) -> dict[str, Json]:
        kind = [self._json_type, "null"] if self.nullable else self._json_type
        return super().schema() | {"type": kind}


class Children(Field):
    """The objects that refer to this one, inside it; they may be created with it.

    `target` is the name of their resource and `by` the key of their reference to this object, or
    "" for all that the organization has; `only` is SQL that they meet, `order` their column.
    """

    stored = False

    def __init__(
        self,
        target: str,
        by: str,
        *,
        order: str = "id",
        only: str = "true",
        most: int = 100,
        **rest: Any,
    ) -> None:
        super().__init__(**{"writable": "create", **rest})
        self.target, self.by, self.order, self.only, self.most = target, by, order, only, most

    def output(self, row: str, out: Output) -> str:
        return out.many(self, f"{row}.id")

    def schema(self) -> dict[str, Json]:
        return {"type": "array", "items": {"$ref": f"#/components/schemas/{self.target}"}}


class Item:
    """The declaration of one entry of a list field: `class Email(Item): email = EmailAddress()`."""

    fields: ClassVar[dict[str, Field]] = {}

    def __init_subclass__(cls) -> None:
        cls.fields = {f.key: f for f in vars(cls).values() if isinstance(f, Field)}

    @classmethod
    def completed(cls, entry: dict[str, Json], actor: Actor) -> dict[str, Json]:
        """The entry with what follows from it; raises Invalid with the item's error object."""
        return entry


class ListOf(Field):
    """A list of items, stored as one JSON value and replaced as a whole."""

    sql_type = "jsonb"
    json_type = "array"
    type_name = "list"

    def __init__(self, item: type[Item], *, most: int = 100, **rest: Any) -> None:
        super().__init__(**rest)
        self.item, self.most = item, most

    def empty(self) -> Json:
        return []

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, list):
            raise wrong_type("list")
        if len(value) > self.most:
            raise Invalid("List is too long.")
        return read_each(value, lambda entry: self._entry(entry, actor))

    def _entry(self, entry: Json, actor: Actor) -> Json:
        if not isinstance(entry, dict):
            raise wrong_type("dict")
        read, problems = {}, {}
        for key, field in self.item.fields.items():
            try:
                read[key] = (
                    field.parse(entry[key], actor)
                    if entry.get(key) is not None or (field.required and key in entry)
                    else _absent(field, actor)
                )
            except Invalid as error:
                problems[key] = error.problem
        if problems:
            raise Invalid({"errors": [], "field-errors": problems})
        return self.item.completed(read, actor)

    def schema(self) -> dict[str, Json]:
        properties = {key: field.schema() for key, field in self.item.fields.items()}
        required = [key for key, field in self.item.fields.items() if field.required]
        items = {"type": "object", "properties": properties, "required": required}
        return {"type": "array", "maxItems": self.most, "items": items}


def _absent(field: Field, actor: Actor) -> Json:
    if field.required:
        raise Invalid(REQUIRED)
    return field.initial(actor)


def read_each(values: list[Json], read: Callable[[Json], Json]) -> list[Json]:
    """Read each entry; mistakes are gathered as `{"errors": {"0": problem}}`."""
    good, problems = [], {}
    for position, value in enumerate(values):
        try:
            good.append(read(value))
        except Invalid as error:
            problems[str(position)] = error.problem
    if problems:
        raise Invalid({"errors": problems})
    return good


class Document(Field):
    """A JSON object kept as it is; for settings that only their own room reads."""

    sql_type = "jsonb"
    json_type = "object"

    def empty(self) -> Json:
        return None if self.nullable else {}

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, dict):
            raise wrong_type("dict")
        if "\\u0000" in json.dumps(value):
            raise Invalid("The value must not contain null characters.")
        return value
