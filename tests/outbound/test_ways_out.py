"""Each way by which somebody else's address is asked leads through the guard, and no further."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from outbound.addresses import PRIVATE

from clinch.gateway.api import ApiRequest
from clinch.gateway.connections.credentials import Held
from clinch.gateway.connections.issuers import OAuthIssuer, Unanswered
from clinch.gateway.connections.sending import Sender
from clinch.gateway.connectors.clients import OAuthClient
from clinch.gateway.connectors.connector import OAuthServer
from clinch.gateway.connectors.fetching import fetch_document
from clinch.gateway.errors import ConnectionFailed, InvalidRequest
from clinch.outbound.guard import Guard, read_allowed
from clinch.outbound.http import Client

Way = Callable[[Client, str], Awaitable[Any]]


async def through_a_connection(client: Client, url: str) -> Any:
    answer = await Sender(client).send("conn", url, ApiRequest("GET", "/"), reads=False)
    answer.close()
    return answer.status


async def for_a_document(client: Client, url: str) -> Any:
    return await fetch_document(client, f"{url}/openapi.json")


async def for_tokens(client: Client, url: str) -> Any:
    server = OAuthServer(authorize_url=f"{url}/authorize", token_url=f"{url}/token")
    issuer = OAuthIssuer(client, server, OAuthClient("id", "secret"), "https://crm.example/back")
    return await issuer.renew(Held({"refresh": "r"}), datetime.now(UTC))


async def for_a_code(client: Client, url: str) -> Any:
    server = OAuthServer(authorize_url=f"{url}/authorize", token_url=f"{url}/token")
    issuer = OAuthIssuer(client, server, OAuthClient("id", "secret"), "https://crm.example/back")
    return await issuer.exchange("code", "verifier", datetime.now(UTC))


WAYS = [through_a_connection, for_a_document, for_tokens, for_a_code]


def go(way: Way, url: str, guard: Guard) -> Any:
    async def run() -> Any:
        client = Client(guard)
        try:
            return await way(client, url)
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Who would take any connection to this machine."""
    with closing(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)) as s:
        s.setblocking(False)
        yield s


@pytest.mark.parametrize("way", WAYS)
def test_private_addresses_are_refused_however_they_are_written(
    listener: socket.socket, way: Way
) -> None:
    port = listener.getsockname()[1]
    for host in PRIVATE:
        with pytest.raises((ConnectionFailed, InvalidRequest, Unanswered)):
            go(way, f"https://{host}:{port}", Guard())
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("way", WAYS)
def test_a_name_that_changes_its_mind(
    listener: socket.socket, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name was a public address when somebody looked, and is this machine now."""
    answers = iter(["8.8.8.8"])
    resolve = socket.getaddrinfo

    def rebinding(host: Any, *rest: Any, **more: Any) -> Any:
        return resolve(next(answers, "127.0.0.1") if host == "re.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert socket.getaddrinfo("re.example", 443)[0][4][0] == "8.8.8.8"
    with pytest.raises((ConnectionFailed, Unanswered)):
        go(way, f"https://re.example:{listener.getsockname()[1]}", Guard())
    assert next(answers, None) is None
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_led_on(way: Way) -> None:
    """A redirection is told or refused: where it leads to is not asked, though it might be."""
    asked: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"

        def answer() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    with line:
                        asked.append(line.recv(65536).split(b" ")[1])
                        line.sendall(
                            b"HTTP/1.1 307 There\r\nContent-Length: 0\r\nConnection: close\r\n"
                            b"Location: http://%s/other\r\n\r\n" % place.encode()
                        )

        thread = threading.Thread(target=answer)
        thread.start()
        with suppress(InvalidRequest, Unanswered):
            assert go(way, f"http://{place}", Guard(read_allowed(place))) == 307
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(asked) == 1
    assert asked != [b"/other"]
