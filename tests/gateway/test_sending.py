"""Apps elsewhere: a second server that stands for close.com, and one that is in trouble."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness import SECRET_KEY, Organization, document, make_organization

from clinch.gateway.actions.catalog import ACTIONS
from clinch.gateway.api import ApiRequest
from clinch.gateway.connections.assembly import ConnectionRoom, connection_room
from clinch.gateway.connections.connection import Wanted
from clinch.gateway.connections.sending import Sender
from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.connectors.clients import OAuthClients
from clinch.gateway.connectors.close import close
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.errors import ActionFailed, ConnectionFailed, InvalidRequest
from clinch.gateway.running.actions import Actions, Options
from clinch.gateway.running.finding import Finder, Scope
from clinch.gateway.running.run_logs import RunLog
from clinch.gateway.running.saved_actions import SavedActions
from clinch.gateway.tenancy.access import Access, Caller
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.identity.credentials import Authenticator
from clinch.outbound.guard import Guard, read_allowed
from clinch.outbound.http import Client, HttpAnswer
from clinch.vault.vault import Vault


@dataclass
class Elsewhere:
    """The gateway of one organization, and the CRM of another that stands for close.com."""

    organization: Organization
    other: Organization
    room: ConnectionRoom
    actions: Actions
    caller: Caller

    def run(self, work: Any) -> Any:
        return self.organization.program.run(work)

    def act(self, key: str, input: Any, **options: Any) -> Any:
        done = self.actions.run(self.caller, Scope(), key, input, Options(**options))
        return self.run(done).output


@pytest.fixture
def elsewhere(organization: Organization) -> Iterator[Elsewhere]:
    program = organization.program
    database, vault = program.store.database, Vault(SECRET_KEY)
    tenant_vault = TenantVault(vault)
    place = urlsplit(program.url)
    client = Client(Guard(read_allowed(f"{place.hostname}:{place.port}")))
    shipped = [close(document(), "https://crm.example", program.url)]
    catalogs = Catalogs(shipped, ImportedConnectors(database, frozenset()))
    clients = OAuthClients({}, frozenset())
    room = connection_room(
        database, tenant_vault, catalogs, clients, lambda: _nobody, client, "https://crm.example"
    )
    finder = Finder(catalogs, room.connections, ACTIONS, SavedActions(database))
    actions = Actions(finder, room.calls, RunLog(database, tenant_vault))
    access = Access(database, vault, Authenticator(database))
    caller = program.run(access.caller(organization.admin.key, organization.system.clock()))
    other = make_organization(program, "Their Sales")
    made = Elsewhere(organization, other, room, actions, caller)
    wanted = Wanted("close", "close-com-api-key", input={"apiKey": other.admin.key})
    made.run(room.lifecycle.create(caller, wanted, organization.system.clock()))
    yield made
    program.run(client.close())


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the request was meant for another server")


def test_the_same_actions_work_elsewhere(elsewhere: Elsewhere) -> None:
    made = elsewhere.act("create-lead", {"name": "Theirs", "contacts": ["Ada Moss"]})
    found = elsewhere.act("list-leads", {"limit": 5})
    assert [one["id"] for one in found["items"]] == [made["id"]]
    assert elsewhere.other.admin.get("/lead/")["total_results"] == 1
    assert elsewhere.organization.admin.get("/lead/")["total_results"] == 0
    assert elsewhere.act("api-get-lead", {"id": made["id"], "_fields": "name"}) == {
        "name": "Theirs"
    }


def test_what_cannot_be_tried_elsewhere_is_not_done(elsewhere: Elsewhere) -> None:
    with pytest.raises(ActionFailed, match="cannot try"):
        elsewhere.act("create-lead", {"name": "x"}, dry_run=True)
    with pytest.raises(InvalidRequest, match="cannot be tried"):
        elsewhere.act("api-create-lead", {"name": "x"}, dry_run=True)
    assert elsewhere.other.admin.get("/lead/")["total_results"] == 0


def test_a_key_that_does_not_hold_is_not_kept(elsewhere: Elsewhere) -> None:
    wanted = Wanted("close", "close-com-api-key", input={"apiKey": "api_wrong.key"}, again=True)
    now = elsewhere.organization.system.clock()
    with pytest.raises(InvalidRequest, match="401"):
        elsewhere.run(elsewhere.room.lifecycle.create(elsewhere.caller, wanted, now))
    assert elsewhere.caller.tenant is not None
    assert len(elsewhere.run(elsewhere.room.connections.of_tenant(elsewhere.caller.tenant))) == 1


@dataclass
class Troubled:
    """A server that gives these answers in turn: a status and headers, or None to break off."""

    answers: list[tuple[int, dict[str, str]] | None] = field(default_factory=list)
    seen: int = 0
    url: str = ""


@pytest.fixture
def troubled() -> Iterator[Troubled]:
    told = Troubled()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            told.seen += 1
            answer = told.answers.pop(0) if told.answers else (200, {})
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            for name, value in answer[1].items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = answer

        def log_message(self, format: str, *values: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def ask(troubled: Troubled, method: str = "GET", times: int = 1) -> list[HttpAnswer]:
    async def run() -> list[HttpAnswer]:
        place = urlsplit(troubled.url)
        client = Client(Guard(read_allowed(f"{place.hostname}:{place.port}")))
        sender = Sender(client)
        try:
            request = ApiRequest(method, "/x", body=b"" if method == "POST" else None)
            reads = method == "GET"
            return [
                await (await sender.send("conn", troubled.url, request, reads=reads)).whole()
                for _ in range(times)
            ]
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answers", "status", "seen"),
    [
        ([(503, {})], 200, 2),
        ([(502, {}), (504, {})], 200, 3),
        ([(503, {})] * 3, 503, 3),
        ([(429, {"Retry-After": "0"})], 200, 2),
        ([(429, {"Retry-After": "600"})], 429, 1),
        ([(429, {"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"})], 429, 1),
        ([(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})], 200, 2),
        ([(500, {})], 500, 1),
        ([None], 200, 2),
    ],
)
def test_what_reads_is_asked_again(
    troubled: Troubled, answers: list[Any], status: int, seen: int
) -> None:
    troubled.answers = list(answers)
    [answer] = ask(troubled)
    assert (answer.status, troubled.seen) == (status, seen)


def test_what_writes_is_sent_once(troubled: Troubled) -> None:
    troubled.answers = [(503, {}), None]
    assert ask(troubled, "POST")[0].status == 503
    with pytest.raises(ConnectionFailed) as failed:
        ask(troubled, "POST")
    assert failed.value.data["sent"] is True
    assert troubled.seen == 2


def test_a_server_in_trouble_is_not_asked_much_more(troubled: Troubled) -> None:
    troubled.answers = [(503, {"Retry-After": "0"})] * 200
    ask(troubled, times=20)
    assert 20 < troubled.seen <= 20 + 5 + 20 * 0.2
