"""The index: BM25 over weighted fields, then what the verb and the number of the intent say."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from typing import NamedTuple

from clinch.gateway.intent.document import Document
from clinch.gateway.intent.lexicon import Kind, lexicon
from clinch.gateway.intent.reading import Intent, Number, Wanted, read_intent, verb_term
from clinch.gateway.intent.sentence import read_items
from clinch.gateway.intent.words import is_chinese, is_plural, normal, pairs, singular, split, stem
from clinch.resources.actor import OperationClass

LONGEST_INTENT = 200
"""Characters of an intent that are read; of a longer one as many of its beginning as of its end,
as people say what they want before they explain it, or after."""

# BM25, for short texts: a word that comes again says little more, and length weighs mildly.
_K1, _B = 1.5, 0.75
_NAME, _DESCRIPTION, _APP, _PARAMETERS = 3.0, 2.0, 1.0, 1.0

# What is left of a score where the action does something else than was asked.
_OTHER_READ, _OTHER_CHANGE, _OTHER_KIND, _UNASKED_DELETE = 0.85, 0.8, 0.6, 0.35
_OTHER_NUMBER = 0.75
_GENERATED = 0.92
# What a name has beyond what was asked makes it another action: `list-lead-statuses` for leads.
_NAME_MATTERS = 0.25
_CANDIDATES = 200
_SURELY = 0.9
_ITS_NAME = 1000.0

_KINDS = {
    "list": "read",
    "get": "read",
    "search": "read",
    "create": "make",
    "log": "make",
    "send": "make",
    "update": "change",
    "complete": "change",
    "merge": "merge",
    "delete": "delete",
}
_VERB_OF_CLASS = {
    OperationClass.READ: "get",
    OperationClass.WRITE: "update",
    OperationClass.DESTRUCTIVE: "delete",
}


class Found(NamedTuple):
    """A document by its id; scores compare within one answer alone."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is known of a document beside the words it is found by."""

    id: str
    rank: int
    things: frozenset[str]
    """The stems of its name, without the verb."""
    verb: str | None
    number: Number | None


