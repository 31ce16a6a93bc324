"""`POST /connect` and the events by which a page hears what came of it, request by request."""

import json
import time
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from harness import Organization, Program, make_organization, serve
from server.gateway.desk import Desk, signed_desk, user_desk
from server.oauth.browser import Browser

from clinch.program import declarations

SITE = "https://app.example"
BACK = f"{SITE}/back"
BY_KEY = {"connectorKey": "close", "authOptionKey": "api-key"}


def connect_by_form(
    desk: Desk, id: Any, origin: str | None = SITE, **more: Any
) -> requests.Response:
    """What a product's page sends; no redirect is followed."""
    return requests.post(
        f"{desk.url}/connect",
        data={"payload": json.dumps({"token": desk.token, "requestId": id, **more})},
        headers={"Origin": origin} if origin else {},
        allow_redirects=False,
        timeout=30,
    )


def listen(desk: Desk, id: str, **headers: str) -> requests.Response:
    """The events, as a browser asks for them: the token is in the query."""
    return requests.get(
        f"{desk.url}/sse/connection-events/{id}",
        params={"token": desk.token, "timeout": "2"},
        headers=headers,
        stream=True,
        timeout=30,
    )


def messages(answer: requests.Response) -> list[Any]:
    lines = [line.partition(b": ") for line in answer.iter_lines()]
    return [json.loads(data) for name, _, data in lines if name == b"data"]


@pytest.fixture
def desk(organization: Organization) -> Desk:
    return signed_desk(organization, tenantKey="acme")


@pytest.fixture
def sent(organization: Organization) -> dict[str, Any]:
    """What connects at once."""
    return BY_KEY | {"input": {"apiKey": organization.admin.key}}


def test_it_is_heard_by_whoever_holds_the_token_and_by_nobody_else(
    organization: Organization, desk: Desk, sent: dict[str, Any]
) -> None:
    assert connect_by_form(desk, "one", **sent).status_code == 200
    heard = listen(desk, "one")
    assert heard.headers["content-type"] == "text/event-stream"
    assert heard.headers["cache-control"] == "no-store"
    assert heard.headers["access-control-allow-origin"] == "*"
    [message] = messages(heard)
    [connection] = desk.get("/connections")["items"]
    assert message == {
        "source": "integration.app",
        "requestId": "one",
        "type": "newConnectionCreated",
        "connection": connection,
    }
    assert messages(listen(signed_desk(organization, tenantKey="acme"), "one")) == [message]
    others = (
        signed_desk(organization, tenantKey="beta"),
        user_desk(organization),
        signed_desk(make_organization(organization.program), tenantKey="acme"),
    )
    for other in others:
        assert messages(listen(other, "one")) == []
    assert listen(Desk(desk.url, ""), "one").status_code == 401
    assert listen(signed_desk(organization, isAdmin=True), "one").status_code == 403
    told = listen(desk, "one", **{"Last-Event-ID": "told"})
    assert (told.status_code, told.content) == (204, b"")


def test_a_token_in_the_query_is_for_events_alone(desk: Desk) -> None:
    for path in ("/self", "/connections", "/connections/sse/proxy/sse/"):
        answer = requests.get(f"{desk.url}{path}", params={"token": desk.token}, timeout=30)
        assert answer.status_code == 401, path


@pytest.fixture
def another_process(cluster: str) -> Iterator[Program]:
    with serve(cluster, declarations) as other:
        yield other


def test_it_is_heard_in_another_process(
    another_process: Program, desk: Desk, sent: dict[str, Any]
) -> None:
    with listen(Desk(another_process.url, desk.token), "one") as heard:
        lines = heard.iter_lines(chunk_size=1)
        assert next(lines) == b": waiting"
        connect_by_form(desk, "one", **sent)
        found = [line for line in lines if line.startswith(b"data: ")]
    assert [json.loads(line[6:])["connection"]["state"] for line in found] == ["READY"]


