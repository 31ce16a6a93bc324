"""From a tree of conditions to SQL with bound parameters, and from a resource to its JSON.

`$1` is always the organization; every table of every statement, at every level, is held to it.
What the actor may not see is kept out here, once: hidden fields are refused in conditions and
orders and left out of the answer, invisible rows are not there.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from clinch.resources.actor import Actor
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.errors import Forbidden
from clinch.resources.fields import Children, Field, ListOf, Ref, Text
from clinch.resources.query.tree import (
    WORD_BREAKS,
    And,
    Count,
    Equal,
    Exists,
    Fragment,
    In,
    Node,
    Not,
    Or,
    Range,
    Related,
    Slice,
    TextMatch,
)
from clinch.resources.search_text import SEARCHED, fold

_MOST_JOINS = 6
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
        self._aliases = self._joins = 0

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
                return self._any(nodes, row)
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
            case Count(field, comparison, number):
                counted = self._count(field, row)
                return f"{counted} {_SIGNS[comparison]} {self.bind(number)}::bigint"
            case TextMatch():
                return self._text_match(node, row)
            case Fragment():
                return self._found((node,), row)
            case Slice(field, part, parts):
                hashed = f"hashtextextended({self._operand(field, row)}, 0) & {2**63 - 1}"
                return f"({hashed}) % {self.bind(parts)}::bigint = {self.bind(part - 1)}::bigint"

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
        return self._joined(f"exists (select {self._others(field, node, row)})")

    def _count(self, field: Children | ListOf, row: str) -> str:
        if isinstance(field, ListOf):
            return f"jsonb_array_length({self._operand(field, row)})"
        return f"(select count(*) {self._others(field, And(), row)})"

    def _others(self, field: Ref | Children, node: Node, row: str) -> str:
        """The `from` of the objects that the field leads to and that meet the node."""
        self._check(field)
        other = self._alias("r")
        target = self._declarations[field.target]
        link = (
            f"{other}.id = {row}.{field.column}"
            if isinstance(field, Ref)
            else f"{other}.{field.by} = {row}.id"
        )
        where = self.where(target, other, node)
        return f"from {target.table} {other} where {link} and {where}"

    def _any(self, nodes: tuple[Node, ...], row: str) -> str:
        """Any of the nodes; fragments of the same texts are looked for together."""
        together: dict[tuple[str, str], list[Fragment]] = {}
        for node in nodes:
            if isinstance(node, Fragment):
                together.setdefault((node.field.key, node.of), []).append(node)
        rest = tuple(node for node in nodes if not isinstance(node, Fragment))
        found = [self._found(fragments, row) for fragments in together.values()]
        parts = [*found, *(self._compile(node, row) for node in rest)]
        return f"({' or '.join(parts)})" if parts else "false"

    def _found(self, fragments: Sequence[Fragment], row: str) -> str:
        text, first = self._alias("s"), fragments[0]
        held = "lead_id" if first.of == "lead" else "id"
        tests = " or ".join(
            "(" + " and ".join(self._contains(f"{text}.text", part) for part in one.fragments) + ")"
            for one in fragments
        )
        return self._joined(
            f"{self._operand(first.field, row)} in (select {text}.{held} from {SEARCHED} {text}"
            f" where {text}.organization_id = any(array[$1::uuid]) and ({tests}){self._seen_texts(text)})"
        )

    def _joined(self, condition: str) -> str:
        """The condition, which is a join to the planner unless there are more than it can weigh.

        The time to plan grows with the factorial of the joins; the rest are asked row by row.
        """
        self._joins += 1
        return condition if self._joins <= _MOST_JOINS else f"({condition}) is true"

    def _contains(self, text: str, fragment: str) -> str:
        folded = fold([fragment])
        if _long_enough(folded):
            return f"{text} like {self.bind(f'%{_escape_like(folded)}%')}"
        return f"{text} ~ {self.bind(f'(^|[{WORD_BREAKS[1:-2]}]){re.escape(folded)}')}"

    def _seen_texts(self, text: str) -> str:
        """Keeps out the texts of objects that the actor may not see."""
        conditions = ""
        for resource in self._declarations:
            if resource.search_lead is None or resource.visible(self._actor) is None:
                continue
            other = self._alias("r")
            where = self.where(resource, other, And())
            conditions += (
                f" and (left({text}.id, {len(resource.prefix) + 1}) <> '{resource.prefix}_' or"
                f" exists (select from {resource.table} {other} where {other}.id = {text}.id"
                f" and {where}))"
            )
        return conditions

    def _text_match(self, node: TextMatch, row: str) -> str:
        operand = self._operand(node.field, row)
        if not node.item:
            return self._fits(operand, node)
        entry = self._alias("e")
        test = self._fits(f"({entry}.value ->> '{node.item}')", node)
        return f"exists (select from jsonb_array_elements({operand}) {entry} where {test})"

    def _fits(self, text: str, node: TextMatch) -> str:
        pattern = _escape_like(node.text)
        match node.mode:
            case "is":
                return f"lower({text}) = lower({self.bind(node.text)}::text)"
            case "ends":
                return f"lower({text}) like lower({self.bind(f'%{pattern}')}::text)"
            case "contains":
                return f"lower({text}) like lower({self.bind(f'%{pattern}%')}::text)"
        words = f" {' '.join(split_words(node.text))}" + (" " if node.mode == "words" else "")
        spaced = f"regexp_replace(lower({text}), '{WORD_BREAKS}', ' ', 'g')"
        return f"position(lower({self.bind(words)}::text) in ' ' || {spaced} || ' ') > 0"

    def _alias(self, kind: str) -> str:
        self._aliases += 1
        return f"{kind}{self._aliases}"

    def _operand(self, field: Field, row: str) -> str:
        self._check(field)
        return f"{row}.{field.column}" if field.stored else field.output(row, self._composer)

    def _check(self, field: Field) -> None:
        if not self._actor.may(field.seen_with):
            raise Forbidden(f"You do not have permission to use the field {field.key}.")


def split_words(text: str) -> list[str]:
    """The words of a text, as conditions on words tell them apart."""
    return [word for word in re.split(WORD_BREAKS, text) if word]


def _escape_like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _long_enough(fragment: str) -> bool:
    """Whether the index can find the fragment within words: it knows groups of three characters.

    Scripts without spaces have words of two, and no other way to begin one.
    """
    longest = max(re.findall(r"[^\W_]+", fragment), key=len, default="")
    return len(longest) >= 3 or (len(longest) == 2 and not fragment.isascii())
