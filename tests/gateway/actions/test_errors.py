"""Each class of error, of every action: the message names field and fix, and nothing changes."""

from collections.abc import Iterator
from os import environ
from typing import Any

import pytest
from gateway.actions.cases import REFUSED
from gateway.actions.scene import Scene, always, answering, example, make_scene, over_http, refused
from harness import Organization, Program, make_organization, rows_of

from clinch.gateway.actions.action import Action
from clinch.gateway.actions.catalog import ACTIONS
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.references import IdOf, UserRef
from clinch.resources.actor import OperationClass

EVERY = list(ACTIONS.values())
IN_TROUBLE: list[tuple[int, Any, str, str]] = [
    (429, {"error": {"message": "Too fast", "rate_reset": 1}}, "Too fast", "Wait"),
    (500, b"x" * 5000, "The app failed.", "later"),
    (403, {"error": "Not yours"}, "Not yours", "permission"),
    (402, {"error": "Plan"}, "Plan", "plan"),
    (400, {"errors": ["One.", "Two."]}, "One. Two.", ""),
    (200, b"<html>", "did not answer with JSON", "base URL"),
]
"""What an app may answer besides, and the words of message and hint."""
WRITES = [action for action in EVERY if action.operation_class is not OperationClass.READ]


@pytest.fixture(scope="module")
def organization(program: Program) -> Organization:
    return make_organization(program)


@pytest.fixture(scope="module")
def steady(organization: Organization) -> Iterator[Scene]:
    """A filled organization of which not a row may change."""
    scene = make_scene(organization)
    before = rows_of(organization)
    yield scene
    assert rows_of(organization) == before


@pytest.mark.parametrize("action", EVERY, ids=lambda action: action.key)
def test_what_is_wrong_with_an_input_is_said_before_anything_is_sent(
    steady: Scene, action: Action
) -> None:
    good = example(steady, action)
    for input in action.inputs:
        typo = input.name[:-1] + "x" + input.name[-1:] if len(input.name) > 4 else None
        if typo:
            error = steady.refused(action.key, good | {typo: 1})
            assert error.field == typo
            assert f"Did you mean {input.name}?" in error.message
            assert error.exchanges == ()
        error = steady.refused(action.key, good | {input.name: 1.5})
        assert (error.field, error.status) == (input.name, 400)
        assert input.name in error.message
        assert error.hint
        assert error.exchanges == ()
        if input.required:
            error = steady.refused(action.key, {k: v for k, v in good.items() if k != input.name})
            assert (error.field, error.message) == (input.name, f"{input.name} is missing.")
            assert error.hint
            assert error.exchanges == ()
    assert "JSON object" in steady.refused(action.key, [good]).message


@pytest.mark.parametrize("action", EVERY, ids=lambda action: action.key)
def test_ids_of_nobody_and_of_something_else(steady: Scene, action: Action) -> None:
    good = example(steady, action)
    for input in action.inputs:
        if isinstance(input, IdOf):
            other = "user_x1" if input.noun != "user" else "lead_x1"
            error = steady.refused(action.key, good | {input.name: other})
            assert error.field == input.name
            assert "this is the id of a" in error.message
            assert error.exchanges == ()
            for wrong in ("42", "lead_../me"):
                assert steady.refused(action.key, good | {input.name: wrong}).field == input.name
            nobody = f"{input.prefix.partition('|')[0]}_nobody"
            error = steady.refused(action.key, good | {input.name: nobody})
            assert error.field == input.name, error.message
            assert f"No {input.noun} has this id ({input.name})." == error.message
            assert error.hint
            assert "list-" in error.hint
        if isinstance(input, UserRef):
            error = steady.refused(action.key, good | {input.name: "Ada Mos"})
            assert error.field == input.name
            assert "Did you mean Ada Moss?" in error.message
            assert "list-users" in (error.hint or "")


@pytest.mark.parametrize(("action", "input", "field", "words"), REFUSED, ids=lambda v: str(v)[:50])
def test_refusals(
    steady: Scene, action: str, input: dict[str, Any], field: str, words: str
) -> None:
    error = steady.refused(action, steady.fill(input))
    assert words in error.message
    assert (error.field or "") == field
    assert error.hint
    assert error.status == 400


@pytest.mark.parametrize("action", WRITES, ids=lambda action: action.key)
def test_dry_runs_change_nothing(steady: Scene, action: Action) -> None:
    good = example(steady, action)
    result = steady.run(action.key, good, dry_run=True)
    assert result.output["dryRun"] is True
    error = steady.refused(action.key, good, dry_run=True, can_dry_run=False)
    assert "cannot try a write" in error.message
    assert error.hint
    assert error.exchanges == ()


@pytest.mark.parametrize("action", EVERY, ids=lambda action: action.key)
def test_who_is_not_known_is_told_so(steady: Scene, action: Action) -> None:
    stranger = type(steady.key)(steady.key.program, "api_none.none", "")
    error = refused(over_http(stranger), action.key, example(steady, action))
    assert error.status == 401
    assert "Reconnect" in (error.hint or "")
    assert "none" not in str(error.exchanges)


def test_who_may_not_is_told_so(steady: Scene) -> None:
    error = refused(over_http(steady.guest), "delete-lead", {"id": steady.ids["harbour"]})
    assert error.status == 403
    assert "permission" in (error.hint or "")


@pytest.mark.parametrize("action", EVERY, ids=lambda action: action.key)
def test_what_an_app_in_trouble_says_is_told(steady: Scene, action: Action) -> None:
    good = example(steady, action)
    for status, body, message, hint in IN_TROUBLE:
        error = refused(always(status, body), action.key, good)
        assert message in error.message
        assert hint in (error.hint or "")
        assert error.status == (502 if status == 200 else status)
        assert len(error.body or "") < 2100
        assert {exchange.status for exchange in error.exchanges} == {status}


def test_a_contact_of_another_lead(steady: Scene) -> None:
    asked = {"leadId": steady.ids["harbour"], "note": "x", "contactId": steady.ids["cy"]}
    error = steady.refused("create-note", asked)
    assert (error.field, error.status) == ("contactId", 400)
    assert error.hint == "Find it with list-contacts, among those of the same lead."


def test_users_of_one_name_are_told_apart(steady: Scene) -> None:
    people = [
        {"id": f"user_{n}", "email": f"{n}@h.test", "first_name": "Jo", "organizations": ["orga_1"]}
        for n in "ab"
    ]
    page = {"data": people, "has_more": False}
    error = refused(answering((200, page)), "list-tasks", {"userId": "jo"})
    assert "2 users are called 'jo': a@h.test (user_a), b@h.test (user_b)." in error.message
    assert (error.field, len(error.exchanges)) == ("userId", 1)


JUNK: list[Any] = [
    None, "", " ", "x", 0, -1, 1e30, 10**30, True, [], {}, [None], ["x"], [[]], [{"a": 1}], {"": 1},
    {"x": None}, "\x00", "9999-12-31", "0001-01-01T00:00:00+14:00", "2026-02-30", "%", "🙂" * 9,
]  # fmt: skip


SHARE = 1 if environ.get("CLINCH_SOAK") == "1" else 11


@pytest.mark.parametrize("action", EVERY, ids=lambda action: action.key)
def test_junk_is_refused_or_harmless(steady: Scene, action: Action) -> None:
    good, failures = example(steady, action), []
    for number, input in enumerate(action.inputs):
        for value in JUNK[number % SHARE :: SHARE]:
            try:
                steady.run(action.key, good | {input.name: value}, dry_run=True)
            except ActionError as error:
                failures.append(error)
    assert all(error.message and error.status < 500 for error in failures)
