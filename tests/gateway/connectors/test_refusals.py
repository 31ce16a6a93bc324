"""What an app says in an answer that is not good, wherever it says it."""

from typing import Any

import msgspec
import pytest

from clinch.gateway.api import ApiAnswer
from clinch.gateway.connectors.close import close
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.refusals import refusal, words_of

PLAIN = Connector("connector_1", "boats", "Boats", "", (), (), "https://boats.example", (), ())
CRM = close({"paths": {}}, "https://crm.example")

SILENT: list[Any] = [{}, [], {"message": 5}, {"ok": False}, 5, b"<html>", b"\xff", b""]


def answer(body: Any, status: int = 400) -> ApiAnswer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return ApiAnswer(status, (("content-type", "application/json"),), raw)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "No such boat"}, "No such boat"),
        ({"error": "No such boat"}, "No such boat"),
        ({"error": {"code": 404, "message": "No such boat"}}, "No such boat"),
        ({"error": {"code": "gone"}}, "code: gone"),
        ({"errors": [{"message": "No such boat"}, {"message": "Nor this"}]}, "No such boat"),
        ({"errors": ["No such boat"]}, "No such boat"),
        ({"errors": {"name": ["is taken"]}}, "name: is taken"),
        ({"type": "about:blank", "title": "Gone", "detail": "No such boat"}, "No such boat"),
        ({"type": "about:blank", "title": "Gone", "status": 404}, "Gone"),
        ({"error": "invalid_grant", "error_description": "It is over"}, "It is over"),
        ([{"errorCode": "GONE", "message": "No such boat"}], "No such boat"),
        ({"message": "  ", "error": "No such boat"}, "No such boat"),
        ({"message": "two\n\x1b[2Jlines"}, "two  [2Jlines"),
        ({"message": "x" * 900}, "x" * 499 + "…"),
        *((body, None) for body in SILENT),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_where_most_apps_say_it(body: Any, words: str | None) -> None:
    assert words_of(PLAIN, answer(body)) == words
    told = "(400)." if words is None else f"(400): {words}"
    assert refusal(PLAIN, answer(body)) == told


def test_where_the_crm_says_it() -> None:
    refused = {"errors": [], "field-errors": {"name": "This field is required."}}
    assert words_of(CRM, answer(refused)) == "name: This field is required."
    assert words_of(CRM, answer({"errors": ["One.", "Two."], "field-errors": {}})) == "One."
    assert words_of(CRM, answer({"error": "Not found."})) == "Not found."


def test_what_a_connector_says_counts() -> None:
    made = msgspec.structs.replace(PLAIN, errors=("fault.text", "fault"))
    assert (
        words_of(made, answer({"message": "x", "fault": {"code": "1", "text": "Leak"}})) == "Leak"
    )
    assert words_of(made, answer({"message": "x", "fault": "Leak"})) == "Leak"
    assert words_of(made, answer({"message": "x"})) is None
