"""What an intent asks for: the verb, one or many, and which word is the thing itself."""

import pytest

from clinch.gateway.intent.reading import read_intent


@pytest.mark.parametrize(
    ("intent", "verb"),
    [
        ("erase the lead", "delete"),
        ("please add a lead", "create"),
        ("adding a lead", "create"),
        ("leads created yesterday", None),
        ("new lead", "create"),
        ("show new leads", "get"),
        ("get rid of a lead", "delete"),
        ("look for leads", "search"),
        ("look at a lead", "get"),
        ("mark the deal as won", "update"),
        ("mark the task as done", "complete"),
        ("record a call", "log"),
        ("open the record", "get"),
        ("which leads can I delete?", None),
        ("how do I delete a lead?", "delete"),
        ('a note that says "delete it"', None),
        ("I finished the task", "complete"),
        ("Acme moved to Berlin", "update"),
        ("the deal that I finished", None),
        ("add an address to a lead", "update"),
        ("add a contact to a lead", "create"),
        ("don't forget to send it", "create"),
        ("duplicate leads", "merge"),
        ("删掉线索", "delete"),
        ("未完成的任务", None),
        ("完成任务", "complete"),
        ("把职位改成总监", "update"),
    ],
)
def test_the_verb(intent: str, verb: str | None) -> None:
    assert read_intent(intent).verb == verb


@pytest.mark.parametrize(
    ("intent", "number"),
    [
        ("all leads", "many"),
        ("leads", "many"),
        ("lead_8fK2", "one"),
        ("the lead lead_8fK2", "one"),
        ("tasks of lead_8fK2", "many"),
        ("a single lead", "one"),
        ("show a lead", "one"),
        ("show leads", "many"),
        ("lead status", "many"),
        ("所有线索", "many"),
        ("某个线索", "one"),
    ],
)
def test_one_or_many(intent: str, number: str | None) -> None:
    assert read_intent(intent).number == number


@pytest.mark.parametrize(
    ("intent", "thing", "other"),
    [
        ("add a contact to a lead", "contact", "lead"),
        ("add a note for a contact", "note", "contact"),
        ("change the status of a lead", "lead", "status"),
        ("change the lead's status", "lead", "status"),
        ("all notes of a lead", "note", "lead"),
        ("add a note: call the lead", "note", "lead"),
        ("给线索加一个联系人", "contact", "lead"),
        ("线索的备注", "note", "lead"),
        ("修改线索的状态", "lead", "status"),
        ("As a user I want tasks", "task", "user"),
    ],
)
def test_the_thing_counts_more_than_what_stands_around_it(
    intent: str, thing: str, other: str
) -> None:
    shares: dict[str, float] = {}
    for wanted in read_intent(intent).wanted:
        for term, share in wanted.terms:
            shares[term] = max(share, shares.get(term, 0.0))
    assert shares[thing] > shares.get(other, 0.0)


def test_a_word_brings_what_stands_for_it_for_less() -> None:
    [wanted] = read_intent("deals").wanted
    shares = dict(wanted.terms)
    assert shares["deal"] > shares["opportun"] > shares["sale"] > 0
