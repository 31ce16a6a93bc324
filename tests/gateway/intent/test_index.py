"""An action is found by what somebody wants done, whatever words they use for it."""

import random

import pytest
from bench.paraphrases import Paraphrase, documents, paraphrases
from harness import document as openapi_document
from hypothesis import given, settings
from hypothesis import strategies as st

from clinch.gateway.intent.document import Document
from clinch.gateway.intent.index import LONGEST_INTENT, IntentIndex
from clinch.resources.actor import OperationClass

READ, WRITE, DESTRUCTIVE = OperationClass.READ, OperationClass.WRITE, OperationClass.DESTRUCTIVE


@pytest.fixture(scope="module")
def actions() -> list[Document]:
    return documents(openapi_document())


@pytest.fixture(scope="module")
def index(actions: list[Document]) -> IntentIndex:
    return IntentIndex(actions)


def first(index: IntentIndex, intent: str, limit: int = 1) -> list[str]:
    return [found.id for found in index.search(intent, limit)]


def share_found(index: IntentIndex, chosen: list[Paraphrase]) -> float:
    return sum(one.action in first(index, one.intent, 3) for one in chosen) / len(chosen)


@pytest.mark.parametrize("half", ["tuning", "held-out"])
def test_paraphrases_find_their_action_among_the_first_three(
    index: IntentIndex, actions: list[Document], half: str
) -> None:
    chosen = [one for one in paraphrases() if one.half == half]
    assert {one.action for one in paraphrases()} <= {action.id for action in actions}
    assert len(chosen) > 130
    assert share_found(index, chosen) >= 0.95


def test_there_are_enough_paraphrases_in_both_languages_of_every_action() -> None:
    english = [one for one in paraphrases() if one.language == "en"]
    chinese = [one for one in paraphrases() if one.language == "zh"]
    assert len(english) >= 150
    assert len(chinese) >= 60
    assert {one.action for one in english} == {one.action for one in chinese}


def test_the_key_of_an_action_finds_it(index: IntentIndex, actions: list[Document]) -> None:
    friendly = [action for action in actions if action.rank == 0]
    assert len(friendly) == 43
    assert {action.id: first(index, action.id) for action in friendly} == {
        action.id: [action.id] for action in friendly
    }


def test_who_wants_to_read_is_never_offered_a_deletion_first(
    index: IntentIndex, actions: list[Document]
) -> None:
    classes = {action.id: action.operation_class for action in actions}
    reading = [one for one in paraphrases() if classes[one.action] is READ]
    assert len(reading) > 100
    offered = {one.intent: classes[first(index, one.intent)[0]] for one in reading}
    assert [intent for intent, found in offered.items() if found is DESTRUCTIVE] == []


@pytest.mark.parametrize(
    ("intent", "action"),
    [
        ("列出未完成的任务", "list-tasks"),
        ("add a person to a company", "create-contact"),
        ("the lead with id", "get-lead"),
        ("all leads", "list-leads"),
        ("who am I", "get-me"),
        ("remove a deal", "delete-opportunity"),
        ("刪除聯絡人", "delete-contact"),
        ("deals", "list-opportunities"),
        ("TODO", "list-tasks"),
        ("log a call", "log-call"),
        ("text messages", "list-sms"),
        ("createNote", "create-note"),
    ],
)
def test_an_intent_finds_its_action_first(index: IntentIndex, intent: str, action: str) -> None:
    assert first(index, intent) == [action]


def test_the_verb_decides_between_actions_on_the_same_thing() -> None:
    index = IntentIndex(
        [
            Document("drop", "tag.remove", "Remove a tag", operation_class=DESTRUCTIVE),
            Document("read", "tag.show", "Show a tag", operation_class=READ),
            Document("make", "tag.add", "Add a tag", operation_class=WRITE),
        ]
    )
    assert first(index, "a tag") == ["read"]
    assert first(index, "view the tag") == ["read"]
    assert first(index, "new tag") == ["make"]
    assert first(index, "insert a tag") == ["make"]
    assert first(index, "erase the tag") == ["drop"]


def test_the_number_decides_between_actions_with_the_same_verb() -> None:
    names = ("getBoat", "getBoats")
    index = IntentIndex([Document(name, name, operation_class=READ) for name in names])
    assert first(index, "all boats") == ["getBoats"]
    assert first(index, "boats in Kiel") == ["getBoats"]
    assert first(index, "a single boat") == ["getBoat"]


