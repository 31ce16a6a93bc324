"""A call of this very server, handed to its ASGI application instead of a socket.

The application cannot tell the difference: it sees an ordinary request with a bearer token.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from clinch.gateway.api import ApiAnswer, ApiRequest

Message = MutableMapping[str, Any]
Asgi = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Any], Awaitable[None]]], Any]


async def call_this_server(app: Asgi, base_url: str, request: ApiRequest) -> ApiAnswer:
    """What the application answers to a request below `base_url`, which is this server's."""
    parts = urlsplit(base_url)
    path, mark, query = request.path.partition("?")
    raw_path = f"{parts.path.rstrip('/')}/{path.lstrip('/')}"
    more = urlencode(request.query)
    query = "&".join(filter(None, (query if mark else "", more)))
    body = request.body or b""
    headers = [(b"host", parts.netloc.encode()), (b"content-length", b"%d" % len(body))]
    headers += [(name.lower().encode(), value.encode()) for name, value in request.headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": (parts.hostname, parts.port),
    }
    answered = _Answered()
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # nobody hangs up before the answer is whole
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    await app(scope, receive, answered.take)
    return answered.answer()


class _Answered:
    """What the application has sent so far."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message["headers"])
        else:
            self._pieces.append(bytes(message.get("body", b"")))

    def answer(self) -> ApiAnswer:
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in self._headers)
        return ApiAnswer(self._status, headers, b"".join(self._pieces))
