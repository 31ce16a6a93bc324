"""Fields that tie an object to others, or are made of what they say."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clinch.resources.actor import Actor
from clinch.resources.errors import NO_OBJECT, Invalid, wrong_type
from clinch.resources.fields.field import Field, Json, Output
from clinch.resources.fields.values import parse_datetime

if TYPE_CHECKING:
    from clinch.resources.declaration import Resource


@dataclass(frozen=True, slots=True)
class Lookup:
    """How a reference is found when none is sent: by its label or id under `body_key`, else the
    first.

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
    finds the target of a new object that names none. `enforced` makes it a foreign key. `sharing`
    names a column in which the target must be as the object: a contact of the same lead. `acyclic`
    says that a resource, whose objects everybody sees, makes trees by it: none stands above itself.
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
        sharing: str | None = None,
        acyclic: bool = False,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.target = target if isinstance(target, str) else target.noun
        self.target_deleted, self.locks, self.enforced = target_deleted, locks, enforced
        self.lookup, self.sharing, self.acyclic = lookup, sharing, acyclic

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = self._key or f"{name}_id"
        super().__set_name__(owner, name)
        self.error_key = self._key.removesuffix("_id")

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

    @property
    def target_key(self) -> str:
        """The key, at the target, of what is shown."""
        return self._target_key if isinstance(self._target_key, str) else self._target_key.key

    def schema_of(self, shown: Field) -> dict[str, Json]:
        """JSON Schema of the value, given the target's field; null where there is no target."""
        schema = shown.schema()
        if "type" not in schema:
            return schema
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
        return schema | {"type": list(dict.fromkeys([*kinds, "null"]))} | enum

    def output(self, row: str, out: Output) -> str:
        field = out.field_of(self.ref.target, self.target_key)
        if field is None:
            return "null::text"
        other = out.joined(self.ref, row)
        value = field.output(other, out)
        # What is made of the columns of no object would not be null by itself.
        guarded = self.ref.nullable and not field.stored
        return f"case when {other}.id is not null then {value} end" if guarded else value


class Computed(Field):
    """A value made when it is read: SQL in which `{row}` is the row, `{org}` its tenant, `{today}`
    the actor's day, `{tomorrow}` the moment it ends, `{now}` the moment it is, `{public_url}` the
    base of links, `{organization}` the organization's row, and the name of a reference the row it
    points to.

    What other objects show of this one is made `once` a row where it takes looking up.
    """

    stored = False

    def __init__(
        self, sql: str, *, json_type: str = "string", once: bool = False, **rest: Any
    ) -> None:
        super().__init__(writable="never", **rest)
        self._sql, self._json_type, self._once = sql, json_type, once
        self.always_null = sql.startswith("null::")

    def output(self, row: str, out: Output) -> str:
        value = self._sql.format_map(_Words(self.resource, row, out))
        # Kept from being written out again wherever the value is named.
        return (
            f"{out.lateral(row, f'select {value} as value offset 0')}.value"
            if self._once
            else value
        )

    def schema(self) -> dict[str, Json]:
        kind = [self._json_type, "null"] if self.nullable else self._json_type
        return super().schema() | {"type": kind}


class ComputedTime(Computed):
    """A moment made when it is read: SQL as in `Computed`."""

    def output(self, row: str, out: Output) -> str:
        return f"api_time({super().output(row, out)})"

    def operand(self, row: str, out: Output) -> str:
        return super().output(row, out)

    def filter_value(self, text: str, actor: Actor) -> Json:
        return None if text == "" else parse_datetime(text, actor)

    def schema(self) -> dict[str, Json]:
        return super().schema() | {"format": "date-time"}


class _Words(dict[str, str]):
    """What the words in the SQL of a computed field stand for; joins are made as they are named."""

    def __init__(self, resource: "type[Resource]", row: str, out: Output) -> None:
        super().__init__(row=row, org="$1")
        self._resource, self._row, self._out = resource, row, out

    def __missing__(self, word: str) -> str:
        if word in ("today", "tomorrow", "now", "public_url", "organization"):
            value: str = getattr(self._out, word)
            return value
        ref = getattr(self._resource, word)
        return self._out.joined(ref, self._row)


class Children(Field):
    """The objects that refer to this one, inside it; they may be created with it.

    `target` is the name of their resource and `by` the key of their reference to this object, or
    "" for all that the organization has; `only` is SQL that they meet, `order` their column. The
    keys in `without` are left out of their answers.
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
        without: frozenset[str] = frozenset(),
        **rest: Any,
    ) -> None:
        super().__init__(**{"writable": "create", **rest})
        self.without = without
        self.target, self.by, self.order, self.only, self.most = target, by, order, only, most

    def output(self, row: str, out: Output) -> str:
        return f"{out.children(self, row)}.items"

    def json_text(self, row: str, out: Output) -> str:
        return self.output(row, out)

    def schema(self) -> dict[str, Json]:
        return {"type": "array", "items": {"$ref": f"#/components/schemas/{self.target}"}}


class ChildIds(Field):
    """The ids of the objects in a field of children, in their order."""

    stored = False
    json_type = "array"

    def __init__(self, children: Children, **rest: Any) -> None:
        super().__init__(writable="never", **rest)
        self._children = children

    def output(self, row: str, out: Output) -> str:
        return f"{out.children(self._children, row)}.ids"


class RollUp(Field):
    """What the objects that refer to this one come to, of those that the actor may see.

    `target` is the name of their resource and `by` the key of their reference to this object;
    `value` is an aggregate in SQL over `{row}`.
    """

    stored = False

    def __init__(
        self, target: str, by: str, value: str, *, json_type: str = "integer", **rest: Any
    ) -> None:
        super().__init__(writable="never", **rest)
        self.target, self.by, self.value, self._json_type = target, by, value, json_type

    def output(self, row: str, out: Output) -> str:
        return f"{out.rolled_up(self, row)}.{self.key}"

    def schema(self) -> dict[str, Json]:
        kind = [self._json_type, "null"] if self.nullable else self._json_type
        return super().schema() | {"type": kind}
