"""From a tree of conditions to SQL with bound parameters.

`$1` is always the organization; every table of every statement, at every level, is held to it.
For an actor who does not see every lead `$2` is their user, then the fields that assign leads.
What the actor may not see is kept out here, once: hidden fields are refused in conditions and
orders, invisible rows are not there.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clinch.db.database import Due
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import CustomFields
from clinch.resources.custom_values import MEASURED, CustomValue, measure
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.errors import Forbidden
from clinch.resources.fields import Children, Field, ListOf, Ref, Shown, Text
from clinch.resources.query.composer import Composer
from clinch.resources.query.tree import (
    Above,
    And,
    Assigned,
    Count,
    Equal,
    Exists,
    Fragment,
    Has,
    In,
    Listed,
    Mine,
    Node,
    Not,
    Or,
    Range,
    Related,
    Slice,
    TextMatch,
)
from clinch.resources.query.words import contains, fits
from clinch.resources.search_text import SEARCHED
from clinch.resources.visibility import ASSIGNED

_MOST_JOINS = 6
_VIEWER = "$2::text[]"
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Conditions:
    """Compiles conditions and orders for one statement, and gathers its parameters.

    `logged` says that rows may come from the log, so that a table need not have them any more.
    `now` is SQL for the moment that it is; without it, that of the actor's clock.
    """

    def __init__(
        self, declarations: Declarations, actor: Actor, *, logged: bool = False, now: str = ""
    ) -> None:
        self._declarations, self._actor, self._logged = declarations, actor, logged
        self.composer = Composer(declarations, actor, self._visible, self.now)
        self._now = self.given_now = now
        self.parameters: list[Any] = [actor.organization_id]
        if actor.visibility is not None:
            self.parameters.append([actor.user_id, *actor.visibility.fields])
        self._aliases = self._joins = self._within = 0

    def bind(self, value: Any) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    @property
    def is_timed(self) -> bool:
        """Whether the statement asks for the moment of the actor's clock."""
        return self._now != self.given_now

    def now(self) -> str:
        """SQL for the moment that it is, one and the same in all of the statement."""
        if not self._now:
            self._now = self.bind(self._actor.clock()) + "::timestamptz"
        return self._now

    def assertion(self, due: Due) -> str:
        """The condition of an outermost `select` that asserts a credential that is due.

        There nothing lets the database leave it out, as a limit of 0 would further in.
        """
        if not due:
            return ""
        credential, version = map(self.bind, due)
        return f" where (select assert_credential({credential}, {version}))"

    def where(self, resource: type[Resource], row: str, node: Node) -> str:
        """SQL that holds for the rows that meet the node and that the actor may see."""
        return " and ".join([self.known(resource, row, node), *self._visible(resource, row)])

    def apart(self, resource: type[Resource], row: str, node: Node) -> str:
        """The same for a query within the statement, whose joins are planned by themselves."""
        self._joins = 0
        return self.where(resource, row, node)

    def known(self, resource: type[Resource], row: str, node: Node) -> str:
        """The same of rows that the actor is known to see."""
        conditions = [f"{row}.organization_id = $1"]
        conditions += [f"{row}.{name} = '{word}'" for name, word in resource.only.items()]
        conditions += self.viewer_typed()
        if node != And():
            conditions.append(self._compile(node, row))
        return " and ".join(conditions)

    def viewer_typed(self) -> list[str]:
        """A condition that holds, and by which the type of `$2` is known where no other asks it."""
        return [f"{_VIEWER} is not null"] if self._actor.visibility is not None else []

    def _visible(self, resource: type[Resource], row: str) -> list[str]:
        """SQL that holds for the rows that the actor may see, or nothing when that is all."""
        visible = self._declarations.visible(resource, self._actor)
        return [] if visible is None else [self._compile(visible, row)]

    def order(self, resource: type[Resource], row: str, order: str) -> str:
        """`key` or `-key`, with commas between several, then the id in the last direction. Objects
        without a value come last in both."""
        terms, direction = [], ""
        for key in order.split(","):
            field = resource.fields[key.removeprefix("-")]
            direction = " desc" if key.startswith("-") else ""
            last = " nulls last" if direction and field.nullable and not field.filled else ""
            terms.append(self._operand(field, row) + direction + last)
        return f"{', '.join(terms)}, {row}.id{direction}"

    def _compile(self, node: Node, row: str) -> str:
        match node:
            case And(nodes):
                return self._all(nodes, row)
            case Or(nodes):
                return self._any(nodes, row)
            case Not(inner):
                return f"({self._compile(inner, row)}) is not true"
            case Equal(field, None):
                return f"({self._exists(field, row)}) is not true"
            case (
                Equal(Shown() as shown)
                | In(Shown() as shown)
                | Range(Shown() as shown)
                | TextMatch(Shown() as shown)
            ):
                return self._of_shown(shown, node, row)
            case Equal(field, value):
                return f"{self._operand(field, row)} = {self.bind(value)}"
            case In(field, values):
                return f"{self._operand(field, row)} = any({self.bind(list(values))})"
            case Range(CustomValue() as custom):
                return self._measured(custom, (node,), row)
            case Range(field, comparison, value):
                return f"{self._operand(field, row)} {_SIGNS[comparison]} {self.bind(value)}"
            case Exists(field):
                return self._exists(field, row)
            case Has(field, text):
                self._check(field)
                return f"{field.entries(row)} ? {self.bind(text)}"
            case Related(field, inner):
                return self._related(field, inner, row)
            case Above(ref, inner):
                return self._above(ref, inner, row)
            case Count(field, comparison, number):
                counted = self._count(field, row)
                return f"{counted} {_SIGNS[comparison]} {self.bind(number)}::bigint"
            case TextMatch():
                return self._text_match(node, row)
            case Fragment():
                return self._found((node,), row)
            case Listed():
                return self._listed(node, row)
            case Mine(field):
                return f"{self._operand(field, row)} = {self._viewer()}"
            case Assigned(field):
                return self._assigned(field, row)
            case Slice(field, part, parts):
                hashed = f"hashtextextended({self._operand(field, row)}, 0) & {2**63 - 1}"
                return f"({hashed}) % {self.bind(parts)}::bigint = {self.bind(part - 1)}::bigint"

    def _all(self, nodes: tuple[Node, ...], row: str) -> str:
        """All of the nodes; the ends of a custom field's range are looked for together."""
        together: dict[CustomValue, list[Range]] = {}
        rest = []
        for node in nodes:
            match node:
                case Range(CustomValue() as custom):
                    together.setdefault(custom, []).append(node)
                case _:
                    rest.append(node)
        parts = [self._measured(field, ranges, row) for field, ranges in together.items()]
        parts += [self._compile(node, row) for node in rest]
        return f"({' and '.join(parts)})" if parts else "true"

    def _measured(self, field: CustomValue, ranges: Sequence[Range], row: str) -> str:
        """The custom field's value is in all of the ranges."""
        value = self._alias("v")
        self._check(field)
        tests = " and ".join(
            f"{value}.{column} {_SIGNS[one.comparison]} {self.bind(bound)}"
            for one in ranges
            for column, bound in (measure(one.value),)
        )
        return self._joined(
            f"{row}.id in (select {value}.object_id from {MEASURED} {value}"
            f" where {value}.organization_id = any(array[$1::uuid])"
            f" and {value}.field_id = {self.bind(field.id)} and {tests})"
        )

    def _exists(self, field: Field, row: str) -> str:
        operand = self._operand(field, row)
        if field.sql_type == "jsonb":
            return f"{operand} not in ('[]', '{{}}')"
        if isinstance(field, Text) and not field.nullable:
            return f"{operand} <> ''"
        return f"{operand} is not null"

    def _of_shown(self, shown: Shown, node: Equal | In | Range | TextMatch, row: str) -> str:
        """The node of what the object shows of another, asked of the others: those that meet it
        are found once, where it would be looked up for each object."""
        self._check(shown)
        field = self.composer.field_of(shown.ref.target, shown.target_key)
        return self._related(shown.ref, replace(node, field=field), row) if field else "false"

    def _related(self, field: Ref | Children | CustomValue, node: Node, row: str) -> str:
        self._within += 1
        others = self._others(field, node, row)
        self._within -= 1
        if self._within and self._joins >= _MOST_JOINS:
            # An `exists` that is no join is planned in two ways, and so is each in it, in both.
            return f"(select true {others} limit 1) is true"
        return self._joined(f"exists (select {others})")

    def _above(self, ref: Ref, node: Node, row: str) -> str:
        chain, below, step = self._alias("c"), self._alias("r"), self._alias("r")
        table, up = ref.resource.table, ref.column
        return (
            f"{row}.id in (with recursive {chain}(id) as (select {below}.{up} from {table} {below}"
            f" where {self.where(ref.resource, below, node)} union"
            f" select {step}.{up} from {chain} join {table} {step} on {step}.id = {chain}.id"
            f" where {self.where(ref.resource, step, And())}) select {chain}.id from {chain})"
        )

    def _count(self, field: Children | ListOf, row: str) -> str:
        if isinstance(field, ListOf):
            return f"jsonb_array_length({self._operand(field, row)})"
        return f"(select count(*) {self._others(field, And(), row)})"

    def _others(self, field: Ref | Children | CustomValue, node: Node, row: str) -> str:
        """The `from` of the objects that the field leads to and that meet the node."""
        self._check(field)
        other = self._alias("r")
        target = self._declarations[field.target]
        goes_with = isinstance(field, Children) and self._goes_with(target, field.by)
        where = (self.known if goes_with else self.where)(target, other, node)
        return f"from {target.table} {other} where {_link(field, target, row, other)} and {where}"

    def _goes_with(self, resource: type[Resource], key: str) -> bool:
        """Whether who sees an object sees all those of `resource` that refer to it by the key."""
        parents = [ref.key for ref in self._declarations.parents(resource)]
        return parents == [key] and resource.visible(self._actor) is None

    def _listed(self, node: Listed, row: str) -> str:
        other, holder = self._alias("r"), node.list.resource
        values = f"jsonb_array_elements_text({other}.{node.list.column})"
        where = self.where(holder, other, node.node)
        operand = self._operand(node.field, row)
        return f"{operand} in (select {values} from {holder.table} {other} where {where})"

    def _viewer(self) -> str:
        """SQL for the actor's user."""
        restricted = self._actor.visibility is not None
        return f"({_VIEWER})[1]" if restricted else self.bind(self._actor.user_id)

    def _assigned(self, field: CustomFields, row: str) -> str:
        """Found by the index over all custom values or, for rows of the log, in the row itself."""
        visibility = self._actor.visibility
        if visibility is None:
            return "true"
        held = self._alias("a")
        values = f"{row}.{field.column}" if self._logged else f"{held}.custom"
        names = [f"({_VIEWER})[{number + 2}]" for number in range(len(visibility.fields))]
        found = " or ".join(
            f"{values} @> jsonb_build_object({name}, {user})"
            for name in names
            for user in (self._viewer(), f"jsonb_build_array({self._viewer()})")
        )
        if not self._logged:
            found = (
                f"{row}.id in (select {held}.id from {ASSIGNED} {held}"
                f" where {held}.organization_id = any(array[$1::uuid]) and ({found}))"
            )
        if visibility.unassigned:
            found += f" or ({row}.{field.column} ?| ({_VIEWER})[2:]) is not true"
        return f"({found})"

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
            "("
            + " and ".join(contains(f"{text}.text", part, self.bind) for part in one.fragments)
            + ")"
            for one in fragments
        )
        return self._joined(
            f"{self._operand(first.field, row)} in (select {text}.{held} from {SEARCHED} {text}"
            f" where {text}.organization_id = any(array[$1::uuid]) and ({tests})"
            f"{self._seen_texts(text) if first.of == 'lead' else ''})"
        )

    def _joined(self, condition: str) -> str:
        """The condition, which is a join to the planner unless there are more than it can weigh.

        The time to plan grows with the factorial of the joins; the rest are asked row by row.
        """
        self._joins += 1
        return condition if self._joins <= _MOST_JOINS else f"({condition}) is true"

    def _seen_texts(self, text: str) -> str:
        """Keeps out the texts of a lead's objects that not everybody sees who sees the lead."""
        conditions = ""
        for resource in self._declarations:
            lead = resource.search_lead
            seen = self._declarations.visible(resource, self._actor)
            if lead is None or lead == "id" or seen is None or self._goes_with(resource, lead):
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
            return fits(operand, node.mode, node.text, self.bind)
        entry = self._alias("e")
        test = fits(f"({entry}.value ->> '{node.item}')", node.mode, node.text, self.bind)
        return f"exists (select from jsonb_array_elements({operand}) {entry} where {test})"

    def _alias(self, kind: str) -> str:
        self._aliases += 1
        return f"{kind}{self._aliases}"

    def _operand(self, field: Field, row: str) -> str:
        self._check(field)
        return self.composer.alone(field, row)

    def _check(self, field: Field) -> None:
        if not self._actor.may(field.seen_with):
            raise Forbidden(f"You do not have permission to use the field {field.key}.")


def _link(field: Ref | Children | CustomValue, target: type[Resource], row: str, other: str) -> str:
    """SQL that holds where the field leads from the row to the other."""
    match field:
        case Ref():
            return f"{other}.id = {field.sql(row)}"
        case Children():
            return f"{other}.{target.fields[field.by].column} = {row}.id"
        case CustomValue():
            return f"{field.entries(row)} ? {other}.id"
