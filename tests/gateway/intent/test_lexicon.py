"""The lists of words are whole: a slip in them would be silent."""

import tomllib
from importlib.resources import files
from itertools import chain
from typing import Any

import pytest

from clinch.gateway.intent.lexicon import Kind, Sense, lexicon
from clinch.gateway.intent.words import is_chinese, normal, split


def _data(language: str) -> dict[str, Any]:
    return tomllib.loads((files("clinch.gateway.intent") / f"{language}.toml").read_text("utf-8"))


def test_chinese_says_no_thing_that_english_does_not_know() -> None:
    english, chinese = _data("english"), _data("chinese")
    for section in ("verbs", "things", "hints"):
        assert set(chinese[section]) <= set(english[section])
    assert set(english["verbs"]) == set(chinese["verbs"])


def test_each_verb_and_thing_is_among_its_own_words() -> None:
    english = _data("english")
    for verb, phrases in english["verbs"].items():
        assert verb in phrases
    for thing, phrases in english["things"].items():
        assert thing in phrases["same"] or thing == "me"


def test_phrases_are_written_as_they_are_looked_up() -> None:
    english, chinese = _data("english"), _data("chinese")
    for phrase in chain(*english["verbs"].values()):
        assert " ".join(split(normal(phrase))) == phrase.replace("'", " ")
    for phrase in chain(*chinese["verbs"].values(), *chinese["things"].values()):
        assert split(phrase) == [phrase]
        assert all(map(is_chinese, phrase))


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_no_phrase_is_two_verbs(language: str) -> None:
    phrases = list(chain(*_data(language)["verbs"].values()))
    assert sorted(phrases) == sorted(set(phrases))


def test_a_phrase_has_all_its_senses() -> None:
    found = lexicon()
    assert found.verbs.senses[("record",)] == [Sense(Kind.VERB, "log")]
    assert Sense(Kind.ATTRIBUTE) in found.english.senses[("record",)]
    assert found.chinese.senses[tuple("未完成")] == [Sense(Kind.WORD, "incomplete")]
    assert found.verb_of["fetch"] == "get"
