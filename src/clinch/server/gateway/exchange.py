"""One request to the gateway: who asks, what is asked, and how a handler's answer is sent."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from clinch.db.ids import new_request_id
from clinch.gateway.errors import (
    AccessDenied,
    GatewayError,
    InternalError,
    InvalidRequest,
    NotFound,
    RateLimited,
)
from clinch.gateway.tenancy.access import MANAGE, Caller
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.outbound.http import Arriving
from clinch.resources.actor import OperationClass
from clinch.resources.errors import ApiError
from clinch.server.gateway.line import Line
from clinch.server.http import Headers, Receive, parse_body, receive_body
from clinch.server.log import log_failure, log_request
from clinch.server.rate_limit import RateLimit
from clinch.server.routes import MethodNotAllowed, Routes
from clinch.server.unavailable import UNAVAILABLE
from clinch.vault.vault import KeyMissing

Pairs = list[tuple[bytes, bytes]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Authenticate = Callable[[str, datetime], Awaitable[Caller]]

_LONGEST_PAGE = 1000
# In the log, of a request whose caller did not wait for the answer.
_HUNG_UP = 499

# A page of another site may use the gateway with a token of its own; it has no cookie here.
_CORS: Pairs = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, membrane-api-version, *"),
    (b"access-control-expose-headers", b"*"),
    (b"access-control-max-age", b"600"),
]

_KEY_MISSING = {
    "type": "configuration",
    "key": "secret_key_missing",
    "message": "What this needs is sealed with a secret key that the server does not have.",
    "data": {"hint": "Whoever runs the server: `clinch doctor` names the key; put it back."},
}


@dataclass(slots=True)
class Answer:
    """A status, a body, and headers beside the usual ones.

    The body may be one that is still arriving; then the headers tell its length, if it is known.
    """

    body: bytes | Arriving = b""
    status: int = 200
    headers: Pairs = field(default_factory=list)


def json_answer(value: Any, status: int = 200) -> Answer:
    headers = [(b"content-type", b"application/json")]
    return Answer(msgspec.json.encode(value), status, headers)


@dataclass(slots=True)
class Exchange:
    """What a handler is given. `arguments` are the changing segments of the path, `query` keeps
    order and duplicates, and what is raw is not decoded. A body of any size is read by the `line`.
    """

    method: str
    arguments: tuple[str, ...]
    headers: Headers
    caller: Caller
    now: datetime
    request_id: str
    raw_path: str
    raw_query: bytes
    raw_headers: Pairs
    line: Line
    _parameters: tuple[tuple[str, str], ...] | None = None

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The parameters, read when they are first asked for; raises InvalidRequest."""
        if self._parameters is None:
            self._parameters = _query(self.raw_query)
        return self._parameters

    @property
    def tenant(self) -> GatewayTenant:
        return self.caller.own_tenant

    def need_manager(self, does: OperationClass = OperationClass.READ) -> None:
        """Raise AccessDenied unless the caller manages the workspace, by a login for what this
        does."""
        actor = self.caller.actor
        if does not in self.caller.operations:
            raise AccessDenied(f"Your login does not cover this: it is {does}.")
        if not (self.caller.manager or (actor is not None and actor.may(MANAGE))):
            raise AccessDenied("This takes somebody who manages the workspace.")

    def value(self, name: str) -> str | None:
        """The last value of a parameter of the query; an empty one counts as none."""
        return dict(self.query).get(name) or None

    def flag(self, name: str) -> bool:
        text = (self.value(name) or "false").lower()
        if text not in ("true", "false", "1", "0"):
            raise InvalidRequest(f"{name} is true or false.")
        return text in ("true", "1")

    def number(self, name: str, default: int, most: int) -> int:
        text = self.value(name)
        if text is None:
            return default
        if not text.isdigit() or not 1 <= int(text[:9]) <= most:
            raise InvalidRequest(f"{name} is a number from 1 to {most}.")
        return int(text)

    def limit(self, default: int = 100) -> int:
        return self.number("limit", default, _LONGEST_PAGE)

    async def body(self) -> bytes:
        return await receive_body(self.headers, self.line.receive)

    async def document(self) -> dict[str, Any]:
        """The JSON object of the body; an empty body is an empty object. Raises GatewayError."""
        raw = await self.body()
        if not raw:
            return {}
        try:
            return parse_body({b"content-type": b"application/json"}, raw)
        except ApiError as error:
            raise InvalidRequest(str(error.body.get("error"))) from None


