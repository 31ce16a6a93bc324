"""An app that an organization brought along as an OpenAPI document, connected and used."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from harness import Organization, make_organization, serve
from server.gateway.desk import Desk, user_desk

from clinch.db.database import Tenant
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.connectors.importing import Wanted
from clinch.gateway.connectors.shipped import SHIPPED_KEYS
from clinch.program import declarations

KEY = "the yard's own key"


@dataclass
class Yard:
    """The app: it keeps boats, and wants its key in a header."""

    url: str = ""
    seen: list[tuple[str, str, str | None, Any]] = field(default_factory=list)


@pytest.fixture
def yard() -> Iterator[Yard]:
    noted = Yard()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            key = self.headers.get("x-key")
            is_json = self.headers.get("content-type") == "application/json"
            noted.seen.append((self.command, self.path, key, json.loads(body) if is_json else None))
            answer: Any = {"boat": self.path, "sent": body.decode()}
            status = 200
            if key != KEY:
                answer, status = {"error": {"code": 7, "message": "This opens no gate"}}, 401
            elif self.path.endswith("/sunk"):
                answer, status = {"errors": [{"message": "It went down"}]}, 410
            told = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, format: str, *values: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    noted.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield noted
    server.shutdown()
    thread.join()
    server.server_close()


def document(yard: Yard) -> bytes:
    id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    body = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Boat Yard", "version": "1"},
            "servers": [{"url": f"{yard.url}/v1"}],
            "components": {
                "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
            },
            "paths": {
                "/boats/{id}": {
                    "get": {
                        "operationId": "getBoat",
                        "summary": "Look at a boat in the yard",
                        "parameters": [id],
                        "responses": {"200": {"description": "Done"}},
                    },
                    "delete": {
                        "operationId": "scrapBoat",
                        "summary": "Scrap a boat",
                        "parameters": [id],
                        "responses": {"200": {"description": "Done"}},
                    },
                },
                "/boats": {
                    "post": {
                        "operationId": "launchBoat",
                        "summary": "Launch a new boat",
                        "requestBody": {
                            "required": True,
                            "content": {"application/json": {"schema": body}},
                        },
                        "responses": {"200": {"description": "Done"}},
                    }
                },
            },
        }
    ).encode()


@pytest.fixture
def desk(cluster: str, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A user of an organization that has the app, on a server that may reach it."""
    monkeypatch.setenv("CLINCH_ALLOW_PRIVATE", yard.url.removeprefix("http://"))
    with serve(cluster, declarations) as program:
        organization = make_organization(program)
        imported = ImportedConnectors(program.store.database, SHIPPED_KEYS)
        program.run(
            imported.add(
                organization.actor().tenant,
                document(yard),
                Wanted(domains=("boats.example",)),
                organization.system.clock(),
            )
        )
        yield user_desk(organization)


def connect(desk: Desk) -> Any:
    [app] = desk.get("/search", q="boat yard")["items"]
    [option] = desk.ask("POST", "/connection-options", {"connectorId": app["element"]["id"]}).json()
    [name] = option["inputSchema"]["properties"]
    made = desk.ask(
        "POST", "/connections", {"connectorId": app["element"]["id"], "input": {name: KEY}}
    )
    assert made.status_code == 200, made.text
    return made.json()


def test_an_app_of_ones_own_is_connected_and_used(desk: Desk, yard: Yard) -> None:
    connection = connect(desk)
    assert (connection["state"], connection["connectorName"]) == ("READY", "Boat Yard")
    [found] = desk.get("/actions", intent="look at a boat", limit=1)["items"]
    assert (found["id"], found["connectionId"]) == ("boat-yard-get-boat", connection["id"])
    ran = desk.ask("POST", f"/actions/{found['id']}/run", {"input": {"id": "b 1"}}).json()
    assert ran["output"]["boat"] == "/v1/boats/b%201"
    assert ran["untrusted"] == [""]
    launched = desk.ask("POST", "/actions/boat-yard-launch-boat/run", {"input": {"name": "Ada"}})
    assert launched.status_code == 200
    assert yard.seen[-1] == ("POST", "/v1/boats", KEY, {"name": "Ada"})
    raw = desk.get(f"/connections/{connection['id']}/proxy/boats/7?x=1")
    assert raw["boat"] == "/v1/boats/7?x=1"
    tried = desk.ask(
        "POST", "/actions/boat-yard-scrap-boat/run", {"input": {"id": "7"}}, dryRun="true"
    )
    assert tried.status_code == 400
    assert ("DELETE", "/v1/boats/7", KEY, None) not in yard.seen


