"""`/connections/ID/proxy`: raw requests through a connection, passed on and back as they arrive."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from clinch.gateway.api import ApiRequest, Pairs
from clinch.gateway.connections.calls import Calls
from clinch.gateway.errors import ConnectionFailed, InvalidRequest, NotFound
from clinch.server.gateway.connections import text_in
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute

# What belongs to one line alone goes no further, and neither does what a caller says of themselves.
_HOP_BY_HOP = (
    *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
    *("content-length", "upgrade"),
)
_NOT_PASSED_ON = frozenset(
    (
        *_HOP_BY_HOP,
        *("authorization", "cookie", "host", "proxy-authenticate", "proxy-authorization"),
        *("accept-encoding", "expect", "membrane-api-version"),
    )
)
# What an app says of its own host is not said of this one, and what we say is not said twice.
_NOT_PASSED_BACK = frozenset(
    (
        *_HOP_BY_HOP,
        *("set-cookie", "alt-svc", "clear-site-data", "strict-transport-security"),
        *("date", "x-request-id", "clinch-gateway-error"),
    )
)
_OF_OTHER_ORIGINS = "access-control-"
_WITHOUT_BODY = (204, 304)
_BEFORE = re.compile(r"/+[^/]+/+[^/]+/+proxy(?=/)")
"""What stands before the app's own path."""


def proxy_routes(calls: Calls) -> list[GatewayRoute]:
    async def proxy(exchange: Exchange) -> Answer:
        """The path form: what comes after `/proxy` goes to the app as it is."""
        id = exchange.arguments[0]
        before = _BEFORE.match(exchange.raw_path)
        if before is None:
            raise NotFound("There is nothing at this address.")
        query = exchange.raw_query.decode("latin-1")
        path = exchange.raw_path[before.end() :] + (f"?{query}" if query else "")
        body, more = await exchange.line.body()
        sent = [(_text(name), _text(value)) for name, value in exchange.raw_headers]
        headers = _passed(sent, _NOT_PASSED_ON)
        if more is not None:
            headers += _length(sent)
        return await _send(exchange, id, ApiRequest(exchange.method, path, (), headers, body, more))

    async def envelope(exchange: Exchange) -> Answer:
        """The form in which the request is a JSON object."""
        [id] = exchange.arguments
        request = _request(await exchange.document())
        exchange.line.listen()
        return await _send(exchange, id, request)

    async def _send(exchange: Exchange, id: str, request: ApiRequest) -> Answer:
        operations = exchange.caller.operations
        answer = await calls.open(exchange.tenant, id, operations, request)
        if not 200 <= answer.status < 600:
            answer.close()
            raise ConnectionFailed(f"The app answered with {answer.status}, which is no status.")
        headers = _passed(answer.headers, _NOT_PASSED_BACK)
        if answer.status not in _WITHOUT_BODY:
            headers += _length(answer.headers)
        return Answer(
            answer, answer.status, [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers]
        )

    methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
    return [
        GatewayRoute("POST", "connections/{}/proxy", envelope),
        *(GatewayRoute(method, "connections/{}/proxy/**", proxy) for method in methods),
    ]


def _passed(headers: Iterable[tuple[str, str]], dropped: frozenset[str]) -> Pairs:
    """The headers that concern not only one line, nor are among those to be dropped."""
    told = [(name.lower(), value) for name, value in headers]
    named = {
        one.strip().lower()
        for name, value in told
        if name == "connection"
        for one in value.split(",")
    }
    return tuple(
        (name, value)
        for name, value in told
        if name not in dropped and name not in named and not name.startswith(_OF_OTHER_ORIGINS)
    )


def _text(raw: bytes) -> str:
    """The text of a header, which is sent as UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _length(headers: Iterable[tuple[str, str]]) -> Pairs:
    """The header with the length of a body, where that is what tells its end."""
    told = {name.lower(): value for name, value in headers}
    known = "content-length" in told and "transfer-encoding" not in told
    return (("content-length", told["content-length"]),) if known else ()


def _request(sent: dict[str, Any]) -> ApiRequest:
    """The request in an envelope; raises InvalidRequest."""
    path, method = text_in(sent, "path"), (text_in(sent, "method") or "GET").upper()
    if not path or "://" in path:
        raise InvalidRequest("path is below the app's base address.", field="path")
    if method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        raise InvalidRequest("method is GET, POST, PUT, PATCH or DELETE.", field="method")
    query = tuple((name, str(value)) for name, value in (sent.get("query") or {}).items())
    told = ((name, str(value)) for name, value in (sent.get("headers") or {}).items())
    headers = _passed(told, _NOT_PASSED_ON)
    body = None
    if sent.get("data") is not None:
        body = msgspec.json.encode(sent["data"])
        if not any(name == "content-type" for name, _ in headers):
            headers += (("content-type", "application/json"),)
    return ApiRequest(method, path if path.startswith("/") else f"/{path}", query, headers, body)