def test_a_class_is_believed_more_than_a_name() -> None:
    index = IntentIndex(
        [
            Document("a", "get_rid_of_tag", operation_class=DESTRUCTIVE),
            Document("b", "tag_view", operation_class=READ),
        ]
    )
    assert first(index, "get a tag") == ["b"]


def test_parameters_the_app_and_chinese_descriptions_are_found() -> None:
    index = IntentIndex(
        [
            Document("a", "run", "Does it", parameters=("voltage in volts",)),
            Document("b", "run", "Does it", app="Slack"),
            Document("c", "run", "查询天气预报"),
        ]
    )
    assert first(index, "at what voltage") == ["a"]
    assert first(index, "in slack") == ["b"]
    assert first(index, "明天的天气怎么样") == ["c"]


def test_an_app_that_is_named_is_meant() -> None:
    index = IntentIndex(
        [
            Document("a", "list-leads", "List leads", app="Close", operation_class=READ),
            Document("b", "get-companies", "Companies", app="BigHub", operation_class=READ, rank=1),
        ]
    )
    assert first(index, "all leads") == ["a"]
    for name in ("BigHub", "bighub", "big hub", "big-hub", "BIGHUB的"):
        assert first(index, f"all leads in {name}") == ["b"]
    assert first(index, "all leads in Close or BigHub") == ["a"]


def test_the_thing_in_the_name_counts_more_than_one_that_is_told_of() -> None:
    index = IntentIndex(
        [
            Document("a", "create-crate", "Create a crate of notes for notes"),
            Document("b", "create-note", "Of crates"),
        ]
    )
    assert first(index, "add a note to a crate", 2) == ["b", "a"]


def test_a_friendly_action_stands_before_the_operation_that_does_the_same() -> None:
    generated = Document("a", "list-boats", operation_class=READ, rank=1)
    friendly = Document("b", "list-boats", operation_class=READ)
    assert first(IntentIndex([generated, friendly]), "all boats", 2) == ["b", "a"]


def test_equal_documents_stand_by_their_id_in_whatever_order_they_came() -> None:
    alike = [Document(f"boat-{n}", "list-boats") for n in range(30)]
    expected = sorted(document.id for document in alike)
    for seed in range(5):
        random.Random(seed).shuffle(alike)
        assert first(IntentIndex(alike), "all boats", 30) == expected


def test_answers_do_not_depend_on_the_order_of_the_documents(actions: list[Document]) -> None:
    shuffled = list(actions)
    random.Random(7).shuffle(shuffled)
    one, other = IntentIndex(actions), IntentIndex(shuffled)
    for paraphrase in paraphrases()[::5]:
        assert one.search(paraphrase.intent) == other.search(paraphrase.intent)


def test_an_empty_intent_finds_everything_in_its_order(
    index: IntentIndex, actions: list[Document]
) -> None:
    keys = first(index, "  ", 1000)
    assert sorted(keys) == sorted(action.id for action in actions)
    friendly = keys[:43]
    assert friendly == sorted(friendly)
    assert all(key.startswith("operation:") for key in keys[43:])


@pytest.mark.parametrize("intent", ["qwxzzy", "?!…", "123456789", "the of and", "吗"])
def test_an_intent_without_a_known_word_finds_nothing(index: IntentIndex, intent: str) -> None:
    assert index.search(intent) == []


def test_a_long_intent_is_read_at_its_beginning_and_its_end(index: IntentIndex) -> None:
    filling = "xyzzy " * LONGEST_INTENT
    assert first(index, f"delete a task {filling}") == ["delete-task"]
    assert first(index, f"{filling} delete a task") == ["delete-task"]
    assert index.search(f"{filling} delete a task {filling}") == []


def test_no_documents_find_nothing() -> None:
    assert IntentIndex([]).search("list leads") == []
    assert IntentIndex([]).search("") == []


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=300), st.integers(1, 20))
def test_any_text_is_answered_in_order(text: str, limit: int) -> None:
    found = SMALL.search(text, limit)
    assert len(found) <= limit
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert found == SMALL.search(text, limit)


SMALL = IntentIndex([Document(key, key) for key in ("list-leads", "get-lead", "delete-lead")])
