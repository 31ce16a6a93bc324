"""How much each phrase of a sentence counts: the thing itself more than what stands around it."""

from typing import NamedTuple

from clinch.gateway.intent.lexicon import Kind
from clinch.gateway.intent.sentence import Item

VERB = 0.5
_ID, _QUOTED = 0.5, 0.5

_CONTENT = (Kind.THING, Kind.NEAR, Kind.ATTRIBUTE, Kind.WORD)


class _Around(NamedTuple):
    """How much counts what is not the thing itself."""

    second_verb: float
    attribute: float
    lowered: float
    """The share that is left of what stands behind `to`, `for` and their like."""


_OURS = _Around(0.25, 0.4, 0.55)
# Where no thing is known, it is the talk of another trade, and any word may be the thing.
_OF_OTHERS = _Around(0.5, 0.7, 0.8)


def weights_of(items: list[Item], chosen: Item | None) -> list[float]:
    """Of each item, from 0 to 1; `chosen` is the verb."""
    ours = any(item.id or (item.has(Kind.THING) and not item.quoted) for item in items)
    around = _OURS if ours else _OF_OTHERS
    weights = [
        _own_weight(item, around, item is chosen, _stands_as_part(items, at))
        for at, item in enumerate(items)
    ]
    lowered = False
    for at, item in enumerate(items):
        if weights[at] and item is not chosen:
            if lowered:
                weights[at] *= around.lowered
            continue
        if item.has(Kind.OF):
            lowered = not _is_part(items, weights, at)
            if not lowered:
                continue
        elif item.has(Kind.BEFORE):
            lowered = True
        elif item is chosen or not item.has(Kind.FILLER) or at == 0 or weights[at - 1]:
            lowered = False
    _raise_head(items, weights)
    return weights


def _own_weight(item: Item, around: _Around, chosen: bool, part: bool) -> float:
    quoted = _QUOTED if item.quoted else 1.0
    if item.id:
        return _ID * quoted if item.senses else 0.0
    if chosen:
        return 1.0 if item.has(Kind.THING) else VERB
    if any(map(item.has, (Kind.THING, Kind.NEAR, Kind.WORD))):
        return (around.attribute if part else 1.0) * quoted
    if item.has(Kind.ATTRIBUTE):
        return around.attribute * quoted
    if item.has(Kind.VERB):
        return around.second_verb * quoted
    if item.has(Kind.FILLER) or not item.words:
        return 0.0
    return (around.attribute if item.senses else 1.0) * quoted


def _stands_as_part(items: list[Item], at: int) -> bool:
    """Whether what may be a part of a record stands as one: `email of`, `contact's email`."""
    item = items[at]
    if not item.has(Kind.ATTRIBUTE) or item.plural:
        return False
    if not item.has(Kind.THING):
        return True
    around = (*items[max(0, at - 1) : at], *items[at + 1 : at + 2])
    return any(other.has(Kind.OF) for other in around) or (at > 0 and items[at - 1].has(Kind.THING))


def _is_part(items: list[Item], weights: list[float], at: int) -> bool:
    """Whether what stands around an `of` is a part and its record; then the record counts whole,
    and so it is with 's and its like, which have the record first."""
    turned = not items[at].words
    near = items[at + 1 : at + 4] if turned else items[max(0, at - 2) : at][::-1]
    part = next((item for item in near if any(map(item.has, _CONTENT)) or not item.senses), None)
    is_part = part is None or part.has(Kind.ATTRIBUTE) or not part.senses
    if not turned:
        return part is not None and is_part and not part.plural
    if not is_part:
        before = next((n for n in range(at - 1, -1, -1) if weights[n]), None)
        if before is not None:
            weights[before] *= _OURS.lowered
    return True


def _raise_head(items: list[Item], weights: list[float]) -> None:
    """Where nothing counts whole, the first thing does."""
    things = [
        n for n, item in enumerate(items) if item.has(Kind.THING) and weights[n] and not item.quoted
    ]
    ids = [n for n, item in enumerate(items) if item.id and weights[n]]
    if ids and all(weights[n] <= _OURS.attribute for n in things):
        things = ids
    if things and max(weights[n] for n in things) < 1:
        weights[max(things, key=lambda n: (weights[n], -n))] = 1.0
