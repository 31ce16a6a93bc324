"""The reference of searching by intent: plain BM25 over stems, with its usual constants."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from bench.ranking import Search
from clinch.gateway.intent.document import Document
from clinch.gateway.intent.words import split, stem

_K1, _B = 1.5, 0.75
_STOP = frozenset(
    (
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "is",
        "it",
        "no",
        "not",
        "of",
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
    )
)


def plain_bm25(documents: Iterable[Document]) -> Search:
    """A search over names, which count twice, descriptions and parameters."""
    counted = {
        one.id: Counter(_words(" ".join([one.name, one.name, one.description, *one.parameters])))
        for one in documents
    }
    average = sum(words.total() for words in counted.values()) / len(counted)
    postings: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for id, words in counted.items():
        damped = _K1 * (1 - _B + _B * words.total() / average)
        for word, count in words.items():
            postings[word].append((id, count * (_K1 + 1) / (count + damped)))

    def search(text: str) -> list[str]:
        scores: dict[str, float] = defaultdict(float)
        for word in _words(text):
            found = postings.get(word, [])
            rarity = math.log(1 + (len(counted) - len(found) + 0.5) / (len(found) + 0.5))
            for id, part in found:
                scores[id] += part * rarity
        return sorted(scores, key=lambda id: (-scores[id], id))[:10]

    return search


def _words(text: str) -> list[str]:
    return [stem(word) for word in split(text) if word not in _STOP]
