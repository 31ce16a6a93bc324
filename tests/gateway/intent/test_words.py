"""Names in any spelling have the same words."""

import pytest

from clinch.gateway.intent.words import is_plural, normal, pairs, singular, split, stem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mergeLeads", ["merge", "leads"]),
        ("merge-leads", ["merge", "leads"]),
        ("merge_leads", ["merge", "leads"]),
        ("chat.postMessage", ["chat", "post", "message"]),
        ("listSMSMessages", ["list", "sms", "messages"]),
        ("ＬＥＡＤ", ["lead"]),
        ("列出tasks", ["列出", "tasks"]),
        ("Größe", ["größe"]),
        (" \t", []),
    ],
)
def test_split(text: str, words: list[str]) -> None:
    assert split(normal(text)) == words


def test_stems_join_the_forms_of_a_word() -> None:
    assert stem("opportunities") == stem("opportunity")
    assert stem("任务") == "任务"


@pytest.mark.parametrize(
    ("word", "one"),
    [
        *(("leads", "lead"), ("companies", "company"), ("statuses", "status"), ("boxes", "box")),
        *(("status", "status"), ("called", "called"), ("active", "active"), ("people", "people")),
    ],
)
def test_singular(word: str, one: str) -> None:
    assert singular(word) == one


def test_pairs_of_a_run() -> None:
    assert pairs("天气预报") == ["天气", "气预", "预报"]
    assert pairs("天") == ["天"]


@pytest.mark.parametrize(
    ("word", "plural"),
    [("leads", True), ("people", True), ("statuses", True), ("status", False), ("address", False)],
)
def test_plurals(word: str, plural: bool) -> None:
    assert is_plural(word) is plural
