"""`/mcp`: the protocol's transport over HTTP (Streamable HTTP, without streams)."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from clinch.gateway.errors import GatewayError, RateLimited
from clinch.gateway.tenancy.access import Caller
from clinch.mcp.protocol import INVALID_REQUEST, PARSE_ERROR, VERSIONS, Server

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Authenticate = Callable[[str, datetime], Awaitable[Caller]]
Headers = dict[bytes, bytes]
Pairs = list[tuple[bytes, bytes]]

MAX_BODY = 1_000_000


class RateLimit(Protocol):
    """Counts requests of callers."""

    limit: int

    def take(self, key: str) -> int:
        """How many are left; below zero the caller must wait."""
        ...

    def headers(self, remaining: int) -> Pairs: ...


class McpApplication:
    """An ASGI application; `public_url` is the server's, whose pages alone may use it in a browser.

    Who has no token is told where to get one (RFC 9728).
    """

    def __init__(
        self, server: Server, authenticate: Authenticate, rate_limit: RateLimit, public_url: str
    ) -> None:
        self._server, self._authenticate, self._public_url = server, authenticate, public_url
        self._rate_limit = rate_limit

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers: Headers = dict(scope["headers"])
        status, body, more = await self._respond(scope["method"], headers, receive)
        own = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        start = {"type": "http.response.start", "status": status, "headers": [*own, *more]}
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def _respond(
        self, method: str, headers: Headers, receive: Receive
    ) -> tuple[int, bytes, Pairs]:
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") != self._public_url:
            return 403, _refusal("This request comes from another site's page."), []
        if method != "POST":
            return 405, _refusal("Messages are sent with POST."), [(b"allow", b"POST")]
        version = headers.get(b"mcp-protocol-version", VERSIONS[0].encode()).decode("latin-1")
        if version not in VERSIONS:
            return 400, _refusal(f"The protocol's versions here: {', '.join(VERSIONS)}."), []
        try:
            caller = await self._authenticate(_bearer(headers), datetime.now(UTC))
        except GatewayError as error:
            place = f"{self._public_url}/.well-known/oauth-protected-resource/mcp"
            ask = f'Bearer resource_metadata="{place}"'.encode()
            return error.status, _refusal(error.message), [(b"www-authenticate", ask)]
        remaining = self._rate_limit.take(caller.counted_as)
        left = self._rate_limit.headers(remaining)
        if remaining < 0:
            limited = RateLimited(self._rate_limit.limit)
            return limited.status, _refusal(limited.message, data=limited.body), left
        raw = await _read(receive)
        if raw is None:
            return 413, _refusal(f"A message has at most {MAX_BODY:,} bytes."), left
        try:
            message = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return 400, _refusal("This is no JSON.", PARSE_ERROR), left
        answer = await self._server.answer(caller, message)
        return (202, b"", left) if answer is None else (200, msgspec.json.encode(answer), left)


async def _read(receive: Receive) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body"):
            return body


def _bearer(headers: Headers) -> str:
    scheme, _, text = headers.get(b"authorization", b"").partition(b" ")
    return text.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


def _refusal(message: str, code: int = INVALID_REQUEST, data: Any = None) -> bytes:
    error = {"code": code, "message": message} | ({"data": data} if data else {})
    return msgspec.json.encode({"jsonrpc": "2.0", "id": None, "error": error})
