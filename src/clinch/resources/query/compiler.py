"""From a tree of conditions to SQL with bound parameters, and from a resource to its JSON.

`$1` is always the organization; every table of every statement, at every level, is held to it.
What the actor may not see is kept out here, once: hidden fields are refused in conditions and
orders and left out of the answer, invisible rows are not there.
"""

from collections.abc import Iterable
from typing import Any

from clinch.resources.actor import Actor
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.errors import Forbidden
from clinch.resources.fields import Children, Field, Ref, Text
from clinch.resources.query.tree import (
    And,
    Equal,
    Exists,
    In,
    Node,
    Not,
    Or,
    Range,
    Related,
)

_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Composer:
    """Writes the JSON of objects as SQL, for one set of rights."""

    def __init__(self, declarations: Declarations, actor: Actor) -> None:
        self._declarations, self._actor = declarations, actor
        self._aliases = 0
        self.public_url = "'" + declarations.public_url.replace("'", "''") + "'"
        self.today = f"date '{actor.today().isoformat()}'"
        self.tomorrow = f"timestamptz '{actor.tomorrow().isoformat()}'"

    def columns(self, resource: type[Resource], row: str, keys: Iterable[str] | None) -> str:
        """The select list of one object: `keys`, or what is answered when none are named."""
        fields = [
            field
            for field in resource.fields.values()
            if field.shown
            and self._actor.may(field.seen_with)
            and (not field.optional if keys is None else field.key in keys)
        ]
        return ", ".join(f'{field.output(row, self)} as "{field.key}"' for field in fields)

    def object(self, resource: type[Resource], row: str, keys: Iterable[str] | None) -> str:
        """SQL for the text of one object's JSON, with its custom values."""
        columns = self.columns(resource, row, keys)
        plain = f"(select row_to_json(o)::text from (select {columns}) o)"
        custom = resource.custom_fields
        if custom is None:
            return plain
        definitions = self._declarations[custom.definitions]
        values = custom.text(row, definitions.table, definitions.only["kind"], keys)
        if not columns:
            return f"('{{' || substr({values}, 2) || '}}')"
        return f"(left({plain}, -1) || {values} || '}}')"

    def one(self, target: str, row_id: str, key: str) -> str:
        resource = self._declarations[target]
        field = resource.fields[key]
        if not self._actor.may(field.seen_with):
            return "null"
        row = self._alias()
        return (
            f"(select {field.output(row, self)} from {resource.table} {row}"
            f" where {row}.organization_id = $1 and {row}.id = {row_id}{self._only(resource, row)})"
        )

    def many(self, children: Children, row_id: str) -> str:
        resource = self._declarations[children.target]
        row, item = self._alias(), self._alias()
        link = f" and {row}.{children.by} = {row_id}" if children.by else ""
        link += self._only(resource, row)
        if resource.custom_fields is not None:
            return (
                f"('[' || coalesce((select string_agg({self.object(resource, row, None)}, ','"
                f" order by {row}.{children.order}, {row}.id) from {resource.table} {row}"
                f" where {row}.organization_id = $1{link} and {children.only.format(row=row)}), '')"
                " || ']')::json"
            )
        return (
            f"coalesce((select json_agg({item}) from (select {self.columns(resource, row, None)}"
            f" from {resource.table} {row} where {row}.organization_id = $1{link}"
            f" and {children.only.format(row=row)} order by {row}.{children.order}, {row}.id)"
            f" {item}), '[]')"
        )

    def _alias(self) -> str:
        self._aliases += 1
        return f"q{self._aliases}"

    @staticmethod
    def _only(resource: type[Resource], row: str) -> str:
        return "".join(f" and {row}.{name} = '{word}'" for name, word in resource.only.items())


class Conditions:
    """Compiles conditions and orders for one statement, and gathers its parameters."""

    def __init__(self, declarations: Declarations, actor: Actor) -> None:
        self._declarations, self._actor = declarations, actor
        self._composer = Composer(declarations, actor)
        self.parameters: list[Any] = [actor.organization_id]
        self._aliases = 0

    def bind(self, value: Any) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def where(self, resource: type[Resource], row: str, node: Node) -> str:
        """SQL that holds for the rows that meet the node and that the actor may see."""
        visible = resource.visible(self._actor)
        conditions = [f"{row}.organization_id = $1"]
        conditions += [f"{row}.{name} = '{word}'" for name, word in resource.only.items()]
        if visible is not None:
            conditions.append(self._compile(visible, row))
        if node != And():
            conditions.append(self._compile(node, row))
        return " and ".join(conditions)

    def order(self, resource: type[Resource], row: str, order: str) -> str:
        """`key` or `-key`, with commas between several, then the id in the last direction."""
        terms, direction = [], ""
        for key in order.split(","):
            direction = " desc" if key.startswith("-") else ""
            terms.append(self._operand(resource.fields[key.removeprefix("-")], row) + direction)
        return f"{', '.join(terms)}, {row}.id{direction}"

    def _compile(self, node: Node, row: str) -> str:
        match node:
            case And(nodes):
                return self._join(nodes, row, " and ", "true")
            case Or(nodes):
                return self._join(nodes, row, " or ", "false")
            case Not(inner):
                return f"({self._compile(inner, row)}) is not true"
            case Equal(field, None):
                return f"({self._exists(field, row)}) is not true"
            case Equal(field, value):
                return f"{self._operand(field, row)} = {self.bind(value)}"
            case In(field, values):
                return f"{self._operand(field, row)} = any({self.bind(list(values))})"
            case Range(field, comparison, value):
                return f"{self._operand(field, row)} {_SIGNS[comparison]} {self.bind(value)}"
            case Exists(field):
                return self._exists(field, row)
            case Related(field, inner):
                return self._related(field, inner, row)

    def _join(self, nodes: tuple[Node, ...], row: str, word: str, empty: str) -> str:
        if not nodes:
            return empty
        return "(" + word.join(self._compile(node, row) for node in nodes) + ")"

    def _exists(self, field: Field, row: str) -> str:
        operand = self._operand(field, row)
        if field.sql_type == "jsonb":
            return f"{operand} not in ('[]', '{{}}')"
        if isinstance(field, Text) and not field.nullable:
            return f"{operand} <> ''"
        return f"{operand} is not null"

    def _related(self, field: Ref | Children, node: Node, row: str) -> str:
        self._check(field)
        self._aliases += 1
        other = f"r{self._aliases}"
        target = self._declarations[field.target]
        link = (
            f"{other}.id = {row}.{field.column}"
            if isinstance(field, Ref)
            else f"{other}.{field.by} = {row}.id"
        )
        where = self.where(target, other, node)
        return f"exists (select from {target.table} {other} where {link} and {where})"

    def _operand(self, field: Field, row: str) -> str:
        self._check(field)
        return f"{row}.{field.column}" if field.stored else field.output(row, self._composer)

    def _check(self, field: Field) -> None:
        if not self._actor.may(field.seen_with):
            raise Forbidden(f"You do not have permission to use the field {field.key}.")
