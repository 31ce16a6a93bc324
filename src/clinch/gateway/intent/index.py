"""The index: BM25 over weighted fields, then how well an action does what was asked."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from clinch.gateway.intent.document import Document
from clinch.gateway.intent.entry import Entry, entry_of
from clinch.gateway.intent.fit import fit
from clinch.gateway.intent.reading import Intent, Wanted, read_intent
from clinch.gateway.intent.words import normal, split

LONGEST_INTENT = 200
"""Characters of an intent that are read; of a longer one as many of its beginning as of its end,
as people say what they want before they explain it, or after."""

_K1, _B = 1.5, 0.75
_CANDIDATES = 100
# What may stand for a word for less than this share of the best does not tell how rare it is.
_SURELY = 0.9
# An intent that is the name of an action finds it first, whatever its words are worth.
_ITS_NAME = 1000.0


class Found(NamedTuple):
    """A document by its id; scores compare within one answer alone."""

    id: str
    score: float


class IntentIndex:
    """Actions, found by what somebody wants done. It does not change once it is made."""

    def __init__(self, documents: Iterable[Document]) -> None:
        ordered = sorted(documents, key=lambda document: (document.rank, document.id))
        self._entries = [entry_of(document) for document in ordered]
        self._named: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for at, entry in enumerate(self._entries):
            self._named[entry.name].append(at)
        self._apps = {entry.app for entry in self._entries if entry.app}
        self._postings = _postings(self._entries)
        self._rarity = {
            term: math.log(1 + (len(ordered) - len(found) + 0.5) / (len(found) + 0.5))
            for term, found in self._postings.items()
        }

    def search(self, intent: str, limit: int = 10) -> list[Found]:
        """The best first; equal ones by rank and id, so that answers are always the same.

        An empty intent finds everything, by rank and id. One of which no word is known finds
        nothing.
        """
        if not intent.strip():
            return [Found(entry.id, 0.0) for entry in self._entries[:limit]]
        text = _shortened(intent)
        asked = read_intent(text)
        scores = self._scores(asked)
        for at in self._named.get(tuple(split(normal(text))), ()):
            scores[at] += _ITS_NAME
        terms = frozenset(term for wanted in asked.wanted for term, _ in wanted.terms)
        apps = self._apps & _joined(split(normal(text)))
        best = sorted((-score, at) for at, score in scores.items())[: max(_CANDIDATES, limit)]
        fitted = {
            at: round(-less * fit(asked, terms, apps, self._entries[at]), 9) for less, at in best
        }
        first = sorted(fitted, key=lambda at: (-fitted[at], at))[:limit]
        return [Found(self._entries[at].id, fitted[at]) for at in first]

    def _scores(self, asked: Intent) -> dict[int, float]:
        """Of each document, by its place, with any of the words."""
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
        surely = _SURELY * max((share for _, share in wanted.terms), default=0.0)
        sure = (self._rarity[term] for term, share in known if share >= surely)
        rarest = min(sure, default=math.inf)
        best: dict[int, float] = {}
        for term, share in known:
            factor = share * min(self._rarity[term], rarest)
            for at, part in self._postings[term]:
                score = part * factor
                if score > best.get(at, 0.0):
                    best[at] = score
        return best


def _joined(words: list[str]) -> set[str]:
    """Each word, and two and three of them in one piece."""
    lengths = range(1, 4)
    return {"".join(words[at : at + n]) for at in range(len(words)) for n in lengths}


def _shortened(intent: str) -> str:
    if len(intent) <= LONGEST_INTENT:
        return intent
    return f"{intent[: LONGEST_INTENT // 2]} {intent[-LONGEST_INTENT // 2 :]}"


def _postings(entries: list[Entry]) -> dict[str, list[tuple[int, float]]]:
    """Of each word the documents that have it, with how much of it each has, from 0 to 1 + _K1."""
    lengths = [sum(entry.counts.values()) for entry in entries]
    average = sum(lengths) / len(lengths) if lengths else 1.0
    places: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for at, entry in enumerate(entries):
        damped = _K1 * (1 - _B + _B * lengths[at] / average)
        for word, count in entry.counts.items():
            places[word].append((at, count * (_K1 + 1) / (count + damped)))
    return places
