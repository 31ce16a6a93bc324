"""The search language of a list's `query` parameter: from what people type to conditions."""

import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from clinch.resources.actor import Actor
from clinch.resources.custom_values import CustomValue
from clinch.resources.declaration import Resource
from clinch.resources.errors import BadRequest, Invalid
from clinch.resources.fields import Id
from clinch.resources.query.tree import EVERYTHING, And, Comparison, Node, Not, Or, Related, Slice
from clinch.search.custom_terms import custom_term
from clinch.search.declared_terms import Vocabulary
from clinch.search.grammar import (
    All,
    Condition,
    Either,
    Expression,
    Nested,
    No,
    Operator,
    Query,
    Value,
    Words,
    read_query,
)
from clinch.search.terms import AnyOf, CountTerm, Term
from clinch.search.vocabulary import SEARCHABLE, vocabulary

CustomFields = Callable[[type[Resource], str], Sequence[CustomValue]]
"""Finds the fields that the organization added to a resource, by their id or name: several where
each type of the resource has one of the name."""

_COMPARISONS: dict[Operator, Comparison] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_PUNCTUATION = frozenset(string.punctuation)


@dataclass(frozen=True, slots=True)
class Search:
    """What a text asks for: a condition, and an order as `Page.order` has it, "" for the usual."""

    where: Node = EVERYTHING
    order: str = ""


class UnknownName(BadRequest):
    """The text asks for something by a name that means nothing; it may be a custom field's."""

    def __init__(self, name: str) -> None:
        super().__init__(f'The query asks for "{name[:100]}", which is no field here.')


def no_custom_fields(resource: type[Resource], name: str) -> Sequence[CustomValue]:
    return ()


def named_fields(text: str) -> list[str]:
    """The names in a text that could be those of custom fields."""
    return list(dict.fromkeys(map(_custom_name, _names(read_query(text).expression))))


def _names(expression: Expression) -> Iterator[str]:
    match expression:
        case All(parts) | Either(parts):
            for part in parts:
                yield from _names(part)
        case No(part) | Nested(_, part):
            yield from _names(part)
        case Condition(name, _, values):
            yield name
            if _spelled(name) == "has":
                yield from (value.text for value in values)


def searchable(resource: type[Resource]) -> bool:
    """Whether a list of the resource takes a `query`."""
    return resource.noun in SEARCHABLE


def parse(
    text: str,
    resource: type[Resource],
    actor: Actor,
    custom_fields: CustomFields = no_custom_fields,
) -> Search:
    """What the text asks for; raises BadRequest for one that cannot be read, and that is
    UnknownName for a name that neither the resource nor `custom_fields` knows.

    Dates are read with the actor's clock and zone, `me` is the actor's user. What the actor may
    see is left to the compiler of the tree.
    """
    known = vocabulary(resource.noun)
    if known is None:
        raise BadRequest(f"There is no search language for {resource.noun}.")
    query = read_query(text)
    where = _Translator(known, actor, custom_fields).node(query.expression)
    id = resource.fields["id"]
    if query.slices and isinstance(id, Id):
        where = And((where, *(Slice(id, part, parts) for part, parts in query.slices)))
    return Search(where, _order(query, known))


def _order(query: Query, known: Vocabulary) -> str:
    keys = []
    for name in query.sorts:
        key = known.sorts.get(_spelled(name.removeprefix("-")))
        if key is None:
            raise BadRequest(f'The query sorts by "{name[:100]}", which is no order.')
        keys.append(("-" if name.startswith("-") else "") + key)
    return ",".join(dict.fromkeys(keys))


def _spelled(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


@dataclass(frozen=True, slots=True)
class _Translator:
    """Gives the names of an expression their meaning, for one resource."""

    known: Vocabulary
    actor: Actor
    custom_fields: CustomFields

    def node(self, expression: Expression) -> Node:
        match expression:
            case Words(text):
                return self._words(text)
            case All(parts):
                return And(tuple(map(self.node, dict.fromkeys(parts))))
            case Either(parts):
                return Or(tuple(map(self.node, dict.fromkeys(parts))))
            case No(part):
                return Not(self.node(part))
            case Nested(name, inner):
                return self._nested(name, inner)
            case Condition(name, operator, values):
                return self._condition(name, operator, values)

    def _words(self, text: str) -> Node:
        text = text.strip().strip("*")
        # A dash or an ampersand between words is how names are written, not what is looked for.
        return EVERYTHING if set(text) <= _PUNCTUATION else self.known.free(text)

    def _nested(self, name: str, inner: Expression) -> Node:
        return self._related(name, lambda other: replace(self, known=other).node(inner))

    def _related(self, name: str, meets: Callable[[Vocabulary], Node]) -> Node:
        """An object of the named scope meets the condition that is made for its vocabulary."""
        nodes: list[Node] = []
        for link in self.known.scopes.get(_spelled(name), ()):
            other = vocabulary(link.target)
            if other is not None:
                nodes.append(Related(link, meets(other)))
        if not nodes:
            raise UnknownName(name)
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _condition(self, name: str, operator: Operator, values: tuple[Value, ...]) -> Node:
        try:
            if _spelled(name) == "has":
                return Or(tuple(self._has(value.text) for value in values))
            return _asked(self._term(name), operator, values, self.actor)
        except Invalid as error:
            raise BadRequest(f"The query's {name[:100]}: {error.problem}") from None

    def _has(self, name: str) -> Node:
        counted = isinstance(self.known.terms.get(_spelled(name)), CountTerm)
        if _spelled(name) in self.known.scopes and not counted:
            return self._related(name, lambda _: EVERYTHING)
        return self._term(name).given()

    def _term(self, name: str) -> Term:
        term = self.known.terms.get(_spelled(name))
        if term is None:
            own = self.custom_fields(self.known.resource, _custom_name(name))
            if not own:
                raise UnknownName(name)
            terms = tuple(map(custom_term, own))
            return terms[0] if len(terms) == 1 else AnyOf(terms)
        return term


def _custom_name(name: str) -> str:
    return name.strip().removeprefix("custom.").strip()


def _asked(term: Term, operator: Operator, values: tuple[Value, ...], actor: Actor) -> Node:
    match operator:
        case "range":
            low, high = (None if _is_any(value) else value for value in values)
            return term.between(low, high, actor)
        case ">" | ">=" | "<" | "<=":
            return term.compare(_COMPARISONS[operator], values[0], actor)
        case "!=":
            return Not(_equal(term, values[0], True, actor))
    different = dict.fromkeys(values)
    return Or(tuple(_equal(term, value, operator == "=", actor) for value in different))


def _equal(term: Term, value: Value, exact: bool, actor: Actor) -> Node:
    if _is_any(value):
        return term.given()
    return term.equal(value, exact, actor) if value.text.strip() else Not(term.given())


def _is_any(value: Value) -> bool:
    return value.text.strip("*") == "" and value.text != "" and not value.quoted
