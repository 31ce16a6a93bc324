"""Texts as words: names in any of their spellings, English stems, runs of Chinese."""

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff"
_BORDER = re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PART = re.compile(f"[{_CHINESE}]+|[^\\W_{_CHINESE}]+")
_STEMMER = snowballstemmer.stemmer("english")


def normal(text: str) -> str:
    """The text with one form for each character: wide letters narrow, quotes straight."""
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'")


def split(text: str) -> list[str]:
    """The words of a normal text, small; `mergeLeads`, `merge-leads` and `merge_leads` have two.
    A run of Chinese is one."""
    return _PART.findall(_BORDER.sub(" ", text).lower())


def is_chinese(word: str) -> bool:
    return "\u3400" <= word[0] <= "\u9fff"


def pairs(run: str) -> list[str]:
    """The pairs of neighbours in a run of Chinese; a single character is itself."""
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    return word if is_chinese(word) else str(_STEMMER.stemWord(word))


def singular(word: str) -> str:
    """An English word without the ending of its plural: what it is looked up by in the lexicon.
    Stems would take `active` for an activity, and what is `called` something for a call."""
    if not is_plural(word) or word in ("people", "news"):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("sses", "shes", "ches", "xes", "uses")) else word[:-1]


def is_plural(word: str) -> bool:
    """Whether an English word looks like several of something."""
    return word == "people" or (word.endswith("s") and not word.endswith(("ss", "us", "is", "sms")))
