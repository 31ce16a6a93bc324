"""The trade's words: `english.toml` and `chinese.toml`, read once, as tables of phrases."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from clinch.gateway.intent.words import normal, singular, split, stem


class Kind(Enum):
    """What a phrase is in a sentence."""

    VERB = auto()
    PAST = auto()
    """A verb that tells what was done, such as `finished`."""
    HINT = auto()
    """A verb where there is no other."""
    THING = auto()
    NEAR = auto()
    """Makes one think of a thing, and may mean it."""
    WORD = auto()
    ATTRIBUTE = auto()
    ONE = auto()
    MANY = auto()
    BEFORE = auto()
    OF = auto()
    QUESTION = auto()
    FILLER = auto()


class Sense(NamedTuple):
    """One meaning of a phrase; `value` is the verb, the thing or the English word."""

    kind: Kind
    value: str = ""


@dataclass(slots=True)
class Phrases:
    """Phrases of one language with their senses; English by the stems of its words, verbs as they
    are written, Chinese by its characters."""

    senses: dict[tuple[str, ...], list[Sense]] = field(default_factory=dict)
    longest: dict[str, int] = field(default_factory=dict)
    """How many words or characters the longest phrase has that begins with one."""

    def add(self, key: tuple[str, ...], sense: Sense) -> None:
        known = self.senses.setdefault(key, [])
        if sense not in known:
            known.append(sense)
        self.longest[key[0]] = max(self.longest.get(key[0], 1), len(key))


@dataclass(slots=True)
class Lexicon:
    """What both languages know."""

    verbs: Phrases
    """English verbs, as written."""
    english: Phrases
    chinese: Phrases
    synonyms: dict[str, tuple[str, ...]]
    """Of each thing the stems that stand for it."""
    verb_of: dict[str, str]
    """The verb that a single English word is, in the names of actions."""
    prefixes: dict[str, str]
    """What an id is of, by its prefix."""


_LISTS = (
    ("attributes", "words", Kind.ATTRIBUTE),
    ("number", "one", Kind.ONE),
    ("number", "many", Kind.MANY),
    ("order", "before", Kind.BEFORE),
    ("order", "of", Kind.OF),
    ("order", "questions", Kind.QUESTION),
    ("fillers", "words", Kind.FILLER),
)


@cache
def lexicon() -> Lexicon:
    english, chinese = _read("english"), _read("chinese")
    found = Lexicon(Phrases(), Phrases(), Phrases(), {}, {}, dict(english["prefixes"]))
    for verb, phrases in english["verbs"].items():
        for phrase in phrases:
            words = tuple(split(phrase))
            found.verbs.add(words, Sense(Kind.VERB, verb))
            if len(words) == 1:
                found.verb_of.setdefault(words[0], verb)
    for verb, phrases in english["hints"].items():
        for phrase in phrases:
            found.english.add(_key(phrase), Sense(Kind.HINT, verb))
    for thing, words_of in english["things"].items():
        for phrase in words_of["same"]:
            found.english.add(_key(phrase), Sense(Kind.THING, thing))
        for phrase in words_of["near"]:
            found.english.add(_key(phrase), Sense(Kind.NEAR, thing))
        found.synonyms[thing] = _stems((thing, *words_of["same"]))
    _add_lists(found.english, english, _key)
    for section, kind in (
        ("verbs", Kind.VERB),
        ("hints", Kind.HINT),
        ("things", Kind.THING),
        ("words", Kind.WORD),
    ):
        for value, phrases in chinese[section].items():
            for phrase in phrases:
                found.chinese.add(_characters(phrase), Sense(kind, value))
    _add_lists(found.chinese, chinese, _characters)
    return found


def _read(language: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / f"{language}.toml").read_text("utf-8"))


def _add_lists(phrases: Phrases, data: Mapping[str, Any], key: Any) -> None:
    for section, name, kind in _LISTS:
        for phrase in data[section][name]:
            phrases.add(key(phrase), Sense(kind))


def _stems(phrases: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(stem(phrase) for phrase in phrases if " " not in phrase))


def _key(phrase: str) -> tuple[str, ...]:
    return tuple(map(singular, split(normal(phrase))))


def _characters(phrase: str) -> tuple[str, ...]:
    return tuple(normal(phrase).lower())
