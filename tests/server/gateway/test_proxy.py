"""Raw requests through a connection: each byte of them, when it comes, and what ends them."""

import gzip
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness import Program, make_organization, serve
from recording import RecordingDatabase
from server.gateway.desk import Desk, user_desk
from server.gateway.wire import PIECE, App, Request, echoes, reads_all, serving, until

from clinch.program import declarations
from clinch.server.gateway import line

KEY = "the yard's own key"
MB = 1_000_000


@dataclass
class Through:
    """The way through the gateway to the app."""

    desk: Desk
    path: str
    app: App
    program: Program
    lines: list[Any] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> HTTPResponse:
        """The answer to a request, of which nothing but the head is read yet."""
        parts = urlsplit(self.desk.url)
        line = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        self.lines.append(line)
        proof = {"Authorization": f"Bearer {self.desk.token}"}
        line.request(method, f"{self.path}{path}", body, proof | headers)
        self.lines.append(answer := line.getresponse())
        return answer

    @contextmanager
    def raw(self, request: bytes) -> Iterator[socket.socket]:
        """A socket over which the beginning of a request was sent, `PATH` and `TOKEN` in it being
        those of the connection."""
        parts = urlsplit(self.desk.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as opened:
            named = request.replace(b"PATH", self.path.encode())
            opened.sendall(named.replace(b"TOKEN", self.desk.token.encode()))
            yield opened


@pytest.fixture
def app() -> Iterator[App]:
    with serving() as app:
        yield app


@pytest.fixture
def through(cluster: str, app: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[Through]:
    monkeypatch.setenv("CLINCH_ALLOW_PRIVATE", app.url.removeprefix("http://"))
    with serve(cluster, declarations, connect=RecordingDatabase) as program:
        desk = user_desk(make_organization(program))
        made = desk.ask("POST", "/connectors", {"document": document(app)})
        assert made.status_code == 200, made.text
        [name] = made.json()["options"][0]["inputSchema"]["properties"]
        wanted = {"connectorKey": "boat-yard", "input": {name: KEY}}
        connection = desk.ask("POST", "/connections", wanted).json()
        app.seen.clear()
        through = Through(desk, f"/connections/{connection['id']}/proxy", app, program)
        yield through
        for line in through.lines:
            line.close()


def document(app: App) -> Any:
    done = {"responses": {"200": {"description": "Done"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Boat Yard", "version": "1"},
        "servers": [{"url": f"{app.url}/v1"}],
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
        },
        "paths": {"/boats": {"get": {"operationId": "listBoats", **done}}},
    }


def test_a_request_passes_as_it_is(through: Through) -> None:
    body = bytes(range(256))
    head = (
        b"POST PATH/a%2Fb//c;d?q=%20x&q=y&&%00=%zz HTTP/1.1\r\nHost: gateway.example\r\n"
        b"Authorization: Bearer TOKEN\r\nCookie: clinch_session=a\r\nX-One: 1\r\nX-One: 2\r\n"
        b"Connection: X-Mine, close\r\nX-Mine: only ours\r\nTE: trailers\r\n"
        b"Expect: 100-continue\r\n"
        b'Content-Type: text/odd; x="y"\r\nX-Name: Z\xc3\xbcrich\r\nAccept-Encoding: br\r\n'
        b"Content-Encoding: br\r\nAccept: a/b\r\nContent-Length: 256\r\n\r\n"
    )
    with through.raw(head + body) as line:
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.endswith(b"\r\n\r\n" + body)
    [seen] = through.app.seen
    first, *rest = seen.head.split(b"\r\n")
    assert first == b"POST /v1/a%2Fb//c;d?q=%20x&q=y&&%00=%zz HTTP/1.1"
    assert sorted(one.lower() for one in rest) == sorted(
        (
            b"host: " + through.app.url.removeprefix("http://").encode(),
            b"x-one: 1",
            b"x-one: 2",
            b'content-type: text/odd; x="y"',
            b"x-name: z\xc3\xbcrich",
            b"content-encoding: br",
            b"accept: a/b",
            b"accept-encoding: identity",
            b"content-length: 256",
            b"x-key: " + KEY.encode(),
        )
    )
    assert seen.body == body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_methods_with_and_without_a_body(through: Through, method: str) -> None:
    assert through.ask(method, "/boats", b"x").read() == b"x"
    assert through.ask(method, "/boats").read() == b""
    with_body, without = through.app.seen
    assert [one.head.split(b" ")[0].decode() for one in through.app.seen] == [method] * 2
    assert with_body.header("content-length") == "1"
    assert without.header("content-length") in (None, "0")
    assert without.header("transfer-encoding") is None
    assert without.line is with_body.line, "a new connection for each"


def test_an_answer_passes_as_it_is(through: Through) -> None:
    packed = gzip.compress(b"whatever " * 1000)

    def answers(app: App, request: Request) -> None:
        request.say(
            b"HTTP/1.1 418 Teapot\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n"
            b"Link: <a>\r\nLink: <b>\r\nSet-Cookie: a=b\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
            b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Name: Z\xc3\xbcrich \xff\r\n"
            b"Access-Control-Allow-Origin: https://other.example\r\nClinch-Gateway-Error: 1\r\n"
            b"Strict-Transport-Security: max-age=1\r\n\r\n" % len(packed),
            packed,
        )

    through.app.behaves = answers
    answer = through.ask("GET", "/boats")
    told = [(name.lower(), value) for name, value in answer.getheaders()]
    assert (answer.status, answer.read()) == (418, packed)
    assert ("content-length", str(len(packed))) in told
    assert ("x-name", b"Z\xc3\xbcrich \xff".decode("latin-1")) in told
    assert [value for name, value in told if name == "link"] == ["<a>", "<b>"]
    names = [name for name, _ in told]
    for dropped in ("set-cookie", "x-hop", "clinch-gateway-error", "strict-transport-security"):
        assert dropped not in names
    assert dict(told)["access-control-allow-origin"] == "*"
    assert max(map(names.count, ("date", "access-control-allow-origin", "content-length"))) == 1


@pytest.mark.parametrize(
    "head", [b"204 No Content\r\n\r\n", b"304 No\r\nContent-Length: 9\r\n\r\n"]
)
def test_an_answer_without_a_body(through: Through, head: bytes) -> None:
    through.app.behaves = lambda _, request: request.say(b"HTTP/1.1 " + head)
    for _ in range(2):
        answer = through.ask("GET", "/boats")
        assert (answer.status, answer.read()) == (int(head[:3]), b"")
        assert answer.getheader("transfer-encoding") is None


def test_a_status_that_is_none(through: Through) -> None:
    through.app.behaves = lambda _, request: request.say(
        b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n"
    )
    answer = through.ask("GET", "/boats")
    assert (answer.status, json.load(answer)["type"]) == (400, "connection")


def test_an_answer_comes_piece_by_piece(through: Through) -> None:
    """Each event is there before the app sends the next one."""
    taken = threading.Semaphore(0)

    def answers(app: App, request: Request) -> None:
        request.say(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for number in range(3):
            request.say_chunk(b"data: %d\n\n" % number)
            assert taken.acquire(timeout=10)
        request.say_chunk(b"")

    through.app.behaves = answers
    answer = through.ask("GET", "/events")
    assert answer.getheader("content-type") == "text/event-stream"
    for number in range(3):
        assert answer.read1() == b"data: %d\n\n" % number
        taken.release()
    assert answer.read() == b""
    assert through.app.first().over.wait(10)


@pytest.mark.parametrize("length", [None, 3 * MB], ids=["chunked", "declared"])
def test_a_large_body_is_passed_on_as_it_arrives(through: Through, length: int | None) -> None:
    """The app has the beginning before the caller sends the end, and answers what it got."""
    begun = threading.Event()
    sent = hashlib.sha256()

    def body() -> Iterator[bytes]:
        left = 3 * MB
        while left:
            if left < MB:
                assert begun.wait(10)
            piece = PIECE[:left]
            left -= len(piece)
            sent.update(piece)
            yield piece

    def answers(app: App, request: Request) -> None:
        read, counted = hashlib.sha256(), 0
        for piece in app.pieces(request):
            read.update(piece)
            counted += len(piece)
            if counted >= MB:
                begun.set()
        told = read.hexdigest().encode()
        request.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told), told)

    through.app.behaves = answers
    declared = {} if length is None else {"Content-Length": str(length)}
    answer = through.ask("POST", "/boats", body(), **declared)
    assert answer.read() == sent.hexdigest().encode()
    [seen] = through.app.seen
    assert seen.header("content-length") == (str(length) if length else None)
    assert seen.header("transfer-encoding") == (None if length else "chunked")


def test_a_large_body_is_sent_once_and_a_read_again(through: Through) -> None:
    def answers(app: App, request: Request) -> None:
        reads_all(app, request)
        request.say(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n")

    through.app.behaves = answers
    assert through.ask("GET", "/boats").status == 503
    assert len(through.app.seen) == 3
    assert through.ask("GET", "/boats", b"x" * 2 * MB).status == 503
    assert through.ask("POST", "/boats", b"x").status == 503
    assert len(through.app.seen) == 5


@pytest.mark.parametrize(
    "head", [b"Content-Length: 100\r\n\r\npart", b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"]
)
def test_an_answer_that_breaks_off_never_looks_whole(through: Through, head: bytes) -> None:
    def answers(app: App, request: Request) -> None:
        request.say(b"HTTP/1.1 200 OK\r\n", head)
        raise ConnectionAbortedError

    through.app.behaves = answers
    answer = through.ask("GET", "/boats")
    assert answer.status == 200
    with pytest.raises(IncompleteRead) as cut:
        answer.read()
    assert cut.value.partial == b"part"


def test_who_hangs_up_while_the_app_thinks_ends_its_request(through: Through) -> None:
    gone: list[bool] = []
    asked = threading.Event()

    def answers(app: App, request: Request) -> None:
        asked.set()
        gone.append(request.hung_up())

    through.app.behaves = answers
    with through.raw(b"GET PATH/boats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n"):
        assert asked.wait(10)
    assert through.app.first().over.wait(5)
    assert gone == [True]
    assert len(through.app.seen) == 1


def test_who_hangs_up_in_the_answer_ends_it(through: Through) -> None:
    gone: list[bool] = []

    def answers(app: App, request: Request) -> None:
        request.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        request.say_chunk(b"data: 1\n\n")
        gone.append(request.hung_up())

    through.app.behaves = answers
    head = b"GET PATH/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n"
    with through.raw(head) as line:
        while b"data: 1" not in line.recv(65536):
            pass
    assert through.app.first().over.wait(5)
    assert gone == [True]


@pytest.mark.parametrize("chunked", [True, False])
def test_who_hangs_up_in_the_body_leaves_it_broken(through: Through, chunked: bool) -> None:
    """The app must not take the beginning for all of it."""
    through.app.behaves = echoes
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 3000000"
    piece = b"x" * 2 * MB
    head = b"POST PATH/boats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n"
    body = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
    with through.raw(head + framing + b"\r\n\r\n" + body):
        until(lambda: len(through.app.first().body) == len(piece))
    assert through.app.first().over.wait(5)
    assert not through.app.seen[0].ended
    assert len(through.app.seen) == 1


def test_an_answer_that_is_not_taken_is_let_go(through: Through) -> None:
    """Before the request is sent again, and not when somebody happens to tidy up."""
    gone: list[bool] = []

    def answers(app: App, request: Request) -> None:
        if gone:
            request.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        request.say(b"HTTP/1.1 503 No\r\nContent-Length: 100\r\nRetry-After: 1\r\n\r\npart")
        gone.append(request.hung_up(0.5))

    through.app.behaves = answers
    assert through.ask("GET", "/boats").status == 200
    assert gone == [True]


def test_an_app_may_answer_before_it_has_all(through: Through) -> None:
    """What it did not take is not the beginning of another request."""

    def answers(app: App, request: Request) -> None:
        request.say(b"HTTP/1.1 422 No\r\nContent-Length: 4\r\n\r\nfull")
        request.hung_up()

    through.app.behaves = answers
    head = b"POST PATH/boats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n"
    with through.raw(head + b"Content-Length: 3000000\r\n\r\n" + b"x" * 2 * MB) as opened:
        told = b""
        while not told.endswith(b"full"):
            told += opened.recv(65536)
    assert told.startswith(b"HTTP/1.1 422")
    assert through.app.first().over.wait(5)
    through.app.behaves = echoes
    assert through.ask("POST", "/boats", b"next").read() == b"next"


def test_who_does_not_read_is_not_sent_more(through: Through) -> None:
    sent = 0
    full = threading.Event()

    def answers(app: App, request: Request) -> None:
        nonlocal sent
        request.line.settimeout(1)
        request.say(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        try:
            while sent < 200 * MB:
                request.say(PIECE)
                sent += len(PIECE)
        except TimeoutError:
            full.set()
            raise

    through.app.behaves = answers
    with through.raw(b"GET PATH/boats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n"):
        assert full.wait(20)
    assert sent < 50 * MB


def test_what_is_too_large_is_refused(through: Through, monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"POST PATH/boats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n"
    with through.raw(head + b"Content-Length: 100000001\r\n\r\n") as opened:
        assert opened.recv(65536).startswith(b"HTTP/1.1 413")
    assert not through.app.seen
    monkeypatch.setattr(line, "LARGEST_BODY", 2 * MB)
    answer = through.ask("POST", "/boats", iter([b"x" * MB] * 3))
    assert (answer.status, "larger than 2000000" in json.load(answer)["message"]) == (413, True)
    assert through.app.first().over.wait(5)
    assert not through.app.seen[0].ended


def test_large_bodies_take_no_memory(through: Through) -> None:
    """50 MB up and 200 MB down; caller, gateway and app are all in this process."""

    def answers(app: App, request: Request) -> None:
        counted = sum(map(len, app.pieces(request)))
        assert counted == 50 * MB
        request.say(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        for _ in range(3051):
            request.say(PIECE)
        request.say(PIECE[: 200 * MB - 3051 * len(PIECE)])

    through.ask("POST", "/boats", b"x" * 2 * MB).read()  # what is made once is made
    through.app.behaves = answers
    through.app.seen.clear()
    Path("/proc/self/clear_refs").write_text("5")  # forget the most that was ever taken
    before = _memory("VmRSS")
    answer = through.ask(
        "POST", "/boats", iter([PIECE[:50000]] * 1000), **{"Content-Length": str(50 * MB)}
    )
    counted = 0
    while piece := answer.read1(65536):
        counted += len(piece)
    assert counted == 200 * MB
    assert _memory("VmHWM") - before < 20 * MB


def _memory(name: str) -> int:
    """Bytes of this process: `VmRSS` now, `VmHWM` at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) * 1024 for text in lines if text.startswith(f"{name}:"))


def test_a_request_asks_the_database_for_the_caller_and_the_connection(through: Through) -> None:
    database = through.program.store.database
    assert isinstance(database, RecordingDatabase)
    through.ask("GET", "/boats").read()
    database.asked.clear()
    assert through.ask("GET", "/boats").read() == b""
    assert len(database.asked) == 2, list(database.asked)


def test_a_redirection_is_the_callers_to_follow(through: Through) -> None:
    through.app.behaves = lambda _, request: request.say(
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    )
    answer = through.ask("GET", "/boats")
    assert (answer.status, answer.getheader("location")) == (302, "http://169.254.169.254/")
    assert len(through.app.seen) == 1


def test_an_address_that_is_allowed_no_more(
    through: Through, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINCH_ALLOW_PRIVATE", "")
    with serve(cluster, declarations) as program:
        through.desk = Desk(program.url, through.desk.token)
        answer = through.ask("POST", "/boats", b"x")
        assert (answer.status, "not one to connect to" in answer.read().decode()) == (400, True)
    assert not through.app.seen


def test_a_key_that_begins_like_the_way(through: Through) -> None:
    id = through.path.split("/")[2]
    through.desk.ask("PATCH", f"/connections/{id}", {"key": "proxy-yard"})
    through.path = "/connections/proxy-yard/proxy"
    assert through.ask("POST", "/proxy/x", b"1").status == 200
    assert through.app.seen[-1].head.startswith(b"POST /v1/proxy/x ")


def test_an_envelope_is_answered_piece_by_piece(through: Through) -> None:
    taken = threading.Event()

    def answers(app: App, request: Request) -> None:
        reads_all(app, request)
        request.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        request.say_chunk(b"one")
        assert taken.wait(10)
        request.say_chunk(b"two")
        request.say_chunk(b"")

    through.app.behaves = answers
    envelope = {
        "path": "/boats",
        "method": "POST",
        "headers": {"Content-Length": "7", "Connection": "x", "X-One": "1"},
        "data": {"a": 1},
    }
    answer = through.ask("POST", "", json.dumps(envelope).encode())
    assert answer.read1() == b"one"
    taken.set()
    assert answer.read() == b"two"
    [seen] = through.app.seen
    assert bytes(seen.body) == b'{"a":1}'
    assert [seen.header(name) for name in ("content-length", "x-one")] == ["7", "1"]
