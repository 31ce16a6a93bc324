"""A call of this very server, handed to its ASGI application instead of a socket.

The application cannot tell the difference: it sees an ordinary request with a bearer token, whose
body comes as it is read and whose answer is taken as it is sent.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from clinch.gateway.api import ApiRequest
from clinch.outbound.http import Arriving, Unreachable

Message = MutableMapping[str, Any]
Asgi = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Any], Awaitable[None]]], Any]


async def call_this_server(app: Asgi, base_url: str, request: ApiRequest) -> Arriving:
    """What the application answers to a request below `base_url`, which is this server's.

    Raises Unreachable where it ends without an answer.
    """
    answer: asyncio.Queue[Message] = asyncio.Queue(1)

    async def run() -> None:
        error: Exception = Unreachable("It broke off its answer.", sent=True)
        try:
            await app(_scope(base_url, request), _Body(request).receive, answer.put)
        except Exception as raised:
            error = raised
        await answer.put({"type": "ended", "error": error})

    running = asyncio.create_task(run())
    try:
        begun = await _next(answer, "http.response.start")
    except BaseException:
        running.cancel()
        raise
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in begun["headers"])
    return Arriving(begun["status"], headers, _pieces(answer), running.cancel)


async def _pieces(answer: asyncio.Queue[Message]) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await _next(answer, "http.response.body")
        yield bytes(message.get("body", b""))
        more = message.get("more_body", False)


async def _next(answer: asyncio.Queue[Message], wanted: str) -> Message:
    message = await answer.get()
    if message["type"] != wanted:
        raise message["error"]
    return message


def _scope(base_url: str, request: ApiRequest) -> dict[str, Any]:
    parts = urlsplit(base_url)
    path, mark, query = request.path.partition("?")
    raw_path = f"{parts.path.rstrip('/')}/{path.lstrip('/')}"
    more = urlencode(request.query)
    headers = [(b"host", parts.netloc.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in request.headers]
    if request.rest is None:
        headers.append((b"content-length", b"%d" % len(request.body or b"")))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": "&".join(filter(None, (query if mark else "", more))).encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": (parts.hostname, parts.port),
    }


class _Body:
    """A request's body, as an application receives it."""

    def __init__(self, request: ApiRequest) -> None:
        self._begun: bytes | None = request.body or b""
        self._rest = request.rest

    async def receive(self) -> Message:
        if self._begun is None and self._rest is None:
            await asyncio.Event().wait()  # who hangs up ends the whole call
        piece, self._begun = self._begun, None
        if piece is None:
            piece = await anext(self._rest, None) if self._rest is not None else None
            if piece is None:
                self._rest = None
        return {"type": "http.request", "body": piece or b"", "more_body": self._rest is not None}