Handler = Callable[[Exchange], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """One operation of the gateway; `{}` stands for a segment that changes."""

    method: str
    path: str
    handler: Handler


class GatewayApplication:
    """An ASGI application of the gateway's routes."""

    def __init__(
        self, routes: Routes[Handler], authenticate: Authenticate, rate_limit: RateLimit
    ) -> None:
        self.routes, self._authenticate = routes, authenticate
        self._rate_limit = rate_limit

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        started, request_id = time.perf_counter(), new_request_id()
        if scope["method"] == "OPTIONS":
            await _send(send, Answer(status=204), request_id)
            return
        found: list[str] = []
        left: Pairs = []
        async with Line(dict(scope["headers"]), receive) as line:
            answer = await self._respond(scope, line, request_id, found, left)
            # What an app behind us says of its own limit is left as it is.
            said = {name.lower() for name, _ in answer.headers}
            answer.headers += [pair for pair in left if pair[0] not in said]
            try:
                await _send(send, answer, request_id)
            except Exception as error:  # it has begun, and can only be broken off
                log_failure(error, request_id=request_id)
        log_request(
            method=scope["method"],
            route=found[0] if found else None,
            status=_HUNG_UP if line.gone else answer.status,
            ms=round((time.perf_counter() - started) * 1000, 2),
            request_id=request_id,
        )

    async def _respond(
        self,
        scope: Mapping[str, Any],
        line: Line,
        request_id: str,
        found: list[str],
        left: Pairs,
    ) -> Answer:
        try:
            return await self._answer(scope, line, request_id, found, left)
        except GatewayError as error:
            return _refusal(error.body, error.status)
        except MethodNotAllowed as error:
            allowed = f"This is done with {' or '.join(error.allowed)}."
            return _refusal({"type": "bad_request", "message": allowed}, 405)
        except ApiError as error:
            message = error.body.get("error") or "The request is not acceptable."
            return _refusal(
                {"type": "bad_request", "message": str(message), "data": error.body}, error.status
            )
        except KeyMissing as error:
            log_failure(error, request_id=request_id)
            return _refusal(_KEY_MISSING, 409)
        except UNAVAILABLE as error:
            log_failure(error, request_id=request_id)
            return _refusal(
                {"type": "internal", "message": "The server is busy. Please try again."}, 503
            )
        except Exception as error:
            log_failure(error, request_id=request_id)
            return _refusal(InternalError(request_id).body, 500)

    async def _answer(
        self,
        scope: Mapping[str, Any],
        line: Line,
        request_id: str,
        found: list[str],
        left: Pairs,
    ) -> Answer:
        """The handler's answer; the route is put into `found`, and headers that say what is left of
        the rate limit into `left`."""
        headers: Headers = dict(scope["headers"])
        now = datetime.now(UTC)
        caller = await self._authenticate(_token(scope, headers), now)
        remaining = self._rate_limit.take(caller.counted_as)
        left += self._rate_limit.headers(remaining)
        if remaining < 0:
            raise RateLimited(self._rate_limit.limit)
        segments = [segment for segment in scope["path"].split("/") if segment]
        if segments[:1] == ["connections"] and segments[2:3] == ["proxy"] and len(segments) > 3:
            segments[3:] = ["**"]  # what follows is the app's path, and none of ours
        try:
            match = self.routes.find(segments)
        except ApiError:
            raise NotFound("There is nothing at this address.") from None
        found.append(match.pattern)
        handler = match.handler(scope["method"])
        raw_path = scope.get("raw_path") or scope["path"].encode()
        exchange = Exchange(
            scope["method"],
            match.arguments,
            headers,
            caller,
            now,
            request_id,
            raw_path.decode("latin-1"),
            scope["query_string"],
            scope["headers"],
            line,
        )
        return await handler(exchange)


def _token(scope: Mapping[str, Any], headers: Headers) -> str:
    """What stands after Bearer; empty where there is nothing of the kind. A browser that listens to
    events can send no header, so for those alone the token may stand in the query."""
    if scope["path"].startswith("/sse/") and b"authorization" not in headers:
        return dict(_query(scope["query_string"])).get("token", "")
    scheme, _, text = headers.get(b"authorization", b"").partition(b" ")
    return text.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


def _query(raw: bytes) -> tuple[tuple[str, str], ...]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        raise InvalidRequest("The query string cannot be read.") from None
    if any("\x00" in text for pair in pairs for text in pair):
        raise InvalidRequest("The query must not contain null characters.")
    return tuple(pairs)


def _refusal(document: dict[str, Any], status: int) -> Answer:
    answer = json_answer(document, status)
    # By this a refusal of the gateway is told from the same status of an app behind it.
    answer.headers.append((b"clinch-gateway-error", b"1"))
    if status == 401:
        answer.headers.append((b"www-authenticate", b"Bearer"))
    if status == 503:
        answer.headers.append((b"retry-after", b"1"))
    return answer


async def _send(send: Send, answer: Answer, request_id: str) -> None:
    own = [(b"x-request-id", request_id.encode()), *_CORS]
    body = answer.body
    if isinstance(body, bytes) and answer.status != 204:
        own.append((b"content-length", b"%d" % len(body)))
    headers = [*answer.headers, *own]
    start = {"type": "http.response.start", "status": answer.status, "headers": headers}
    if isinstance(body, bytes):
        await send(start)
        await send({"type": "http.response.body", "body": body})
        return
    try:
        await send(start)
        async for piece in body.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        body.close()
    await send({"type": "http.response.body", "body": b""})
