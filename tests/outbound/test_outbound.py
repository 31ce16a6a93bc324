"""The way out: which addresses are refused however they are written, and what bounds an answer."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from outbound.addresses import NO_ADDRESSES, PRIVATE

import clinch
from clinch.outbound import http
from clinch.outbound.guard import Guard, OutboundRefused, SettingError, read_allowed, read_origin
from clinch.outbound.http import Client, HttpAnswer, Unreachable


@dataclass
class Server:
    """A server on this machine that does as it is told, and notes what it sees."""

    port: int = 0
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def guard(self) -> Guard:
        return Guard(read_allowed(f"127.0.0.1:{self.port}"))


@pytest.fixture
def server() -> Iterator[Server]:
    noted = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            noted.seen.append((self.command, self.path, headers, body))
            status, headers, body = 200, {}, b"ok"
            if self.path == "/redirect":
                status, headers = 302, {"Location": "http://169.254.169.254/"}
            elif self.path == "/cookie":
                headers = {"Set-Cookie": "a=b"}
            elif self.path == "/large":
                body = b"x" * 2_000
            elif self.path == "/slow":
                time.sleep(1)
            elif self.path == "/end":
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            cut = self.path == "/cut"
            self.send_header("Content-Length", str(len(body) + (10 if cut else 0)))
            self.end_headers()
            self.wfile.write(body[:1])
            time.sleep(1 if self.path == "/pause" else 0)
            self.wfile.write(body[1:])
            self.close_connection = cut

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, format: str, *values: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    noted.port = listening.server_port
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    yield noted
    listening.shutdown()
    thread.join()
    listening.server_close()


def send(guard: Guard, *requests: tuple[Any, ...]) -> list[HttpAnswer]:
    async def run() -> list[HttpAnswer]:
        client = Client(guard)
        try:
            return [await client.send(*request) for request in requests]
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_however_they_are_written(server: Server, host: str) -> None:
    with pytest.raises((OutboundRefused, Unreachable)) as refused:
        send(Guard(), ("GET", f"http://{host}:{server.port}/", (), None))
    if host not in NO_ADDRESSES:
        assert refused.type is OutboundRefused
    assert not server.seen


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_not(address: str) -> None:
    Guard().check(address, 443)


def test_a_name_that_changes_its_mind_leads_nowhere(server: Server) -> None:
    """What is looked at is the address that is connected to, not one that was resolved before."""
    first: list[bool] = []
    resolve = socket.getaddrinfo

    def rebinding(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "rebind.example":
            host = "127.0.0.1" if first else "8.8.8.8"
            first.append(True)
        return resolve(host, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", rebinding)
        assert socket.getaddrinfo("rebind.example", 80)[0][4][0] == "8.8.8.8"
        with pytest.raises(OutboundRefused):
            send(Guard(), ("GET", f"http://rebind.example:{server.port}/", (), None))
    assert len(first) == 2
    assert not server.seen


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/", "gopher://x/", "//x/"])
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        send(Guard(), ("GET", url, (), None))


def test_what_the_operator_allows_is_exact(server: Server) -> None:
    other = Guard(read_allowed(f"127.0.0.1:{server.port + 1}, 127.0.0.2:{server.port}"))
    with pytest.raises(OutboundRefused):
        send(other, ("GET", server.url, (), None))
    [answer] = send(server.guard, ("GET", server.url, (), None))
    assert (answer.status, answer.body) == (200, b"ok")


def test_a_request_arrives_as_it_is(server: Server) -> None:
    url = f"{server.url}/a%2Fb/?q=%20x&q=y"
    send(server.guard, ("POST", url, (("X-One", "1"),), b"\x00raw"))
    [(method, path, headers, body)] = server.seen
    assert (method, path, body) == ("POST", "/a%2Fb/?q=%20x&q=y", b"\x00raw")
    assert headers["x-one"] == "1"
    assert set(headers) == {"host", "x-one", "accept", "accept-encoding", "content-length"}


def test_nothing_is_followed_or_kept(server: Server) -> None:
    [redirected] = send(server.guard, ("GET", f"{server.url}/redirect", (), None))
    assert redirected.status == 302
    send(server.guard, *[("GET", f"{server.url}/cookie", (), None)] * 2)
    assert "cookie" not in server.seen[-1][2]


def test_an_answer_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1_000)
    with pytest.raises(Unreachable, match="more than 1,000 bytes"):
        send(server.guard, ("GET", f"{server.url}/large", (), None))
    monkeypatch.setattr(http, "_SECONDS", 0.2)
    with pytest.raises(Unreachable, match="did not answer") as slow:
        send(server.guard, ("GET", f"{server.url}/slow", (), None))
    assert slow.value.sent


def test_what_breaks_off_is_told_from_what_was_not_sent(server: Server) -> None:
    with pytest.raises(Unreachable) as cut:
        send(server.guard, ("GET", f"{server.url}/cut", (), None))
    assert cut.value.sent
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = Guard(read_allowed(f"127.0.0.1:{port}"))
    with pytest.raises(Unreachable) as unsent:
        send(nobody, ("GET", f"http://127.0.0.1:{port}/", (), None))
    assert not unsent.value.sent


async def _pieces(number: int, seconds: float) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"piece"
        await asyncio.sleep(seconds)


def opened(guard: Guard, *request: Any) -> HttpAnswer:
    """The answer to a request whose body comes in pieces."""

    async def run() -> HttpAnswer:
        client = Client(guard)
        try:
            return await (await client.open(*request)).whole()
        finally:
            await client.close()

    return asyncio.run(run())


def test_only_silence_is_bounded_while_pieces_come(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_SECONDS", 0.4)
    length = (("Content-Length", "25"),)
    answer = opened(server.guard, "POST", server.url, length, _pieces(5, 0.15))
    assert (answer.body, server.seen[-1][3]) == (b"ok", b"piece" * 5)
    with pytest.raises(Unreachable, match="did not answer"):
        opened(server.guard, "POST", server.url, length, _pieces(5, 0.6))
    with pytest.raises(Unreachable, match="did not answer"):
        opened(server.guard, "POST", f"{server.url}/slow", length, _pieces(5, 0))


def test_an_answer_that_falls_silent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_SECONDS", 0.3)

    async def run() -> None:
        client = Client(server.guard)
        try:
            answer = await client.open("GET", f"{server.url}/pause", (), None)
            assert await anext(answer.pieces) == b"o"
            with pytest.raises(Unreachable, match="did not answer"):
                await anext(answer.pieces)
            answer.close()
        finally:
            await client.close()

    asyncio.run(run())


def test_what_a_body_raises_is_raised(server: Server) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"piece"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        opened(server.guard, "POST", server.url, (("Content-Length", "25"),), body())


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nothing_is_sent_twice(server: Server, method: str) -> None:
    """Not even what HTTP calls idempotent, over a connection that was used before."""

    async def run() -> None:
        client = Client(server.guard)
        try:
            await client.send("GET", server.url, (), None)
            await client.send(method, f"{server.url}/end", (), b"")
        finally:
            await client.close()

    with pytest.raises(Unreachable) as ended:
        asyncio.run(run())
    assert ended.value.sent
    assert [path for _, path, _, _ in server.seen] == ["/", "/end"]


ALLOWED = {
    "outbound/guard.py": "makes the sockets",
    "outbound/http.py": "the client",
    "main.py": "the socket that the parent listens on",
    "cli/processes.py": "the socket that web processes share",
    "cli/gateway/server.py": "the command line, on somebody's machine, asks its server",
    "cli/gateway/login.py": "the command line waits for its browser",
}
"""Who uses sockets or HTTP, and why."""

_WAYS_OUT = {
    "socket",
    "aiohttp",
    "http.client",
    "http.server",
    "urllib.request",
    "requests",
    "httpx",
}


def _imported(path: Path) -> set[str]:
    text = path.read_text()
    found = set(re.findall(r"^\s*(?:import|from)\s+([\w.]+)", text, re.MULTILINE))
    return found | ({"socket"} if re.search(r"\b(open_connection|getaddrinfo)\(", text) else set())


def test_there_is_no_other_way_out() -> None:
    root = Path(clinch.__path__[0])
    found = {
        str(path.relative_to(root)) for path in root.rglob("*.py") if _imported(path) & _WAYS_OUT
    }
    assert found == set(ALLOWED)


def test_the_setting() -> None:
    found = read_allowed("127.0.0.1:9000, [::1]:80,,localhost:25")
    assert (ip_address("::1"), 80) in found
    assert {(ip_address("127.0.0.1"), 25), (ip_address("::1"), 25)} <= found
    assert read_allowed("") == frozenset()
    for wrong in ("mail.internal:25", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:0", ":80"):
        with pytest.raises(SettingError):
            read_allowed(wrong)


def test_an_origin_is_read() -> None:
    for text in ("https://crm.example", "http://127.0.0.1:9000", "http://[::1]:9000"):
        assert read_origin(f" {text}/ ") == text
    assert read_origin("") == ""
    for wrong in (
        *("crm.example", "ftp://crm.example", "https://", "https://crm.example/api/v1"),
        *(
            "https://me@crm.example",
            "https://crm.example:x",
            "https://crm.example?a",
            "https://[::",
        ),
    ):
        with pytest.raises(SettingError):
            read_origin(wrong)