def test_not_more_listen_than_can_be_looked_for(organization: Organization, desk: Desk) -> None:
    lines = [listen(desk, f"n{number}") for number in range(20)]
    assert {line.status_code for line in lines} == {200}
    refused = listen(desk, "one more")
    assert (refused.status_code, refused.json()["key"]) == (429, "rate_limit_exceeded")
    assert listen(signed_desk(organization, tenantKey="beta"), "one").status_code == 200
    for line in lines:
        line.close()
    ends = time.monotonic() + 1.5  # before their time is over
    while listen(desk, "one").status_code != 200:
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_a_token_is_in_no_log(
    desk: Desk, sent: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    connect_by_form(desk, "one", **sent)
    assert messages(listen(desk, "one"))
    assert messages(listen(desk, "%00")) == []
    assert listen(Desk(desk.url, f"{desk.token}\x00"), "one").status_code == 400
    logged, ends = "", time.monotonic() + 20
    while '"status":400' not in logged:
        logged += capfd.readouterr().err
        assert time.monotonic() < ends
    assert '"route":"/sse/connection-events/{}"' in logged
    assert desk.token not in logged
    assert sent["input"]["apiKey"] not in logged


def test_the_page_tells_the_site_that_sent_the_form(desk: Desk, sent: dict[str, Any]) -> None:
    id = '"><script>alert(1)</script>'
    page = connect_by_form(desk, id, **sent)
    assert page.text.count("<script") == 1
    assert f'data-origin="{SITE}"' in page.text
    told = json.loads(unescape(page.text.partition('data-message="')[2].partition('"')[0]))
    assert (told["requestId"], told["connection"]["state"]) == (id, "READY")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert policy.count("script-src 'sha256-") == 1
    assert "unsafe" not in policy


@pytest.mark.parametrize("origin", [None, "null", "*", "https://a.example/", 'https://"x'])
def test_without_a_site_nobody_is_told(
    desk: Desk, sent: dict[str, Any], origin: str | None
) -> None:
    page = connect_by_form(desk, "one", origin, **sent)
    assert (page.status_code, "<script" in page.text) == (200, False)
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert len(messages(listen(desk, "one"))) == 1


def test_a_person_is_asked_first_on_our_page(desk: Desk) -> None:
    """A site that sends the form in somebody's browser connects nothing by that alone."""
    answer = connect_by_form(desk, "one", **BY_KEY)
    assert (answer.status_code, dict(answer.cookies)) == (303, {})
    assert answer.headers["location"].startswith(f"{desk.url}/connect/")
    assert messages(listen(desk, "one")) == []
    page = requests.get(answer.headers["location"], timeout=30)
    assert "app.example asks for it, for acme." in page.text
    assert page.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
    assert page.headers["X-Frame-Options"] == "DENY"
    plain = desk.ask("POST", "/connections", BY_KEY).json()["clientAction"]["uiUrl"]
    other = requests.get(plain, timeout=30)
    assert other.headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example/back",
        "//app.example/back",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example@evil.example/",
        "https://app.example/\\evil.example",
        "https://app.example/#a",
        "https://app.example/\r\nset-cookie: a=b",
        "https://",
        "",
        7,
    ],
)
def test_a_browser_is_sent_to_proper_addresses_alone(
    desk: Desk, sent: dict[str, Any], uri: Any
) -> None:
    answer = connect_by_form(desk, "one", redirectUri=uri, **sent)
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert "redirect" in answer.text
    assert desk.get("/connections")["items"] == []


def test_a_browser_is_sent_nowhere_without_a_token_that_holds(
    organization: Organization, sent: dict[str, Any]
) -> None:
    manager = signed_desk(organization, isAdmin=True)
    for token, status in (("", 401), ("nonsense", 401), (manager.token, 403)):
        answer = connect_by_form(Desk(manager.url, token), "one", redirectUri=BACK, **sent)
        assert (answer.status_code, "location" in answer.headers) == (status, False)
        assert "<script" not in answer.text


def test_a_redirect_tells_the_id_or_what_was_wrong(desk: Desk, sent: dict[str, Any]) -> None:
    done = connect_by_form(desk, "one", redirectUri=f"{BACK}?state=a", **sent)
    [connection] = desk.get("/connections")["items"]
    assert done.status_code == 303
    assert done.headers["location"] == f"{BACK}?state=a&connectionId={connection['id']}"
    failed = connect_by_form(desk, "two", redirectUri=BACK, connectorKey="nothing")
    told = parse_qs(urlsplit(failed.headers["location"]).query)
    assert (failed.status_code, set(told)) == (303, {"error", "errorData"})
    assert told["error"] == ["No app has this id or key."]
    assert json.loads(told["errorData"][0])["key"] == "not_found"
    [message] = messages(listen(desk, "two"))
    assert (message["type"], message["error"]) == ("newConnectionFailure", told["error"][0])


def test_a_request_for_a_connection_can_be_gone_on_with(desk: Desk, sent: dict[str, Any]) -> None:
    asked = desk.ask("POST", "/connection-requests", BY_KEY).json()
    connect_by_form(desk, "one", connectionRequestId=asked["id"], **sent)
    told = desk.get(f"/connection-requests/{asked['id']}")
    assert told["status"] == "success"
    [message] = messages(listen(desk, "one"))
    assert message["connection"]["id"] == told["resultConnectionId"]


def test_what_a_form_may_not_say(desk: Desk, sent: dict[str, Any]) -> None:
    for id in (None, "", 7, "x" * 101, "a\n"):
        assert connect_by_form(desk, id, **sent).status_code == 400, id
    for wrong in (
        {"connectionId": 7},
        {"connectionId": "conn\x00"},
        {"connectionRequestId": "conn_1"},
        {"connectorKey": None},
        {"input": "text"},
    ):
        answer = connect_by_form(desk, "one", **sent | wrong)
        assert answer.status_code in (400, 404), wrong
        [message] = messages(listen(desk, "one"))
        assert message["type"] == "newConnectionFailure"
    nested = f"payload={'[' * 9999}"
    for body in ("", "payload=", "payload=[]", "payload=%7B", "payload=%FF", nested):
        answer = requests.post(
            f"{desk.url}/connect",
            data=body,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=30,
        )
        assert answer.status_code == 400, body[:20]
    assert desk.get("/connections")["items"] == []


def test_the_same_request_may_begin_again(
    organization: Organization, desk: Desk, sent: dict[str, Any]
) -> None:
    """As by a page that is loaded anew."""
    connect_by_form(desk, "one", connectorKey="nothing")
    page = connect_by_form(desk, "one", **BY_KEY).headers["location"]
    assert messages(listen(desk, "one")) == []
    Browser(desk.url).open(page).send(apiKey=organization.admin.key)
    [message] = messages(listen(desk, "one"))
    assert message["type"] == "newConnectionCreated"
