"""What it means to compare a field with a value of a query, by the kind of field.

A term answers with conditions of the query tree and raises Invalid for a value that its field
cannot have. An exact comparison is one with `=`, where `:` finds words.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from clinch.crm.accounts import Account
from clinch.identity.users import User
from clinch.resources.actor import Actor
from clinch.resources.errors import Invalid
from clinch.resources.fields import Children, Field, Integer, ListOf, Ref
from clinch.resources.query.tree import (
    And,
    Comparison,
    Count,
    Equal,
    Exists,
    Fragment,
    Node,
    Not,
    Or,
    Range,
    Related,
    TextMatch,
    TextMode,
)
from clinch.resources.query.words import found_within, split_words
from clinch.search.grammar import Value

_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,9})?", re.ASCII)
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


class Term(ABC):
    """A field as queries ask for it."""

    @abstractmethod
    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        """The field has the value; `exact` as a whole."""

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        raise Invalid("It cannot be compared by size.")

    def between(self, low: Value | None, high: Value | None, actor: Actor) -> Node:
        """The field has a value from `low` to `high`, both included; None is no end."""
        nodes = [self.compare("gte", low, actor)] if low else []
        nodes += [self.compare("lte", high, actor)] if high else []
        return And(tuple(nodes)) if nodes else self.given()

    @abstractmethod
    def given(self) -> Node:
        """The field has any value."""


@dataclass(frozen=True)
class TextTerm(Term):
    """Words in a text, or of `item` in a list field's entries; `*` at an end stands for anything.

    `found_by` is the id of the object whose search text holds the text too, so that the index of
    those finds it.
    """

    field: Field
    item: str = ""
    found_by: Field | None = None

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        text, open_start, open_end = _wildcards(value)
        mode: TextMode
        if open_start:
            mode = "contains" if open_end else "ends"
        elif not split_words(text):
            mode = "contains"
        else:
            mode = "word_start" if open_end else "is" if exact else "words"
        return self._match(mode, text)

    def given(self) -> Node:
        return self._match("contains", "") if self.item else Exists(self.field)

    def _match(self, mode: TextMode, text: str) -> Node:
        match = TextMatch(self.field, mode, text, self.item)
        words = tuple(split_words(text))
        if mode in ("contains", "ends") and words and text.startswith(words[0]):
            # It may stand within a word, where the index does not find what is short.
            words = words if found_within(words[0]) else words[1:]
        if self.found_by is None or not words:
            return match
        return And((Fragment(self.found_by, words, "object"), match))


@dataclass(frozen=True)
class EmailTerm(TextTerm):
    """A whole address where the value has an `@`, all of a domain after one, else words."""

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        text = value.text.strip()
        if "@" not in text or "*" in text:
            return super().equal(value, exact, actor)
        return self._match("ends" if text.startswith("@") else "is", text)


@dataclass(frozen=True)
class PhoneTerm(TextTerm):
    """A number however it is written, or some digits of it."""

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        digits = phone_digits(value.text)
        return self._match("contains", digits) if digits else Or()


def phone_digits(text: str) -> str:
    """The digits of a number as typed, without the zeros that stand for a country's code."""
    return re.sub(r"\D", "", text, flags=re.ASCII).lstrip("0")


@dataclass(frozen=True)
class LabelTerm(Term):
    """One of a few words or labels, as a whole."""

    field: Field

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return TextMatch(self.field, "is", value.text.strip())

    def given(self) -> Node:
        return Exists(self.field)


@dataclass(frozen=True)
class IdTerm(Term):
    """An id, letter by letter."""

    field: Field

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return Equal(self.field, value.text.strip())

    def given(self) -> Node:
        return Exists(self.field)


@dataclass(frozen=True)
class UserTerm(Term):
    """A user by id, address or name; `me` is who asks."""

    field: Ref

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        text = value.text.strip()
        if text.lower() == "me":
            return Or() if actor.user_id is None else Equal(self.field, actor.user_id)
        if text.startswith(f"{User.prefix}_"):
            return Equal(self.field, text)
        return Related(self.field, user_called(text))

    def given(self) -> Node:
        return Exists(self.field)


def user_called(text: str) -> Node:
    """The users of that full name, first name or address."""
    names = (User.name, User.first_name, User.email)
    return Or(tuple(TextMatch(name, "is", text) for name in names))


@dataclass(frozen=True)
class DomainTerm(Term):
    """A domain name of an account, as a whole, however it is written."""

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return Account.of_domain(value.text)

    def given(self) -> Node:
        return Exists(Account.domains)


