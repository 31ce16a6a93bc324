"""Fields that tie an object to others, or are made of what they say."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clinch.resources.actor import Actor
from clinch.resources.errors import NO_OBJECT, Invalid, wrong_type
from clinch.resources.fields.field import Field, Json, Output

if TYPE_CHECKING:
    from clinch.resources.declaration import Resource


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
    finds the target of a new object that names none. `enforced` makes it a foreign key. `sharing`
    names a column in which the target must be as the object: a contact of the same lead.
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
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.target = target if isinstance(target, str) else target.noun
        self.target_deleted, self.locks, self.enforced = target_deleted, locks, enforced
        self.lookup, self.sharing = lookup, sharing

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
        field = out.field_of(self.ref.target, key)
        if field is None:
            return "null"
        other = out.joined(self.ref, row)
        value = field.output(other, out)
        # What is made of the columns of no object would not be null by itself.
        guarded = self.ref.nullable and not field.stored
        return f"case when {other}.id is not null then {value} end" if guarded else value


class Computed(Field):
    """A value made when it is read: SQL in which `{row}` is the row, `{org}` its tenant, `{today}`
    the actor's day, `{tomorrow}` the moment it ends, `{public_url}` the base of links,
    `{organization}` the organization's row, and the name of a reference the row it points to."""

    stored = False

    def __init__(self, sql: str, *, json_type: str = "string", **rest: Any) -> None:
        super().__init__(writable="never", **rest)
        self._sql, self._json_type = sql, json_type

    def output(self, row: str, out: Output) -> str:
        return self._sql.format_map(_Words(self.resource, row, out))

    def schema(self) -> dict[str, Json]:
        kind = [self._json_type, "null"] if self.nullable else self._json_type
        return super().schema() | {"type": kind}


class _Words(dict[str, str]):
    """What the words in the SQL of a computed field stand for; joins are made as they are named."""

    def __init__(self, resource: "type[Resource]", row: str, out: Output) -> None:
        super().__init__(row=row, org="$1")
        self._resource, self._row, self._out = resource, row, out

    def __missing__(self, word: str) -> str:
        if word in ("today", "tomorrow", "public_url", "organization"):
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
