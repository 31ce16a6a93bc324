"""What every kind of field has in common."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from clinch.db.schema import Column
from clinch.resources.actor import Actor, Link
from clinch.resources.errors import IMMUTABLE, REQUIRED, Invalid

if TYPE_CHECKING:
    from clinch.resources.declaration import Resource
    from clinch.resources.fields.relations import Children, Ref, RollUp

Json = Any
Writable = Literal["always", "create", "internally", "never"]
"""Who may set a field: requests at any time, when creating, only the program itself, nobody."""
BY_REQUEST: tuple[Writable, ...] = ("always", "create")
"""Those of them that are requests."""
FilterOp = Literal["eq", "in", "gt", "gte", "lt", "lte"]

EQ: tuple[FilterOp, ...] = ("eq",)
EQ_IN: tuple[FilterOp, ...] = ("eq", "in")
RANGE: tuple[FilterOp, ...] = ("gt", "gte", "lt", "lte")

UNSET: Any = object()

PACKED = Column("data", "jsonb", fill="'{}'")
"""The column that holds the fields of a row that have none of their own."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a derived column says of the objects that refer to its row.

    `sources` are their resources, by noun and of one table; `value` is an aggregate in SQL over
    `{row}`, `where` more that they meet. A reference of theirs `locks` what it is kept in.
    """

    sources: tuple[str, ...]
    value: str
    where: str = "true"


def literal(text: str) -> str:
    """SQL for a text, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"


class Output(Protocol):
    """What a field may ask of the composer that writes its JSON: links and other resources."""

    @property
    def links(self) -> tuple[Link, ...]:
        """The organization's links to other programs."""
        ...

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

    @property
    def now(self) -> str:
        """The moment that it is for the actor, as SQL."""
        ...

    @property
    def organization(self) -> str:
        """The alias of the organization's own row."""
        ...

    def joined(self, ref: "Ref", row: str) -> str:
        """The alias of the row that `ref` of `row` points to; its columns are null without one."""
        ...

    def field_of(self, target: str, key: str) -> "Field | None":
        """A field of the resource `target`, or None when there is none that the actor may see."""
        ...

    def definitions(self, noun: str) -> tuple[str, str]:
        """The table in which custom fields are defined, and the kind of these."""
        ...

    def lateral(self, row: str, select: str) -> str:
        """The alias of what `select` gives for each `row`; the same text is asked once."""
        ...

    def children(self, children: "Children", row: str) -> str:
        """The alias of a row that has the children of `row`: the text of their JSON as `items`,
        their `ids`."""
        ...

    def rolled_up(self, field: "RollUp", row: str) -> str:
        """The alias of a row that has what the field, and those over the same objects, come to for
        `row`, each under its key."""
        ...


class Field:
    """A stored value. Subclasses say how it is read; see the module's text for the names.

    `key` and `column` are the names in the API and in the table where they are not the attribute's.
    A `packed` field has no column of its own: it stands in the row's JSON column `data`. One that
    is `filled` has a value in every row: where null is sent, rules put one. A field with a
    `summary` is derived: the write path brings it up to date with what it sums up.
    """

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
        listed: bool = True,
        shown: bool = True,
        derived: bool = False,
        filled: bool = False,
        packed: bool = False,
        summary: "Summary | None" = None,
        key: str | None = None,
        column: str | None = None,
        alias: str = "",
        doc: str = "",
    ) -> None:
        self.required = required
        self.nullable = nullable
        self.default = default
        self.writable = writable
        self.filters = filters
        self.seen_with = seen_with
        self.optional, self.listed = optional, listed
        self.shown = shown
        self.derived = derived or summary is not None
        self.filled = filled
        self.packed = packed
        self.summary = summary
        self.alias = alias
        self.doc = doc
        self._key, self._column = key, column

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.key = self._key or name
        self.column = self._column or self.key
        self.error_key = name

    def bound_to(self, resource: "type[Resource]") -> Self:
        """A copy that belongs to `resource`, which inherits the field."""
        bound = copy.copy(self)
        bound.resource = resource
        return bound

    resource: "type[Resource]"

    def columns(self) -> Sequence[Column]:
        if not self.stored:
            return ()
        if self.packed:
            return (PACKED,)
        fill = self._fill()
        if self.summary is not None:
            default = fill.strip("'") if fill is not None else None
            return (Column(self.column, self.sql_type, self.nullable, default),)
        return (Column(self.column, self.sql_type, self.nullable, fill=fill),)

    def _fill(self) -> str | None:
        """The value of objects that are older than the field, as a SQL literal."""
        value = self.empty() if self.default is UNSET or callable(self.default) else self.default
        if value is None:
            return None
        return literal(value if isinstance(value, str) else json.dumps(value))

    @property
    def has_default(self) -> bool:
        return self.default is not UNSET

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
        """The value to store for one that is not null; a field that nobody writes refuses."""
        raise Invalid(IMMUTABLE)

    def filter_value(self, text: str, actor: Actor) -> Json:
        """The value that a list filter compares with, as the driver wants it; raises Invalid."""
        return None if text == "" else text

    def sql(self, row: str) -> str:
        """SQL for the stored value, `row` being the alias of the table's row."""
        if not self.packed:
            return f"{row}.{self.column}"
        if self.sql_type == "jsonb":
            value = f"{row}.data -> '{self.column}'"
        else:
            value = f"({row}.data ->> '{self.column}')::{self.sql_type}"
        fill = None if self.nullable else self._fill()
        return f"({value})" if fill is None else f"coalesce({value}, {fill})"

    def output(self, row: str, out: Output) -> str:
        """SQL for the value that is answered, `row` being the alias of the table's row."""
        return self.sql(row)

    def json_text(self, row: str, out: Output) -> str:
        """SQL for what stands for the value in the text of an object's JSON."""
        value = self.output(row, out)
        # A list is JSON already.
        return (
            f"coalesce({value if self.json_type == 'array' else f'json_scalar({value})'}, 'null')"
        )

    def operand(self, row: str, out: Output) -> str:
        """SQL for the value as conditions and orders compare it."""
        return self.sql(row) if self.stored else self.output(row, out)

    def schema(self) -> dict[str, Json]:
        """JSON Schema (2020-12) of the value."""
        kind = [self.json_type, "null"] if self.nullable else self.json_type
        return {"type": kind} | ({"description": self.doc} if self.doc else {})

    def limits(self) -> dict[str, Json]:
        """What JSON Schema says besides of a value that is sent."""
        return {}

    def sent_schema(self) -> dict[str, Json]:
        """JSON Schema of a value that is sent."""
        return self.schema() | self.limits()
