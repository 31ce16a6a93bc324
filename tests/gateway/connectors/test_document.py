"""The document form of a connector: what is wrong in one is told with its place."""

import json
from typing import Any

import pytest

from clinch.gateway.connectors.document import DocumentError, connector_of, parse_document
from clinch.gateway.connectors.shipped import shipped_connectors

TYPED = {"type": "object", "properties": {"k": {"type": "string", "title": "Key"}}}
OPTION = {
    "key": "token",
    "type": "api-key",
    "title": "Token",
    "placement": {"template": "{k}"},
    "input_schema": TYPED,
}
OAUTH = {"authorize_url": "https://boats.example/a", "token_url": "https://boats.example/t"}
LOGIN = {"key": "login", "type": "oauth2", "title": "Login", "oauth": OAUTH}


def document(**changes: Any) -> bytes:
    plain = {
        "key": "boats",
        "name": "Boats",
        "base_url": "https://api.boats.example",
        "options": [OPTION],
        "paths": {"/boats": {"get": {"operationId": "listBoats"}}},
    }
    return json.dumps(plain | changes).encode()


def test_a_good_one_is_read() -> None:
    made, skipped = connector_of(parse_document(document(options=[OPTION, LOGIN])), "connector_1")
    assert skipped == ()
    assert [one.key for one in made.operations] == ["boats-list-boats"]
    assert [one.base_url for one in made.options] == ["https://api.boats.example"] * 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"key": "Boats"}, "key: "),
        ({"key": "bo--ats"}, "key: "),
        ({"name": "  "}, "name: "),
        ({"name": 5}, r"Expected `str`, got `int` - at `\$\.name`"),
        ({"client_secret": "x"}, "unknown field `client_secret`"),
        ({"domains": ["https://boats.example"]}, r"domains\[0\]: "),
        ({"domains": ["boats.example", "com"]}, r"domains\[1\]: "),
        ({"base_url": "https://api.boats.example/"}, "base_url: ends neither in a slash"),
        ({"base_url": "file:///etc/passwd"}, "base_url: is an address with https"),
        ({"base_url": "https://a.example:port"}, "base_url: is no address"),
        ({"options": []}, "options: needs at least one"),
        ({"options": [OPTION, OPTION]}, r"options\[1\]\.key: 'token' is taken"),
        ({"options": [OPTION | {"type": "magic"}]}, r"Invalid enum value .*options\[0\]\.type"),
        ({"options": [OPTION | {"here": True}]}, r"options\[0\]: leads to this very server"),
        ({"options": [OPTION | {"type": "this-server"}]}, r"options\[0\]: leads to this very"),
        ({"options": [OPTION | {"oauth": OAUTH}]}, r"options\[0\]\.oauth: "),
        ({"options": [LOGIN | {"oauth": None}]}, r"options\[0\]\.oauth: "),
        ({"options": [LOGIN | {"oauth": OAUTH | {"token_url": "/t"}}]}, r"oauth\.token_url: "),
        (
            {"options": [OPTION | {"placement": {"template": "{k} {other}"}}]},
            r"placement\.template: names other",
        ),
        ({"options": [OPTION | {"placement": {"template": "fixed"}}]}, "names no field"),
        (
            {"options": [OPTION | {"placement": {"header": "Host", "template": "{k}"}}]},
            r"placement\.header: ",
        ),
        (
            {"options": [OPTION | {"placement": {"header": "A\r\nB", "template": "{k}"}}]},
            r"placement\.header: ",
        ),
        ({"options": [OPTION | {"input_schema": TYPED | {"required": 7}}]}, "is no JSON Schema"),
        (
            {"options": [OPTION | {"input_schema": {"type": "object", "properties": {"k": {}}}}]},
            r"properties\.k: is a text",
        ),
        ({"test": {"method": "DELETE", "path": "/"}}, r"test\.method: "),
        ({"test": {"method": "GET", "path": "me"}}, r"test\.path: "),
        ({"errors": ["error", "a..b"]}, r"errors\[1\]: has names with dots"),
        ({"rate_limit": {"requests": 0, "seconds": 1}}, "rate_limit: "),
        ({"paths": {"/boats/{id}": {"get": {}}}}, r"paths: GET /boats/{id}: nothing says what id"),
    ],
)
def test_a_bad_one_is_refused_with_its_place(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        connector_of(parse_document(document(**changes)), "connector_1")


def test_no_text_at_all_is_refused() -> None:
    for text in (b"", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(DocumentError):
            parse_document(text)


def test_what_is_shipped_is_good() -> None:
    shipped = shipped_connectors()
    assert [one.key for one in shipped] == ["hubspot", "slack"]
    for one in shipped:
        assert one.id == f"connector_{one.key}"
        secret = [
            member.get("writeOnly")
            for option in one.options
            for member in option.input_schema["properties"].values()
        ]
        assert secret == [True]