class IntentIndex:
    """Actions, found by what somebody wants done. It does not change once it is made."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._entries: list[_Entry] = []
        counted: list[dict[str, float]] = []
        self._named: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for at, document in enumerate(documents):
            self._named[tuple(split(normal(document.name)))].append(at)
            self._entries.append(_entry(document))
            counted.append(_weighted_words(document))
        self._postings = _postings(counted)
        self._rarity = {
            term: math.log(1 + (len(counted) - len(found) + 0.5) / (len(found) + 0.5))
            for term, found in self._postings.items()
        }
        self._in_order = sorted(self._entries, key=lambda entry: (entry.rank, entry.id))

    def search(self, intent: str, limit: int = 10) -> list[Found]:
        """The best first; equal ones by rank and id, so that answers are always the same.

        An empty intent finds everything, by rank and id. One of which no word is known finds
        nothing.
        """
        if not intent.strip():
            return [Found(entry.id, 0.0) for entry in self._in_order[:limit]]
        asked = read_intent(_shortened(intent))
        scores = self._scores(asked)
        for at in self._named.get(tuple(split(normal(intent))), ()):
            scores[at] = scores.get(at, 0.0) + _ITS_NAME
        best = nlargest(max(_CANDIDATES, limit), scores, key=lambda at: (scores[at], -at))
        terms = frozenset(term for wanted in asked.wanted for term, _ in wanted.terms)
        found = []
        for at in best:
            entry = self._entries[at]
            score = scores[at] * _fit(asked, entry) * _named(entry, terms)
            found.append((-round(score, 9), entry.rank, entry.id))
        return [Found(id, -score) for score, _, id in nsmallest(limit, found)]

    def _scores(self, asked: Intent) -> dict[int, float]:
        """Of each document with any of the words."""
        total: dict[int, float] = defaultdict(float)
        for wanted in asked.wanted:
            for at, score in self._found(wanted).items():
                total[at] += score
        alone = not asked.wanted and asked.verb is not None  # "list", and nothing else
        for at, score in self._found(asked.to_read).items():
            if at in total or alone:
                total[at] += score
        return total

    def _found(self, wanted: Wanted) -> dict[int, float]:
        """Of all that may stand for a word, what a document has counts once, and is as rare as the
        commonest of those that surely do."""
        known = [(term, share) for term, share in wanted.terms if term in self._postings]
        if not known:
            return {}
        surely = _SURELY * max(share for _, share in wanted.terms)
        rarities = [self._rarity[term] for term, share in known if share >= surely]
        most = min(rarities) if rarities else math.inf
        best: dict[int, float] = {}
        for term, share in known:
            factor = share * min(self._rarity[term], most)
            for at, part in self._postings[term]:
                score = part * factor
                if score > best.get(at, 0.0):
                    best[at] = score
        return best


def _shortened(intent: str) -> str:
    if len(intent) <= LONGEST_INTENT:
        return intent
    return f"{intent[: LONGEST_INTENT // 2]} {intent[-LONGEST_INTENT // 2 :]}"


def _entry(document: Document) -> _Entry:
    words = split(normal(document.name))
    at = _verb_place(words)
    verb = None if at is None else lexicon().verb_of[words[at]]
    if document.operation_class is None:
        verb = None
    elif verb is None or not _may_be(verb, document.operation_class):
        verb = _VERB_OF_CLASS[document.operation_class]
    others = [word for n, word in enumerate(words) if n != at]
    things = [word for word in others if not _is_filler(word)] or others
    plural = any(map(is_plural, things))
    number: Number | None = None
    if verb == "list" or (verb == "get" and plural):
        number = "many"
    elif verb == "get":
        number = "one"
    return _Entry(document.id, document.rank, frozenset(map(stem, things)), verb, number)


def _verb_place(words: list[str]) -> int | None:
    """Where in a name its verb is: first, or else no noun as well, as `record` is."""
    known = lexicon()
    for at, word in enumerate(words):
        if word in known.verb_of:
            senses = known.english.senses.get((singular(word),), ())
            if at == 0 or not any(sense.kind in (Kind.THING, Kind.NEAR) for sense in senses):
                return at
    return None


def _may_be(verb: str, operation_class: OperationClass) -> bool:
    """Whether a verb in a name agrees with what the action does to data."""
    reads = _KINDS[verb] == "read"
    if operation_class is OperationClass.DESTRUCTIVE:
        return verb in ("delete", "merge")
    return reads is (operation_class is OperationClass.READ)


def _weighted_words(document: Document) -> dict[str, float]:
    counts: dict[str, float] = defaultdict(float)
    for text, weight in (
        (document.name, _NAME),
        (document.description, _DESCRIPTION),
        (document.app, _APP),
        (" ".join(document.parameters), _PARAMETERS),
    ):
        for word in _words(text):
            counts[word] += weight
    name = split(normal(document.name))
    for word in filter(_is_filler, name):
        counts[stem(word)] += _NAME
    at = _verb_place(name)
    if at is not None:
        counts[verb_term(lexicon().verb_of[name[at]])] += _NAME
    return counts


def _words(text: str) -> Iterator[str]:
    """The stems of a text; Chinese has the pairs of its characters and the words that it means."""
    for word in split(normal(text)):
        if not is_chinese(word):
            if not _is_filler(word):
                yield stem(word)
            continue
        yield from pairs(word)
        for item in read_items(word):
            yield from (stem(sense.value) for sense in item.senses if sense.value)


def _is_filler(word: str) -> bool:
    senses = lexicon().english.senses.get((singular(word),), ())
    return bool(senses) and all(
        sense.kind in (Kind.FILLER, Kind.BEFORE, Kind.OF) for sense in senses
    )


def _postings(counted: list[dict[str, float]]) -> dict[str, list[tuple[int, float]]]:
    """Of each word the documents that have it, with its part of their score, before its
    rarity."""
    lengths = [sum(counts.values()) for counts in counted]
    average = sum(lengths) / len(lengths) if lengths else 1.0
    places: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for at, counts in enumerate(counted):
        damped = _K1 * (1 - _B + _B * lengths[at] / average)
        for word, count in counts.items():
            places[word].append((at, count * (_K1 + 1) / (count + damped)))
    return places


def _fit(asked: Intent, entry: _Entry) -> float:
    """What the verb and the number of the action leave of its score."""
    factor = _GENERATED if entry.rank else 1.0
    if entry.verb is None:
        return factor
    kind, offered = _KINDS[asked.verb or "get"], _KINDS[entry.verb]
    if kind == offered:
        if asked.verb != entry.verb:
            factor *= _other_verb(asked.verb, entry.verb, kind)
    elif offered == "delete":
        factor *= _UNASKED_DELETE
    elif {kind, offered} == {"make", "change"}:
        factor *= _OTHER_CHANGE
    else:
        factor *= _OTHER_KIND
    if kind == "read" and asked.number and entry.number and asked.number != entry.number:
        factor *= _OTHER_NUMBER
    return factor


def _other_verb(asked: str | None, offered: str, kind: str) -> float:
    """Of the same kind, yet not the same: to list and to get differ by number alone."""
    if kind == "read":
        return _OTHER_READ if "search" in (asked, offered) else 1.0
    return _OTHER_CHANGE if offered in ("complete", "send") else 0.95


def _named(entry: _Entry, terms: frozenset[str]) -> float:
    if not entry.things:
        return 1.0
    return 1 - _NAME_MATTERS * (1 - len(entry.things & terms) / len(entry.things))
