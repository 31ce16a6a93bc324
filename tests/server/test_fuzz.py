"""Generated requests, valid and not: the server never fails, and answers as its document says.

`CLINCH_SOAK=1` makes many more of them.
"""

import json
import os
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
import schemathesis
from harness import HTTP, Api, Organization, Program, document, make_organization, operations
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from identity.people import PASSWORD, make_person
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from clinch.program import declarations

SOAK = os.environ.get("CLINCH_SOAK") == "1"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DOCUMENT: Any = schemathesis.openapi.from_dict(document())
DESCRIBED = [result.ok() for result in DOCUMENT.get_all_operations()]
BESIDE = [one for one in DESCRIBED if "servers" in one.definition.raw]
OPERATIONS = [one for one in DESCRIBED if one not in BESIDE]
FIELDS = sorted({key for resource in declarations() for key in resource.fields})


def examples(number: int) -> settings:
    """So many examples, a hundred times as many when there is time."""
    return settings(
        max_examples=number * (100 if SOAK else 1),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


@pytest.fixture(scope="module")
def filled(program: Program) -> Organization:
    return make_organization(program)


def ids_of(organization: Organization, path: str) -> list[str]:
    """Ids of objects that are there, for the path of an operation on one object."""
    collection, named, _ = path.partition("{id}")
    if not named:
        return []
    api = organization.admin
    member = organization.member("user")
    lead = api.post("/lead/", {"name": "Harbour Tools", "contacts": [{"name": "Ada"}]})
    people = api.get(f"/organization/{organization.system.organization}/")
    [membership] = [m["id"] for m in people["memberships"] if m["user_id"] == member.user_id]
    known = {
        "/membership/": membership,
        "/organization/": people["id"],
        "/api_key/": member.key.partition(".")[0],
    }
    assert lead["contact_ids"]
    vessel = api.post("/custom_object_type/", {"name": "Vessel", "name_plural": "Vessels"})["id"]
    body = {"lead_id": lead["id"], "custom_object_type_id": vessel, "name": "Anna"}
    known["/custom_object/"] = api.post("/custom_object/", body)["id"]
    note = api.post("/activity/note/", {"lead_id": lead["id"], "note": "x"})["id"]
    known["/comment/"] = api.post("/comment/", {"object_id": note, "body": "x"})["id"]
    if collection in known:
        return [known[collection]]
    return [entry["id"] for entry in api.get(collection)["data"]]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_generated_requests_are_answered_as_the_document_says(
    filled: Organization, operation: Any, mode: GenerationMode
) -> None:
    api, ids = filled.admin, ids_of(filled, operation.path)

    @examples(6)
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def check(case: Any, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from([None, *ids]), label="an object that is there")
        if id is not None:
            case.path_parameters["id"] = id
        if "object_type" in case.path_parameters and data.draw(st.booleans(), label="a kind"):
            case.path_parameters["object_type"] = data.draw(st.sampled_from(["lead", "activity"]))
        response = case.call(
            base_url=f"{api.program.url}/api/v1", session=HTTP, auth=(api.key, ""), timeout=30
        )
        case.validate_response(response, checks=CHECKS)

    possible(check)


def possible(check: Callable[[], None]) -> None:
    try:
        check()
    except Exception as error:
        if "unsatisfiable" in type(error).__name__.lower():
            return  # there is no way to get this operation wrong
        raise


class Somebody:
    """Who is signed in; another comes when generated requests have made that impossible, by a new
    password or by too many wrong ones."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self.person = make_person(organization)

    def sign_in(self) -> None:
        if self.person.is_in() or self.person.sign_in().status_code == 201:
            return
        self.person = make_person(self._organization)
        assert self.person.sign_in().status_code == 201


@pytest.fixture(scope="module")
def somebody(filled: Organization) -> Somebody:
    return Somebody(filled)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("operation", BESIDE, ids=lambda operation: operation.label)
def test_generated_requests_of_signing_in_are_answered_as_the_document_says(
    somebody: Somebody, operation: Any, mode: GenerationMode
) -> None:
    """By nobody and by somebody, who sends their own password or another."""

    @examples(6)
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def check(case: Any, data: st.DataObject) -> None:
        case.cookies = {}
        if data.draw(st.booleans(), label="signed in"):
            somebody.sign_in()
            case.cookies = somebody.person.browser.cookies.get_dict()
        person = somebody.person
        if isinstance(case.body, dict) and data.draw(st.booleans(), label="the password"):
            case.body |= {"email": person.email, "password": PASSWORD}
        response = case.call(base_url=person.program.url, timeout=30)
        if response.status_code == 201 and "expires_in" in response.text:
            person.browser.cookies.clear()
        case.validate_response(response, checks=CHECKS)

    possible(check)


# Requests that no document describes


class Wire:
    """Sends requests as bytes, over connections that are opened anew when they end."""

    def __init__(self, api: Api) -> None:
        host, _, port = api.program.url.removeprefix("http://").partition(":")
        self._address = (host, int(port))
        self.authorization = b"Basic " + b64encode(f"{api.key}:".encode())

    def send(self, method: bytes, target: bytes, headers: list[bytes], body: bytes) -> int:
        """The status of the answer; 0 where the server closes without one."""
        lines = [
            method + b" " + target + b" HTTP/1.1",
            b"host: localhost",
            b"connection: close",
            b"content-length: %d" % len(body),
            *headers,
        ]
        with socket.create_connection(self._address, timeout=30) as connection:
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            answer = connection.makefile("rb").read()
        return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.fixture(scope="module")
def wire(filled: Organization) -> Iterator[Wire]:
    yield Wire(filled.admin)
    assert filled.admin.get("/me/")["id"] == filled.admin.user_id


PATHS = sorted({path for _, path in operations() if "{" not in path})
SEGMENTS = [b"lead", b"status", b"contact", b"task", b"user", b"me", b"lead_x", b"..", b"", b"%00"]
targets = st.lists(
    st.one_of(
        st.sampled_from(SEGMENTS),
        st.binary(max_size=12).map(lambda b: quote_from_bytes(b).encode()),
    ),
    max_size=5,
).map(lambda segments: b"/api/v1/" + b"/".join(segments))
NAMES = [
    *FIELDS,
    *(f"{name}__in" for name in FIELDS),
    *(f"{name}__gte" for name in FIELDS),
    "_limit",
    "_skip",
    "_fields",
    "_order_by",
    "_dry_run",
    "_total",
    "_params",
    "query",
    "view",
    "id__in",
]
odd_texts = st.one_of(
    st.sampled_from(
        [
            "",
            "0",
            "-1",
            "9" * 30,
            "true",
            "2026-01-01",
            "0001-01-01",
            "9999-12-31T23:59:59-14:00",
            "_all",
            "a,b",
            "NaN",
            "1e9",
        ]
    ),
    st.text(max_size=20),
)
queries = st.lists(
    st.tuples(
        st.sampled_from(NAMES).map(str.encode),
        st.one_of(
            odd_texts.map(
                lambda text: quote_from_bytes(text.encode("utf-8", "surrogatepass")).encode()
            ),
            st.binary(max_size=20).map(lambda raw: quote_from_bytes(raw).encode()),
        ),
    ),
    max_size=5,
).map(lambda pairs: b"&".join(name + b"=" + value for name, value in pairs))
odd_headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"x-http-method-override",
                b"x-tz-offset",
                b"content-type",
                b"accept",
                b"if-match",
                b"range",
                b"cookie",
                b"x-forwarded-for",
                b"expect",
            ]
        ),
        st.one_of(
            st.sampled_from(
                [
                    b"GET",
                    b"PUT",
                    b"DELETE",
                    b"-99",
                    b"1e5",
                    b"nan",
                    b"5.5",
                    b"application/json",
                    b"text/plain",
                ]
            ),
            st.binary(max_size=20).map(
                lambda raw: bytes(byte for byte in raw if byte > 31 and byte != 127)
            ),
        ),
    ).map(lambda pair: pair[0] + b": " + pair[1]),
    max_size=3,
)
odd_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**53, 2**63, -(2**63), 2**64, 10**30, 1e308, -0.0, 0.1]),
        odd_texts,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=5)), inner, max_size=3),
    ),
    max_leaves=8,
)
odd_bodies = st.one_of(
    st.binary(max_size=60),
    st.dictionaries(
        st.sampled_from([*FIELDS, "_params", "email", "phone", "status"]), odd_values, max_size=6
    ).map(lambda body: json.dumps(body).encode()),
)


@examples(250)
@given(
    method=st.sampled_from(
        [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"BREW"]
    ),
    target=targets,
    query=queries,
    headers=odd_headers,
    body=odd_bodies,
)
def test_no_bytes_make_the_server_fail(
    wire: Wire, method: bytes, target: bytes, query: bytes, headers: list[bytes], body: bytes
) -> None:
    sent = [b"authorization: " + wire.authorization, *headers]
    assert wire.send(method, target + b"?" + query, sent, body) < 500


@examples(250)
@given(data=st.data(), query=queries, body=odd_bodies)
def test_no_values_make_a_resource_fail(
    wire: Wire, filled: Organization, data: st.DataObject, query: bytes, body: bytes
) -> None:
    """Bodies and parameters with the names that resources have, on the paths that they have."""
    path = data.draw(st.sampled_from(PATHS), label="path")
    method = data.draw(st.sampled_from([b"GET", b"POST", b"PUT"]), label="method")
    headers = [b"authorization: " + wire.authorization, b"content-type: application/json"]
    target = f"/api/v1{path}".encode() + b"?" + query
    assert wire.send(method, target, headers, body) < 500


@pytest.fixture(scope="module")
def changing(program: Program) -> Api:
    """An organization of its own, since what another test deletes would be missed here."""
    api = make_organization(program).admin
    lead = api.post("/lead/", {"contacts": [{"name": "Ada"}]})
    api.post("/opportunity/", {"lead_id": lead["id"]})
    api.post("/account/", {"name": "Harbour Group"})
    api.post("/task/", {"lead_id": lead["id"], "text": "Call"})
    return api


@examples(150)
@given(data=st.data(), body=odd_bodies)
def test_no_values_make_a_change_fail(changing: Api, data: st.DataObject, body: bytes) -> None:
    names = [
        "lead",
        "contact",
        "opportunity",
        "account",
        "task",
        "status/lead",
        "pipeline",
        "status/opportunity",
    ]
    name = data.draw(st.sampled_from(names), label="resource")
    wire, known = Wire(changing), changing.get(f"/{name}/", _limit=3, _fields="id")["data"]
    target = f"/api/v1/{name}/{data.draw(st.sampled_from(known))['id']}/".encode()
    headers = [b"authorization: " + wire.authorization, b"content-type: application/json"]
    assert wire.send(b"PUT", target, headers, body) < 500


@examples(100)
@given(
    authorization=st.one_of(
        st.binary(max_size=40), st.binary(max_size=40).map(lambda raw: b"Basic " + b64encode(raw))
    )
)
def test_no_credentials_make_the_server_fail(wire: Wire, authorization: bytes) -> None:
    shown = bytes(byte for byte in authorization if byte > 31 and byte != 127)
    assert wire.send(b"GET", b"/api/v1/me/", [b"authorization: " + shown], b"") in (0, 400, 401)
