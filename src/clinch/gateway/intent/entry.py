"""What the index knows of a document: the words it is found by, its verb, one or many."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from clinch.gateway.intent.document import Document
from clinch.gateway.intent.lexicon import Kind, lexicon
from clinch.gateway.intent.reading import Number, verb_term
from clinch.gateway.intent.sentence import read_items
from clinch.gateway.intent.words import is_chinese, is_plural, normal, pairs, singular, split, stem
from clinch.resources.actor import OperationClass

# How much a word counts by where it stands. Names of parameters tell much of generated operations.
_NAME, _DESCRIPTION, _APP, _PARAMETERS = 3.0, 2.0, 1.0, 1.0

_VERB_OF_CLASS = {
    OperationClass.READ: "get",
    OperationClass.WRITE: "update",
    OperationClass.DESTRUCTIVE: "delete",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A document, read. `verb` is None where its class is not known: then nothing is made of it."""

    id: str
    rank: int
    name: tuple[str, ...]
    """The words of its name."""
    things: frozenset[str]
    """The stems of its name, without the verb."""
    app: str
    """The app's name, small and in one piece, as people write HubSpot in many ways."""
    verb: str | None
    number: Number | None
    counts: dict[str, float]
    """Of each stem, how often it comes, by the weight of where."""


def entry_of(document: Document) -> Entry:
    name = split(normal(document.name))
    at = _verb_place(name)
    others = [word for n, word in enumerate(name) if n != at]
    things = [word for word in others if not _is_filler(word)] or others
    verb = _verb(document, None if at is None else lexicon().verb_of[name[at]])
    return Entry(
        document.id,
        document.rank,
        tuple(name),
        frozenset(map(stem, things)),
        _in_one(document.app),
        verb,
        _number(verb, things),
        _counts(document, name, at),
    )


def _in_one(name: str) -> str:
    return "".join(split(normal(name)))


def _verb_place(name: list[str]) -> int | None:
    """Where in a name its verb is: first, or else no noun as well, as `record` is."""
    known = lexicon()
    for at, word in enumerate(name):
        if word in known.verb_of:
            senses = known.english.senses.get((singular(word),), ())
            if at == 0 or not any(sense.kind in (Kind.THING, Kind.NEAR) for sense in senses):
                return at
    return None


def _verb(document: Document, named: str | None) -> str | None:
    """The verb of its name, unless the class of the operation belies it."""
    if document.operation_class is None:
        return None
    if named is not None and _may_be(named, document.operation_class):
        return named
    return _VERB_OF_CLASS[document.operation_class]


def _may_be(verb: str, operation_class: OperationClass) -> bool:
    if operation_class is OperationClass.DESTRUCTIVE:
        return verb in ("delete", "merge")
    return (verb in ("list", "get", "search")) is (operation_class is OperationClass.READ)


def _number(verb: str | None, things: list[str]) -> Number | None:
    if verb == "list" or (verb == "get" and any(map(is_plural, things))):
        return "many"
    return "one" if verb == "get" else None


def _counts(document: Document, name: list[str], verb_at: int | None) -> dict[str, float]:
    counts: dict[str, float] = defaultdict(float)
    for text, weight in (
        (document.description, _DESCRIPTION),
        (f"{document.app} {_in_one(document.app)}", _APP),
        (" ".join(document.parameters), _PARAMETERS),
    ):
        for word in split(normal(text)):
            if not _is_filler(word):
                for term in _terms(word):
                    counts[term] += weight
    for word in name:  # here fillers count too: `get-me` has nothing else
        for term in _terms(word):
            counts[term] += _NAME
    if verb_at is not None:
        counts[verb_term(lexicon().verb_of[name[verb_at]])] += _NAME
    return counts


def _terms(word: str) -> Iterator[str]:
    """The stem; of a run of Chinese the pairs of its characters, and the words that it means."""
    if not is_chinese(word):
        yield stem(word)
        return
    yield from pairs(word)
    for item in read_items(word):
        yield from (stem(sense.value) for sense in item.senses if sense.value)


@lru_cache(maxsize=50_000)
def _is_filler(word: str) -> bool:
    senses = lexicon().english.senses.get((singular(word),), ())
    return bool(senses) and all(
        sense.kind in (Kind.FILLER, Kind.BEFORE, Kind.OF) for sense in senses
    )
