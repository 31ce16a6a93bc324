"""The grammar of the search language: from a text to an expression that knows no field yet.

    query      = disjunction of conjunctions, with the directives `sort:` and `slice:` among them
    either     = all ("OR" all)*
    all        = term (["AND"] term)*
    term       = ("NOT" | "-") term | "(" either ")" | name "(" [either] ")" | condition | words
    condition  = name (":" | "=" | "!=" | ">" | ">=" | "<" | "<=") value
               | name ["not"] "in" "(" value ("," value)* ")"
    value      = word | "quoted" | "(" value ("OR" value)* ")" | "[" value "TO" value "]"
    name       = word | "quoted"

What a term is depends on what stands after a word, and a word of a condition's value may hold what
ends a name, so the text is read in one pass, without a list of tokens in between.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast

from clinch.resources.errors import BadRequest

MOST_CHARACTERS = 10_000
MOST_TERMS = 500
DEEPEST = 50
MOST_SCOPES = 6
MOST_SLICES = 10_000

Operator = Literal[":", "=", "!=", ">", ">=", "<", "<=", "in", "range"]


@dataclass(frozen=True, slots=True)
class Words:
    """A word or a phrase that is looked for anywhere."""

    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """What a field is compared with; only a word that is not quoted has wildcards."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A named field and its value; several for `in`, the two ends for `range`."""

    name: str
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """One object of the named kind meets all of this."""

    name: str
    inner: "Expression"


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple["Expression", ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class No:
    part: "Expression"


Expression = Words | Condition | Nested | All | Either | No


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, the names to sort by (`-` before those that descend), and slices (i, n)."""

    expression: Expression
    sorts: tuple[str, ...] = ()
    slices: tuple[tuple[int, int], ...] = ()


def read_query(text: str) -> Query:
    """Read a query; raises BadRequest with what is wrong, where."""
    if len(text) > MOST_CHARACTERS:
        raise BadRequest(f"The query is longer than {MOST_CHARACTERS} characters.")
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadRequest("The query has characters that no text can have.")
    return _Reader(text).query()


_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_SPACE = re.compile(r"[\s,]*")
_KEYWORD = re.compile(r'(and|or|not)(?=[\s()"]|$)', re.IGNORECASE)
_NAME = rf"(?P<name>{_QUOTED}|[^\W\d][\w.-]*)"
_COMPARED = re.compile(rf"{_NAME}(?P<operator>:(?!//)|\s*(?:!=|>=|<=|=|>|<))\s*", re.DOTALL)
_LISTED = re.compile(rf"{_NAME}\s+(?P<no>not\s+)?in\s*(?=\()", re.IGNORECASE | re.DOTALL)
_NESTED = re.compile(r"([^\W\d][\w.-]*)\(")
_DIRECTIVE = re.compile(r"(sort|slice):\s*", re.IGNORECASE)
_SIGN = re.compile(r"(!=|>=|<=|=|>|<)\s*")
_PHRASE = re.compile(_QUOTED, re.DOTALL)
_BARE = re.compile(r'[^\s()",]+')
# A day and a time with a space between are one value, as clients send them.
_VALUE = re.compile(r'\d{4}-\d\d-\d\d +\d\d:\d\d[^\s()",\[\]]*|[^\s()",\[\]]+')
_OR = re.compile(r"or(?=[\s(\"])", re.IGNORECASE)
_TO = re.compile(r"\s+to\s+", re.IGNORECASE)
_SLICE = re.compile(r"(\d{1,5})/(\d{1,5})")


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0
    terms: int = 0
    depth: int = 0
    nested: int = 0
    sorts: list[str] = field(default_factory=list)
    slices: list[tuple[int, int]] = field(default_factory=list)

    def query(self) -> Query:
        self._skip_space()
        expression = All() if self.at == len(self.text) else self._either(outermost=True)
        if self.at < len(self.text):
            raise self._problem("a parenthesis is closed that was never opened")
        return Query(expression, tuple(self.sorts), tuple(self.slices))

    def _either(self, *, outermost: bool = False) -> Expression:
        parts = [self._all()]
        while (keyword := self._keyword()) is not None and keyword.group().lower() == "or":
            self.at = keyword.end()
            parts.append(self._all())
        if any(part is None for part in parts):
            if outermost and len(parts) == 1 and (self.sorts or self.slices):
                return All()
            raise self._problem("a condition is missing")
        found = tuple(part for part in parts if part is not None)
        return found[0] if len(found) == 1 else Either(found)

    def _all(self) -> Expression | None:
        """Terms side by side; None when there is none, or nothing but directives."""
        parts: list[Expression] = []
        wanted = False
        while True:
            self._skip_space()
            if self._directive():
                continue
            keyword = self._keyword()
            word = keyword.group().lower() if keyword else ""
            if self.at == len(self.text) or self.text[self.at] == ")" or word == "or":
                break
            if keyword and word == "and":
                if wanted or not parts:
                    raise self._problem("a condition is missing before AND")
                self.at, wanted = keyword.end(), True
                continue
            parts.append(self._term())
            wanted = False
        if wanted:
            raise self._problem("a condition is missing after AND")
        return None if not parts else parts[0] if len(parts) == 1 else All(tuple(parts))

    def _term(self) -> Expression:
        self._skip_space()
        keyword = self._keyword()
        following = self.text[self.at + 1 : self.at + 2]
        if keyword is not None:
            if keyword.group().lower() != "not":
                raise self._problem("a condition is missing")
            return No(self._deeper(self._term, keyword.end()))
        if self.text.startswith("-", self.at) and following.strip():
            return No(self._deeper(self._term, self.at + 1))
        if self.text.startswith("(", self.at):
            return self._deeper(self._group, self.at + 1)
        return self._condition() or self._scope() or self._words()

    def _group(self) -> Expression:
        inner = self._either()
        self._close()
        return inner

    def _scope(self) -> Expression | None:
        match = _NESTED.match(self.text, self.at)
        if match is None:
            return None
        self.nested += 1
        if self.nested > MOST_SCOPES:
            text = f"The query goes from object to object more than {MOST_SCOPES} times."
            raise BadRequest(text)
        inner = self._deeper(self._inside, match.end())
        self.nested -= 1
        return Nested(match.group(1), inner)

    def _inside(self) -> Expression:
        self._skip_space()
        inner = All() if self.text.startswith(")", self.at) else self._either()
        self._close()
        return inner

    def _condition(self) -> Expression | None:
        match = _LISTED.match(self.text, self.at)
        if match is not None:
            self.at = match.end() + 1
            condition = Condition(_plain(match["name"]), "in", self._list())
            return No(condition) if match["no"] else condition
        match = _COMPARED.match(self.text, self.at)
        if match is None:
            return None
        self.at, name = match.end(), _plain(match["name"])
        operator = match["operator"].strip()
        if operator == ":" and (sign := _SIGN.match(self.text, self.at)):
            self.at, operator = sign.end(), sign.group(1)
        if operator in (":", "="):
            if self.text.startswith("(", self.at):
                self.at += 1
                return Condition(name, "in", self._list())
            if self.text.startswith("[", self.at):
                self.at += 1
                return Condition(name, "range", self._range())
        return Condition(name, cast(Operator, operator), (self._value(name),))

    def _list(self) -> tuple[Value, ...]:
        values: list[Value] = []
        while True:
            self._skip_space()
            if values and (word := _OR.match(self.text, self.at)):
                self.at = word.end()
            elif self.text.startswith(")", self.at) and values:
                self.at += 1
                return tuple(values)
            else:
                values.append(self._value("the list"))

    def _range(self) -> tuple[Value, Value]:
        self._skip_space()
        low = self._value("[")
        to = _TO.match(self.text, self.at)
        if to is None:
            raise self._problem("a range is written [LOW TO HIGH]")
        self.at = to.end()
        high = self._value("TO")
        self._skip_space()
        if not self.text.startswith("]", self.at):
            raise self._problem("a range is written [LOW TO HIGH]")
        self.at += 1
        return low, high

    def _value(self, before: str) -> Value:
        self._count()
        phrase = self._phrase()
        if phrase is not None:
            return Value(phrase, quoted=True)
        match = _VALUE.match(self.text, self.at)
        if match is None:
            raise self._problem(f"a value is missing after {before}")
        self.at = match.end()
        return Value(match.group())

    def _words(self) -> Expression:
        self._count()
        phrase = self._phrase()
        if phrase is not None:
            return Words(phrase)
        match = _BARE.match(self.text, self.at)
        if match is None:  # a closing parenthesis
            raise self._problem("a condition is missing")
        self.at = match.end()
        return All() if match.group() == "*" else Words(match.group())

    def _phrase(self) -> str | None:
        if not self.text.startswith('"', self.at):
            return None
        match = _PHRASE.match(self.text, self.at)
        if match is None:
            raise self._problem("a quotation mark is never closed")
        self.at = match.end()
        return _plain(match.group())

    def _directive(self) -> bool:
        match = _DIRECTIVE.match(self.text, self.at)
        if match is None:
            return False
        if self.nested:
            raise self._problem(f"{match.group(1)}: belongs to the whole query")
        self.at = match.end()
        name, value = match.group(1).lower(), self._value(match.group(1)).text
        if name == "sort":
            self.sorts.append(value)
            return True
        slice = _SLICE.fullmatch(value)
        part, parts = map(int, slice.groups()) if slice else (0, 0)
        if not 1 <= part <= parts <= MOST_SLICES:
            raise self._problem(f"a slice is written 1/4, of at most {MOST_SLICES}")
        self.slices.append((part, parts))
        return True

    def _deeper(self, read: Callable[[], Expression], at: int) -> Expression:
        self.at = at
        self.depth += 1
        if self.depth > DEEPEST:
            raise BadRequest(f"The query is nested deeper than {DEEPEST} levels.")
        inner = read()
        self.depth -= 1
        return inner

    def _close(self) -> None:
        self._skip_space()
        if not self.text.startswith(")", self.at):
            raise self._problem("a parenthesis is never closed")
        self.at += 1

    def _count(self) -> None:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise BadRequest(f"The query has more than {MOST_TERMS} terms.")

    def _keyword(self) -> re.Match[str] | None:
        return _KEYWORD.match(self.text, self.at)

    def _skip_space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _problem(self, what: str) -> BadRequest:
        return BadRequest(f"The query cannot be read at character {self.at + 1}: {what}.")


def _plain(name: str) -> str:
    """A name or phrase without its quotation marks and escapes."""
    return re.sub(r"\\(.)", r"\1", name[1:-1], flags=re.DOTALL) if name.startswith('"') else name
