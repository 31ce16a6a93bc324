"""`POST /connect`: the form by which a page of a product sends its customer here to connect an app.

It holds the customer's token, and says what is to be connected. Who has no person to ask, since
what the app takes is sent along, is answered at once; all others are shown the page of this server
first, so that no site can connect an account by sending a form in its owner's browser.
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clinch.gateway.connections.assembly import ConnectionRoom
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.requests import connection_of
from clinch.gateway.connections.sessions import ConnectSession, read_session
from clinch.gateway.errors import (
    AccessDenied,
    GatewayError,
    InvalidRequest,
    NotAuthenticated,
    RateLimited,
)
from clinch.gateway.tenancy.access import Caller
from clinch.resources.errors import ApiError
from clinch.server.gateway.connect_end import end_page, refused_page
from clinch.server.gateway.connections import wanted_in
from clinch.server.gateway.exchange import Authenticate
from clinch.server.rate_limit import RateLimit
from clinch.server.sign_in_page import read_form

_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]{1,250}")


def connect_form(authenticate: Authenticate, rate_limit: RateLimit, room: ConnectionRoom) -> Route:
    async def respond(request: Request) -> Response:
        now = datetime.now(UTC)
        try:
            sent = await _read(request)
            caller = await authenticate(_text(sent, "token") or "", now)
            if rate_limit.take(caller.counted_as) < 0:
                raise RateLimited(rate_limit.limit)
            tenant = caller.tenant
            if tenant is None:
                raise AccessDenied("An app is connected for a tenant: the token has to name one.")
            origin = _origin(request)
            session = read_session(sent.get("requestId"), origin, sent.get("redirectUri"))
        except GatewayError as error:
            return refused_page(error)
        again = None
        try:
            named = _again(sent)
            if named is not None:
                again = (await room.connections.get(tenant, named)).id
            one = await _connect(caller, sent, again, session, now)
        except GatewayError as error:
            outcome = await room.sessions.end(tenant, session, again, error, now)
            return end_page(session, outcome, None, error.status)
        if one.ui_url is not None:
            return RedirectResponse(one.ui_url, 303)
        outcome = await room.sessions.end(tenant, session, one.id, None, now)
        return end_page(session, outcome, one)

    async def _connect(
        caller: Caller,
        sent: dict[str, Any],
        again: str | None,
        session: ConnectSession,
        now: datetime,
    ) -> Connection:
        if again is None:
            return await room.lifecycle.create(caller, wanted_in(sent), now, session)
        input = sent.get("input")
        if isinstance(input, dict) and caller.tenant is not None:
            return await room.entrance.enter(caller.tenant, again, input, now)
        return await room.lifecycle.connect(caller, again, now, session)

    return Route("/connect", respond, methods=["POST"])


def _again(sent: dict[str, Any]) -> str | None:
    """The connection that is to be connected anew, by its id or by a request for it."""
    request_id = _text(sent, "connectionRequestId")
    if request_id is not None:
        return connection_of(request_id)
    return _text(sent, "connectionId")


async def _read(request: Request) -> dict[str, Any]:
    """The JSON object in the form; raises InvalidRequest."""
    try:
        raw = (await read_form(request)).get("payload", "")
        sent = msgspec.json.decode(raw)
    except (ApiError, msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise InvalidRequest("The form has one field, payload, which is a JSON object.")
    if not isinstance(sent.get("token"), str):
        raise NotAuthenticated("The payload has no token.")
    return sent


def _origin(request: Request) -> str | None:
    """The site whose page sent the form, where the browser says it."""
    told = request.headers.get("origin", "")
    return told if _ORIGIN.fullmatch(told) else None


def _text(sent: dict[str, Any], name: str) -> str | None:
    value = sent.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{name} is a text.", field=name)
    return value
