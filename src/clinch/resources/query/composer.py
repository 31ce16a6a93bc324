"""From a resource to the SQL of its JSON: which columns, which other tables, which objects inside.

`$1` is always the organization; every table, at every level, is held to it. What the actor may
not see is left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clinch.resources.actor import Actor
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.fields import Children, Field, Ref, RollUp, literal

# No function takes more arguments.
_MOST_ARGUMENTS = 100


@dataclass(frozen=True, slots=True)
class Composed:
    """SQL for the text of an object's JSON, and the joins that it needs after the row's table."""

    text: str
    joins: str


@dataclass(slots=True)
class _Scope:
    """The rows that one FROM clause has brought in, by the row and column that refer to them; `row`
    is the one that it is about."""

    row: str
    rows: dict[tuple[str, str], str] = field(default_factory=dict)
    joins: list[str] = field(default_factory=list)


class Composer:
    """Writes the JSON of objects as SQL, for one set of rights.

    `visible` gives conditions, in SQL, that hold for the rows of a resource that the actor may see;
    `now` the moment that it is for the actor.
    """

    def __init__(
        self,
        declarations: Declarations,
        actor: Actor,
        visible: Callable[[type[Resource], str], list[str]],
        now: Callable[[], str],
    ) -> None:
        self._declarations, self._actor, self._visible = declarations, actor, visible
        self._now = now
        self._aliases = 0
        self._scopes: list[_Scope] = []
        self.public_url = literal(declarations.public_url)
        self.links = actor.links
        self.today = f"date '{actor.today().isoformat()}'"
        self.tomorrow = f"timestamptz '{actor.tomorrow().isoformat()}'"

    def object(self, resource: type[Resource], row: str, keys: Iterable[str] | None) -> Composed:
        """The JSON of the row `row`: `keys`, or what is answered when none are named."""
        self._scopes.append(_Scope(row))
        text = self._text(resource, row, keys)
        return Composed(text, " ".join(self._scopes.pop().joins))

    def _text(self, resource: type[Resource], row: str, keys: Iterable[str] | None) -> str:
        if resource.variants:
            texts = {v: self._text(v, row, keys) for v in resource.variants.values()}
            whens = (f"when {_is_of(variant, row)} then {text}" for variant, text in texts.items())
            return f"case {' '.join(whens)} end"
        return self._json(resource, row, keys)

    def alone(self, field: Field, row: str) -> str:
        """SQL for one field as it is compared, in a statement that has no joins for it."""
        self._scopes.append(_Scope(row))
        value = field.operand(row, self)
        joins = self._scopes.pop().joins
        if not joins:
            return value
        return f"(select {value} from (select) nothing {' '.join(joins)})"

    @property
    def now(self) -> str:
        return self._now()

    @property
    def organization(self) -> str:
        """The alias of the organization's own row, joined once for all levels."""
        outermost = self._scopes[0]
        if ("organization", "") not in outermost.rows:
            outermost.rows["organization", ""] = "org"
            outermost.joins.insert(0, "left join organization org on org.organization_id = $1")
        return "org"

    def joined(self, ref: Ref, row: str) -> str:
        """The alias of the row that `ref` of `row` points to; all of its columns are null when
        there is none."""
        scope = self._scope_of(row)
        known = scope.rows.get((row, ref.column))
        if known is not None:
            return known
        alias, target = self._alias(), self._declarations[ref.target]
        scope.rows[row, ref.column] = alias
        # How many rows a page has is not known when it is planned: without the fence the planner
        # expects a tenth of all, and reads whole tables for what they refer to.
        scope.joins.append(
            f"left join lateral (select * from {target.table} {alias}"
            f" where {alias}.organization_id = $1 and {alias}.id = {ref.sql(row)}"
            f"{self._seen(target, alias)} offset 0) {alias} on true"
        )
        return alias

    def lateral(self, row: str, select: str) -> str:
        """The alias of what `select` gives for each `row`; the same text is asked once."""
        scope, place = self._scope_of(row), (row, select)
        if place not in scope.rows:
            alias = scope.rows[place] = self._alias()
            scope.joins.append(f"cross join lateral ({select}) {alias}")
        return scope.rows[place]

    def field_of(self, target: str, key: str) -> Field | None:
        """A field of another resource, or None when there is none that the actor may see."""
        field = self._declarations[target].fields.get(key)
        return field if field is not None and self._actor.may(field.seen_with) else None

    def definitions(self, noun: str) -> tuple[str, str]:
        """The table in which custom fields are defined, and the kind of these."""
        resource = self._declarations[noun]
        return resource.table, resource.only["kind"]

    def children(self, children: Children, row: str) -> str:
        """The alias of a row that has the children of the object `row`: the text of their JSON as
        `items`, their ids as `ids`."""
        scope, place = self._scopes[-1], (row, f"children {children.key}")
        known = scope.rows.get(place)
        if known is not None:
            return known
        resource = self._declarations[children.target]
        alias = scope.rows[place] = self._alias()
        child = self._alias()
        # What they refer to by that is the object itself, which need not be looked up again.
        parent = {(child, resource.fields[children.by].column): row} if children.by else {}
        self._scopes.append(_Scope(child, parent))
        json = self._json(resource, child, _without(resource, children.without))
        joins = " ".join(self._scopes.pop().joins)
        by = resource.fields[children.by].column if children.by else ""
        link = f" and {child}.{by} = {row}.id" if by else ""
        order = f"order by {child}.{children.order}, {child}.id"
        scope.joins.append(
            "cross join lateral (select"
            f" concat('[', string_agg({json}, ',' {order}), ']') as items,"
            f" coalesce(json_agg({child}.id {order}), '[]') as ids"
            f" from {resource.table} {child} {joins}"
            f" where {child}.organization_id = $1{link}{self._seen(resource, child)}"
            f" and {children.only.format(row=child)}) {alias}"
        )
        return alias

    def rolled_up(self, field: RollUp, row: str) -> str:
        """The alias of a row that has what the field, and those over the same objects, come to for
        `row`, each under its key."""
        scope, place = self._scope_of(row), (row, f"rolled up {field.target} {field.by}")
        known = scope.rows.get(place)
        if known is not None:
            return known
        alias, other = self._alias(), self._alias()
        resource = self._declarations[field.target]
        values = ", ".join(
            f"{one.value.format(row=other)} as {one.key}"
            for one in field.resource.fields.values()
            if isinstance(one, RollUp) and (one.target, one.by) == (field.target, field.by)
        )
        scope.rows[place] = alias
        scope.joins.append(
            f"cross join lateral (select {values} from {resource.table} {other}"
            f" where {other}.organization_id = $1"
            f" and {other}.{resource.fields[field.by].column} = {row}.id"
            f"{self._seen(resource, other)}) {alias}"
        )
        return alias

    def _json(self, resource: type[Resource], row: str, keys: Iterable[str] | None) -> str:
        """SQL for the text of the row's JSON, with its custom values first."""
        custom = resource.custom_fields
        values = custom.values(row, self, keys) if custom is not None else None
        flat = None if values is None else f"{self.lateral(row, values)}.flat"
        pieces = ["'{'"]
        shown = self._fields(resource, keys)
        if flat is not None:
            pieces.append(flat if shown else f"rtrim({flat}, ',')")
        for place, one in enumerate(shown):
            pieces.append(literal(f'{"," * (place > 0)}"{one.key}":'))
            pieces.append(one.json_text(row, self))
        return _concat([*pieces, "'}'"])

    def _fields(self, resource: type[Resource], keys: Iterable[str] | None) -> list[Field]:
        return [
            field
            for field in resource.fields.values()
            if field.shown
            and self._actor.may(field.seen_with)
            and (not field.optional if keys is None else field.key in keys)
        ]

    def _seen(self, resource: type[Resource], row: str) -> str:
        """What narrows the rows of a table to those of the resource that the actor may see."""
        conditions = [f"{row}.{name} = '{word}'" for name, word in resource.only.items()]
        conditions += self._visible(resource, row)
        return "".join(f" and {condition}" for condition in conditions)

    def _scope_of(self, row: str) -> _Scope:
        """Where what is looked up for `row` is joined: at its own level, which may be an outer."""
        return next((scope for scope in self._scopes if scope.row == row), self._scopes[-1])

    def _alias(self) -> str:
        self._aliases += 1
        return f"q{self._aliases}"


def _without(resource: type[Resource], left_out: frozenset[str]) -> list[str] | None:
    """The keys that are answered by default but for some; None where these are none."""
    fields = resource.fields.items()
    return [k for k, f in fields if not f.optional and k not in left_out] if left_out else None


def _is_of(resource: type[Resource], row: str) -> str:
    """That a row of the table, which others share, is one of the resource."""
    return " and ".join(f"{row}.{name} = '{word}'" for name, word in resource.only.items())


def _concat(pieces: list[str]) -> str:
    """SQL for the texts one after the other, each copied but once; a null is left out."""
    while len(pieces) > _MOST_ARGUMENTS:
        first, pieces = pieces[:_MOST_ARGUMENTS], pieces[_MOST_ARGUMENTS:]
        pieces = [f"concat({', '.join(first)})", *pieces]
    return f"concat({', '.join(pieces)})"
