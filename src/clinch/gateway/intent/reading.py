"""What an intent asks for: words with what may stand for them, a verb, one or many."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from clinch.gateway.intent.lexicon import Kind, lexicon
from clinch.gateway.intent.sentence import Item, read_items
from clinch.gateway.intent.weighing import VERB, weights_of
from clinch.gateway.intent.words import stem

Number = Literal["one", "many"]

# What stands for a word, by how surely it does.
_CANONICAL, _SYNONYM, _NEAR, _PART = 0.95, 0.55, 0.5, 0.6

_TO_READ = ("list", "get")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that is looked for: stems, each with what finding it is worth."""

    terms: tuple[tuple[str, float], ...]


NOTHING = Wanted(())


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent, read. `verb` is None where none is said: then it is to read something."""

    wanted: tuple[Wanted, ...]
    head: frozenset[str]
    """What may stand for the thing itself; empty where it is none that the lexicon knows."""
    to_read: Wanted
    """How actions are named that do what was asked, where that is to list or to get."""
    verb: str | None
    number: Number | None


def verb_term(verb: str) -> str:
    """What actions with such a verb in their name are found by, whatever word it is there."""
    return f"={verb}"


def read_intent(text: str) -> Intent:
    items = read_items(text)
    chosen = _chosen_verb(items)
    verb = _verb(items, chosen)
    weights = weights_of(items, chosen)
    head = _head(items, weights)
    number = _number(items, head, verb)
    wanted = [
        found
        for item, weight in zip(items, weights, strict=True)
        if weight
        for found in _wanted(item, weight, verb if item is chosen else None)
    ]
    to_read = _to_read(number) if verb is None or verb in _TO_READ else NOTHING
    things = frozenset() if head is None else frozenset(_shares(items[head]))
    return Intent(tuple(wanted), things, to_read, verb, number)


def _to_read(number: Number | None) -> Wanted:
    """To list or to get: people say either for both, so the number says it."""
    shares = {"many": {"list": VERB}, "one": {"get": VERB}, None: {"get": VERB, "list": VERB}}
    return Wanted(tuple((verb_term(verb), share) for verb, share in shares[number].items()))


def _verb_of(item: Item) -> str | None:
    return item.value(Kind.VERB) or item.value(Kind.PAST)


def _is_verb(item: Item) -> bool:
    """Whether an item that may be a verb is one: a `record` is, where a clause starts with it."""
    if not item.has(Kind.VERB):
        return False
    return item.starts or not any(map(item.has, (Kind.THING, Kind.NEAR, Kind.ATTRIBUTE)))


def _chosen_verb(items: list[Item]) -> Item | None:
    """The first verb; where that is to change something, one that is to complete it."""
    verbs = [item for item in items if _is_verb(item) and not item.quoted]
    verbs = verbs or [item for item in items if item.has(Kind.VERB) and not item.quoted]
    verbs = verbs or [item for item in _told(items) if not item.quoted]
    if not verbs or (items[0].has(Kind.QUESTION) and not items[0].has(Kind.VERB)):
        return None
    if _verb_of(verbs[0]) == "update":
        return next((verb for verb in verbs if _verb_of(verb) == "complete"), verbs[0])
    return verbs[0]


def _adds_part(items: list[Item], verb: Item) -> bool:
    """Whether something is added to what is there: `add an email address to a contact`."""
    after = items[next(n for n, item in enumerate(items) if item is verb) + 1 :]
    content = (n for n, item in enumerate(after) if not item.has(Kind.FILLER))
    at = next(content, len(after))
    part, rest = after[at : at + 1], after[at + 1 : at + 2]
    return all(item.has(Kind.ATTRIBUTE) and not item.has(Kind.THING) for item in part) and any(
        item.has(Kind.BEFORE) for item in rest
    )


def _told(items: list[Item]) -> Iterator[Item]:
    """What somebody says to have done: `I finished`, `Acme moved`."""
    for who, item in pairwise(items):
        subject = who.starts and (who.has(Kind.FILLER) or not who.senses)
        if subject and item.has(Kind.PAST):
            yield item


def _verb(items: list[Item], chosen: Item | None) -> str | None:
    if chosen is not None:
        verb = _verb_of(chosen)
        return "update" if verb == "create" and _adds_part(items, chosen) else verb
    if items and items[0].has(Kind.QUESTION):
        return None
    return next((hint for item in items if (hint := item.value(Kind.HINT))), None)


def _wanted(item: Item, weight: float, verb: str | None) -> Iterator[Wanted]:
    """What an item asks for; `verb` is what it does, if it is the verb."""
    things = _shares(item)
    if verb is None:
        yield from _scaled(things, weight)
        return
    if item.has(Kind.THING):  # remind, jot: what to do, and with what
        yield from _scaled(things, weight)
    if verb not in _TO_READ:
        words = {word: 1.0 if len(item.words) == 1 else _PART for word in item.words}
        yield from _scaled({**words, verb_term(verb): _CANONICAL}, VERB)


def _scaled(shares: dict[str, float], weight: float) -> Iterator[Wanted]:
    if shares:
        yield Wanted(tuple(sorted((term, share * weight) for term, share in shares.items())))


def _shares(item: Item) -> dict[str, float]:
    """What may stand for a thing or a word, and how surely."""
    shares: dict[str, float] = {}

    def offer(term: str, share: float) -> None:
        shares[term] = max(shares.get(term, 0.0), share)

    for word in item.words:
        offer(word, 1.0 if len(item.words) == 1 else _PART)
    for kind, value in item.senses:
        if kind is Kind.NEAR:
            offer(stem(value), _NEAR)
        elif kind is Kind.WORD:
            offer(stem(value), 1.0)
        elif kind is Kind.THING:
            offer(stem(value), _CANONICAL)
            for synonym in lexicon().synonyms[value]:
                offer(synonym, _SYNONYM)
    return shares


def _head(items: list[Item], weights: list[float]) -> int | None:
    """Where the thing itself is: the first that counts whole."""
    heads = (n for n, item in enumerate(items) if weights[n] >= 1 and item.has(Kind.THING))
    return next(heads, None)


def _number(items: list[Item], at: int | None, verb: str | None) -> Number | None:
    """One or many of the head, which is at a place."""
    head = None if at is None else items[at]
    if head is not None and head.plural:
        return "many"
    if any(item.id and (head is None or _is_of(item, head)) for item in items):
        return "one"
    said = [n for n, item in enumerate(items) if item.has(Kind.ONE) or item.has(Kind.MANY)]
    if said:
        nearest = min(said, key=lambda n: abs(n - (at or 0)))
        return "one" if items[nearest].has(Kind.ONE) else "many"
    lists = any(item.value(Kind.VERB) == "list" for item in items)
    if lists or (verb is None and items and not items[0].has(Kind.QUESTION)):
        return "many"
    if head is not None and not head.words:  # Chinese has no plural, and says when it means one
        return "many"
    return "one" if head is not None and verb == "get" else None


def _is_of(id_item: Item, head: Item) -> bool:
    """Whether an id is of the head's kind; those of notes are those of activities."""
    return id_item.value(Kind.NEAR) in {
        sense.value for sense in head.senses if sense.kind is Kind.THING
    } | ({"activity"} if head.value(Kind.THING) == "note" else set())
