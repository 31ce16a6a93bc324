"""`POST /connectors` and `connector add URL`: a document by its address becomes a connector."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from harness import Organization, Program, make_organization, serve
from server.gateway.desk import Desk, limited_desk, signed_desk, user_desk

from clinch.cli.administration.commands import administer
from clinch.cli.administration.telling import CommandError
from clinch.program import declarations
from clinch.resources.actor import OperationClass

DOCUMENT = {
    "openapi": "3.0.0",
    "info": {"title": "Boat Yard"},
    "servers": [{"url": "/v1"}],
    "paths": {
        "/boats": {"get": {"operationId": "listBoats", "responses": {}}},
        "/boats/{id}": {"get": {"operationId": "getBoat", "responses": {}}},
    },
}
PACKED = "gzip"


@pytest.fixture
def site() -> Iterator[str]:
    """Where the document is, and what goes wrong with it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = {"/moved": 302, "/gone": 404}.get(self.path, 200)
            body = {"/large": b" " * 10_000_001, "/html": b"<html>"}.get(
                self.path, json.dumps(DOCUMENT).encode()
            )
            self.send_response(status)
            if self.path == "/moved":
                self.send_header("Location", "https://elsewhere.example/doc")
            if self.path == "/packed":
                self.send_header("Content-Encoding", PACKED)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *values: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def program(cluster: str, site: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.setenv("CLINCH_ALLOW_PRIVATE", site.removeprefix("http://"))
    with serve(cluster, declarations) as served:
        yield served


@pytest.fixture
def desk(program: Program) -> Desk:
    return user_desk(make_organization(program))


WRONG = [
    ("/moved", "https://elsewhere.example/doc"),
    ("/gone", "404"),
    ("/large", "10 MB"),
    ("/packed", "compressed"),
    ("/html", "no OpenAPI document"),
    ("/doc#part", "fragment"),
]


def test_a_document_is_fetched(desk: Desk, site: str) -> None:
    made = desk.ask("POST", "/connectors", {"url": f"{site}/doc", "name": "Boats"})
    assert made.status_code == 200, made.text
    told = made.json()
    assert (told["key"], told["operationsCount"]) == ("boats", 1)
    assert told["skipped"] == ["GET /boats/{id}: nothing says what id is"]
    assert [one["key"] for one in told["options"]] == ["none"]
    connection = desk.ask("POST", "/connections", {"connectorKey": "boats", "input": {}})
    # Its address was relative to where the document is.
    raw = desk.get(f"/connections/{connection.json()['id']}/proxy/boats")
    assert raw["openapi"] == "3.0.0"
    again = desk.ask("POST", "/connectors", {"url": f"{site}/doc", "name": "Boats"})
    assert again.json()["key"] == "already_exists"
    assert desk.ask("DELETE", "/connectors/boats").status_code == 200
    assert desk.ask("DELETE", "/connectors/boats").status_code == 404
    assert desk.ask("GET", "/connectors/boats").status_code == 404


def test_a_document_is_sent_along(desk: Desk) -> None:
    whole = {**DOCUMENT, "servers": [{"url": "https://api.boats.example"}]}
    made = desk.ask("POST", "/connectors", {"document": whole, "key": "one"}).json()
    text = desk.ask(
        "POST",
        "/connectors",
        {
            "document": json.dumps(DOCUMENT),
            "key": "two",
            "baseUrl": "https://api.boats.example",
            "domains": ["boats.example"],
        },
    ).json()
    assert (made["key"], text["key"], text["domains"]) == ("one", "two", ["boats.example"])
    relative = desk.ask("POST", "/connectors", {"document": DOCUMENT})
    assert "at which address the app is" in relative.json()["message"]


@pytest.mark.parametrize(("path", "word"), WRONG, ids=[path for path, _ in WRONG])
def test_what_cannot_be_fetched_says_why(desk: Desk, site: str, path: str, word: str) -> None:
    refused = desk.ask("POST", "/connectors", {"url": f"{site}{path}"})
    assert (refused.status_code, word in refused.json()["message"]) == (400, True), refused.text
    assert desk.ask("GET", "/connectors/boat-yard").status_code == 404


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://boats.example/doc", "https"),
        ("https://127.0.0.1:1/doc", "CLINCH_ALLOW_PRIVATE"),
        ("http://localhost:1/doc", "CLINCH_ALLOW_PRIVATE"),
        ("https://169.254.169.254/latest", "CLINCH_ALLOW_PRIVATE"),
        ("https://ada:secret@boats.example/", "neither a user"),
        ("file:///etc/passwd", "no address"),
        ("https://[/", "no address"),
        ("https://a b/", "no address"),
    ],
)
def test_where_nobody_is_sent(desk: Desk, url: str, word: str) -> None:
    refused = desk.ask("POST", "/connectors", {"url": url})
    assert (refused.status_code, word in refused.json()["message"]) == (400, True), refused.text


def test_it_takes_a_manager_and_one_document(
    program: Program, organization: Organization, site: str
) -> None:
    ours = make_organization(program)
    body = {"url": f"{site}/doc"}
    for desk in (
        signed_desk(ours, tenantKey="acme"),
        limited_desk(ours, OperationClass.READ),
        Desk(program.url, ours.member("user").key),
    ):
        assert desk.ask("POST", "/connectors", body).status_code == 403
        assert desk.ask("DELETE", "/connectors/boat-yard").status_code == 403
    manager = signed_desk(ours, isAdmin=True)
    for wrong in ({}, {**body, "document": {}}, {"url": 7}, {**body, "x": 1}):
        assert manager.ask("POST", "/connectors", wrong).status_code == 400
    assert manager.ask("POST", "/connectors", body).status_code == 200


def test_the_command_fetches_too(
    program: Program,
    organization: Organization,
    site: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def add(source: str) -> None:
        told: dict[str, Any] = {"key": None, "name": None, "domain": [], "base_url": None}
        told |= {"json": True, "source": source, "organization": organization.system.organization}
        organization.program.run(administer(organization.program.store, "connector add", told))

    add(f"{site}/doc")
    assert json.loads(capsys.readouterr().out)["baseUrl"] == f"{site}/v1"
    with pytest.raises(CommandError, match="404"):
        add(f"{site}/gone")
    monkeypatch.setenv("CLINCH_ALLOW_PRIVATE", "")
    with pytest.raises(CommandError, match="CLINCH_ALLOW_PRIVATE"):
        add(f"{site}/doc")
    monkeypatch.setenv("CLINCH_ALLOW_PRIVATE", "nonsense")
    with pytest.raises(CommandError, match="ADDRESS:PORT"):
        add(f"{site}/doc")
