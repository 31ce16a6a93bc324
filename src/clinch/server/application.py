"""The HTTP door: from a request to an actor, to a handler, to bytes."""

import re
import time
from binascii import a2b_base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec

from clinch.db.database import Busy, CredentialChanged
from clinch.db.ids import new_request_id
from clinch.identity.credentials import Authenticator, Unauthorized
from clinch.identity.oauth.grants import ACCESS
from clinch.resources.actor import Actor, OperationClass
from clinch.resources.errors import ApiError, BadRequest, Forbidden
from clinch.server.http import (
    BAD_JSON,
    Headers,
    Receive,
    Request,
    Response,
    Stream,
    parse_body,
    parse_query,
    receive_body,
    text_parameters,
)
from clinch.server.idempotency import Idempotency
from clinch.server.log import log_failure, log_request
from clinch.server.rate_limit import RateLimit
from clinch.server.routes import Handler, Match, MethodNotAllowed, Routes
from clinch.server.session import from_elsewhere, session_of
from clinch.server.unavailable import UNAVAILABLE

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
# What a grant has to cover before anything else is looked at; an operation may ask for more.
_CLASSES = {
    "GET": OperationClass.READ,
    "HEAD": OperationClass.READ,
    "POST": OperationClass.WRITE,
    "PUT": OperationClass.WRITE,
    "DELETE": OperationClass.DESTRUCTIVE,
}
# How often a request finds that its credential has changed, before it is to be sent again.
_READINGS = 20

_OFFSET = re.compile(rb"[+-]?\d{1,2}(\.\d{1,4})?")