def test_the_apps_own_words_are_passed_on(desk: Desk) -> None:
    [app] = desk.get("/search", q="boat yard")["items"]
    wanted = {"connectorId": app["element"]["id"]}
    [option] = desk.ask("POST", "/connection-options", wanted).json()
    wrong = dict.fromkeys(option["inputSchema"]["properties"], "wrong")
    refused = desk.ask("POST", "/connections", wanted | {"input": wrong})
    assert refused.status_code == 400
    assert refused.json()["message"] == "Boat Yard does not take this (401): This opens no gate"
    connect(desk)
    failed = desk.ask("POST", "/actions/boat-yard-get-boat/run", {"input": {"id": "sunk"}}).json()
    assert failed["type"] == "action_run"
    assert failed["message"] == "Boat Yard refused this (410): It went down"
    assert (failed["data"]["status"], failed["data"]["error"]) == (410, "It went down")
    arguments = {"action": "boat-yard-get-boat", "input": {"id": "sunk"}}
    by_mcp = desk.by_mcp("tools/call", name="run_read_action", arguments=arguments)
    assert by_mcp["isError"]
    assert json.loads(by_mcp["content"][0]["text"])["message"] == failed["message"]


def test_actions_of_several_apps_are_found_together(desk: Desk) -> None:
    boats = connect(desk)
    crm = desk.ask("POST", "/connections", {"connectorKey": "close"}).json()
    for intent, id, connection in (
        ("launch a boat", "boat-yard-launch-boat", boats["id"]),
        ("add a person to a company", "create-contact", crm["id"]),
    ):
        [found] = desk.get("/actions", intent=intent, limit=1)["items"]
        assert (found["id"], found["connectionId"]) == (id, connection)
    assert desk.ask("POST", "/connections/ensure", {"appUrl": "boats.example"}).status_code == 200


def test_a_connector_that_was_removed(desk: Desk, cluster: str) -> None:
    connection = connect(desk)
    with serve(cluster, declarations) as program:
        imported = ImportedConnectors(program.store.database, SHIPPED_KEYS)
        tenant = program.run(_organization_of(program, connection["id"]))
        program.run(imported.remove(tenant, "boat-yard"))
    assert desk.get("/connections")["items"] == []
    told = desk.ask("GET", f"/connections/{connection['id']}")
    assert (told.status_code, told.json()["type"]) == (400, "configuration")
    assert desk.get("/search", q="boat yard")["items"] == []


async def _organization_of(program: Any, connection: str) -> Any:
    async with program.store.database.owner() as transaction:
        return Tenant(
            await transaction.value(
                "select organization_id::text from gateway_connection where id = $1", connection
            )
        )


def test_nobody_else_has_it(desk: Desk, organization: Organization) -> None:
    assert desk.get("/search", q="boat yard")["items"]
    assert user_desk(organization).get("/search", q="boat yard")["items"] == []


def test_a_request_of_ones_own_is_saved_for_it(desk: Desk, yard: Yard) -> None:
    connection = connect(desk)
    request: dict[str, Any] = {
        "method": "POST",
        "path": "/boats/{id}/{part}",
        "pathParameters": {"id": {"$var": "$.input.boat.id"}},
        "query": {"tag": {"$var": "$.input.tags"}, "note": "for {{input.who}}"},
        "headers": {"X-Reason": "{{input.who}}", "X-Other": {"$var": "$.input.other"}},
        "body": {
            "parts": ["{{input.part}}", {"$var": "$.input.other"}],
            "n": {"$var": "$.input.n"},
        },
    }
    saved = {"key": "fit", "config": {"request": request}, "connectionId": connection["id"]}
    guessed = {**request, "headers": {"x-key": "mine"}}
    refused = desk.ask("POST", "/actions", {**saved, "config": {"request": guessed}})
    assert "the connection has the secrets" in refused.json()["message"]
    assert desk.ask("POST", "/actions", saved).json()["state"] == "READY"
    input = {"boat": {"id": "b/1"}, "part": "mast", "tags": ["new", "tall"], "who": "Ada", "n": 2}
    ran = desk.ask("POST", "/actions/fit/run", {"input": input})
    assert ran.status_code == 200, ran.text
    assert yard.seen[-1] == (
        "POST",
        "/v1/boats/b%2F1/mast?tag=new&tag=tall&note=for+Ada",
        KEY,
        {"parts": ["mast"], "n": 2},
    )
    seen = len(yard.seen)
    tried = desk.ask("POST", "/actions/fit/run", {"input": input}, dryRun="true")
    outside = desk.ask("POST", "/actions/fit/run", {"input": {**input, "who": "A\nB: c"}})
    missing = desk.ask("POST", "/actions/fit/run", {"input": {**input, "boat": {}}})
    assert [one.status_code for one in (tried, outside, missing)] == [400, 400, 400]
    assert len(yard.seen) == seen
    form = {
        "method": "POST",
        "path": "/boats",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "body": {"name": "A b", "sizes": ["1", "2"]},
    }
    sent = desk.ask("POST", "/act", {"api": form}).json()["output"]["sent"]
    assert sent == "name=A+b&sizes=1%2C2"