@dataclass(frozen=True)
class NumberTerm(Term):
    """A whole number; what is compared with it need not be one."""

    field: Field

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        number = read_number(value)
        return Equal(self.field, int(number)) if number == int(number) else Or()

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        return Range(self.field, comparison, whole(comparison, read_number(value)))

    def given(self) -> Node:
        return Exists(self.field)


@dataclass(frozen=True)
class CountTerm(Term):
    """How many entries a list has, or how many objects refer here."""

    field: Children | ListOf

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        number = read_number(value)
        if number == 0:
            return Not(self.given())
        if number != int(number):
            return Or()
        whole = int(number)
        return And((Count(self.field, "gte", whole), Count(self.field, "lte", whole)))

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        number = whole(comparison, read_number(value))
        # That there is one is known from the first; the rest need not be counted.
        if (comparison, number) in (("gt", 0), ("gte", 1)):
            return self.given()
        if (comparison, number) in (("lt", 1), ("lte", 0)):
            return Not(self.given())
        return Count(self.field, comparison, number)

    def given(self) -> Node:
        if isinstance(self.field, Children):
            return Related(self.field, And())
        return Exists(self.field)


@dataclass(frozen=True)
class SummedTerm(CountTerm):
    """How many objects refer here, as the number is kept; where there must be one, it is found by
    the index of those."""

    kept: Integer

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        node = NumberTerm(self.kept).equal(value, exact, actor)
        return self._some(node) if read_number(value) > 0 else node

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        number = whole(comparison, read_number(value))
        node = Range(self.kept, comparison, number)
        least = {"gt": number + 1, "gte": number}.get(comparison, 0)
        return self._some(node) if least > 0 else node

    def given(self) -> Node:
        return self._some(Range(self.kept, "gt", 0))

    def _some(self, node: Node) -> Node:
        return And((super().given(), node))


@dataclass(frozen=True)
class GivenTerm(Term):
    """yes or no: whether the field has a value."""

    field: Field

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return Exists(self.field) if read_flag(value) else Not(Exists(self.field))

    def given(self) -> Node:
        return Exists(self.field)


@dataclass(frozen=True)
class FlagTerm(Term):
    """yes or no."""

    field: Field

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return Equal(self.field, read_flag(value))

    def given(self) -> Node:
        return Exists(self.field)


@dataclass(frozen=True)
class Through(Term):
    """A field of an object that refers here or is referred to, of one of them at least."""

    link: Ref | Children
    term: Term

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return Related(self.link, self.term.equal(value, exact, actor))

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        return Related(self.link, self.term.compare(comparison, value, actor))

    def between(self, low: Value | None, high: Value | None, actor: Actor) -> Node:
        return Related(self.link, self.term.between(low, high, actor))

    def given(self) -> Node:
        return Related(self.link, self.term.given())


@dataclass(frozen=True)
class Narrowed(Term):
    """A field of those objects alone that meet `node` as well."""

    term: Term
    node: Node

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return And((self.node, self.term.equal(value, exact, actor)))

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        return And((self.node, self.term.compare(comparison, value, actor)))

    def given(self) -> Node:
        return And((self.node, self.term.given()))


@dataclass(frozen=True)
class AnyOf(Term):
    """One of several fields."""

    terms: tuple[Term, ...]

    def equal(self, value: Value, exact: bool, actor: Actor) -> Node:
        return self._any(lambda term: term.equal(value, exact, actor))

    def compare(self, comparison: Comparison, value: Value, actor: Actor) -> Node:
        return self._any(lambda term: term.compare(comparison, value, actor))

    def between(self, low: Value | None, high: Value | None, actor: Actor) -> Node:
        return self._any(lambda term: term.between(low, high, actor))

    def given(self) -> Node:
        return self._any(lambda term: term.given())

    def _any(self, ask: Callable[[Term], Node]) -> Node:
        return Or(tuple(ask(term) for term in self.terms))


def read_flag(value: Value) -> bool:
    word = value.text.strip().lower()
    if word not in _YES + _NO:
        raise Invalid("Write yes or no.")
    return word in _YES


def read_number(value: Value) -> Decimal:
    text = value.text.strip().replace(",", "")
    if not _NUMBER.fullmatch(text):
        raise Invalid(f'"{value.text[:100]}" is not a number.')
    return Decimal(text)


def whole(comparison: Comparison, number: Decimal) -> int:
    """The whole number that compares with whole numbers as `number` does."""
    rounding = ROUND_FLOOR if comparison in ("gt", "lte") else ROUND_CEILING
    return int(number.to_integral_value(rounding))


def _wildcards(value: Value) -> tuple[str, bool, bool]:
    """The text between wildcards, and whether there is one before and after it."""
    text = value.text.strip()
    if value.quoted:
        return text, False, False
    return text.strip("*"), text.startswith("*"), text.endswith("*")