class Application:
    """An ASGI application: what takes a key or a session, such as the API below `/api/v1`.

    All else is handed on, to the door of its first segment or else to `pages`. `routes` are those
    below each base, which has two segments. `close` ends what it holds open.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        routes: Mapping[str, Routes[Handler]],
        doors: Mapping[str, Asgi],
        pages: Asgi,
        rate_limit: RateLimit,
        idempotency: Idempotency,
        public_url: str,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._authenticator, self._routes = authenticator, routes
        self._doors, self._pages = doors, pages
        self._rate_limit, self._idempotency = rate_limit, idempotency
        self._public_url, self.close = public_url, close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        segments = [segment for segment in scope["path"].split("/") if segment]
        base = f"/{'/'.join(segments[:2])}"
        if base not in self._routes:
            door = self._doors.get(segments[0], self._pages) if segments else self._pages
            await door(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, base, segments[2:])
        started = time.perf_counter()
        response = await self._respond(exchange)
        try:
            await _send(send, response, exchange)
        except Exception as error:  # it has begun, and can only be broken off
            log_failure(error, request_id=exchange.request_id)
        log_request(
            method=scope["method"],
            route=exchange.pattern,
            status=response.status,
            ms=round((time.perf_counter() - started) * 1000, 2),
            request_id=exchange.request_id,
            organization=exchange.organization,
            key=exchange.key_id,
        )

    def _credential(self, exchange: "_Exchange") -> str:
        """The API key of HTTP Basic, an access token or the session of a cookie.

        Raises Unauthorized.
        """
        headers = exchange.http_headers
        authorization = headers.get(b"authorization")
        if authorization is not None:
            return _presented(authorization)
        session = session_of(headers)
        if session is None:
            raise Unauthorized
        if from_elsewhere(exchange.method, headers, self._public_url):
            raise ApiError({"error": "This request comes from another site."}, 403)
        return session

    async def _respond(self, exchange: "_Exchange") -> Response:
        try:
            return await self._answer(exchange)
        except ApiError as error:
            if isinstance(error, MethodNotAllowed):
                exchange.headers.append((b"allow", ", ".join(error.allowed).encode()))
            return Response(msgspec.json.encode(error.body), error.status, exchange.headers)
        except asyncpg.DataError:
            return _error(400, "A value in the request cannot be stored.", exchange)
        except UNAVAILABLE as error:
            log_failure(error, request_id=exchange.request_id)
            exchange.headers.append((b"retry-after", b"1"))
            return _error(503, "The server is busy. Please try again.", exchange)
        except Exception as error:
            log_failure(error, request_id=exchange.request_id)
            return _error(500, f"Internal server error (request {exchange.request_id}).", exchange)

    async def _answer(self, exchange: "_Exchange") -> Response:
        key = self._credential(exchange)
        actor = await self._authenticator.actor(key)
        exchange.organization, exchange.key_id = actor.organization, actor.tenant.credential_id
        remaining = self._rate_limit.take(actor.tenant.credential_id or "")
        exchange.headers += self._rate_limit.headers(remaining)
        if remaining < 0:
            refusal = self._rate_limit.refusal()
            refusal.headers += exchange.headers
            return refusal
        match = self._routes[exchange.base].find(exchange.segments)
        exchange.pattern = match.pattern
        request = await exchange.read(match, actor)
        handler = match.handler(request.method)
        for _ in range(_READINGS):
            try:
                response = await self._handle(request, handler)
            except (CredentialChanged, Forbidden) as refusal:
                # Revoked, or only changed: what holds now is read, and decides.
                self._authenticator.forget(key)
                remembered = request.actor
                request.actor = exchange.located(await self._authenticator.actor(key))
                if isinstance(refusal, Forbidden) and request.actor == remembered:
                    raise
            else:
                response.headers += exchange.headers
                return response
        raise Busy("the rights of a credential keep changing")

    async def _handle(self, request: Request, handler: Handler) -> Response:
        wanted = _CLASSES.get(request.method)
        if wanted is not None and wanted not in request.actor.grant:
            raise Forbidden(f"This grant does not allow {wanted} operations.")
        if self._idempotency.asked_for(request):
            return await self._idempotency.answer(request, handler)
        return await handler(request)


class _Exchange:
    """What is known of one request before, and beside, its handler."""

    __slots__ = (
        "_receive",
        "_scope",
        "base",
        "headers",
        "http_headers",
        "key_id",
        "method",
        "organization",
        "pattern",
        "request_id",
        "segments",
    )

    def __init__(self, scope: Scope, receive: Receive, base: str, segments: list[str]) -> None:
        self._scope, self._receive, self.base, self.segments = scope, receive, base, segments
        self.method: str = scope["method"]
        self.http_headers: Headers = dict(scope["headers"])
        self.request_id = new_request_id()
        self.headers: list[tuple[bytes, bytes]] = []
        self.pattern: str | None = None
        self.organization: str | None = None
        self.key_id: str | None = None

    async def read(self, match: Match[Handler], actor: Actor) -> Request:
        """The request with its body read; raises ApiError."""
        method = self.method
        body: dict[str, Any] = {}
        if method in ("POST", "PUT"):
            raw = await receive_body(self.http_headers, self._receive)
            override = self.http_headers.get(b"x-http-method-override")
            if override is not None and method == "POST":
                method = override.decode("latin-1").strip().upper()
            if raw or method in ("POST", "PUT"):
                if not raw:
                    raise BadRequest(BAD_JSON)
                body = parse_body(self.http_headers, raw)
        if method not in _METHODS:
            raise MethodNotAllowed(match.allowed())
        parameters = parse_query(self._scope["query_string"])
        if "_params" in body:
            parameters = text_parameters(body.pop("_params")) | _only_tried(parameters)
        return Request(
            self.request_id,
            method,
            f"{self.base}{match.pattern}",
            match.arguments,
            parameters,
            body,
            self.located(actor),
            self.http_headers,
        )

    def located(self, actor: Actor) -> Actor:
        """The actor in the time zone that the request names, if it names one."""
        offset = self.http_headers.get(b"x-tz-offset")
        if offset is None:
            return actor
        offset = offset.strip()
        if not _OFFSET.fullmatch(offset) or abs(float(offset)) > 14:
            return actor
        # All zones keep to quarters of an hour; anything finer would only multiply statements.
        return replace(actor, utc_offset=timedelta(hours=round(float(offset) * 4) / 4))


def _only_tried(query: dict[str, str]) -> dict[str, str]:
    """What holds of a query that `_params` stand for: that nothing is to change."""
    return {name: value for name, value in query.items() if name == "_dry_run"}


def _presented(authorization: bytes) -> str:
    """The API key of HTTP Basic, where it stands for the user, or the access token after Bearer;
    raises Unauthorized."""
    scheme, _, text = authorization.partition(b" ")
    match scheme.lower():
        case b"basic":
            try:
                user = a2b_base64(text.strip(), strict_mode=True).partition(b":")[0].decode()
            except ValueError:
                raise Unauthorized from None
            if user:
                return user
        case b"bearer":
            token = text.strip().decode("latin-1")
            if token.startswith(f"{ACCESS}_"):
                return token
    raise Unauthorized


def _error(status: int, text: str, exchange: _Exchange) -> Response:
    return Response(msgspec.json.encode({"error": text}), status, exchange.headers)


async def _send(send: Send, response: Response, exchange: _Exchange) -> None:
    body = response.body
    length = body.length if isinstance(body, Stream) else len(body)
    headers = [(b"x-request-id", exchange.request_id.encode()), *response.headers]
    if response.status != 204:
        headers.append((b"content-type", response.content_type))
        headers.append((b"content-length", b"%d" % length))
    if response.status == 401:
        if exchange.http_headers.get(b"authorization", b"")[:7].lower() == b"bearer ":
            headers.append((b"www-authenticate", b'Bearer error="invalid_token"'))
        elif b"cookie" not in exchange.http_headers:
            headers.append((b"www-authenticate", b'Basic realm="API key"'))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if isinstance(body, Stream):
        if exchange.method != "HEAD":
            async for piece in body.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})
