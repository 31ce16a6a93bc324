"""`/session/`: signing in with a password, and out again. The session is a cookie."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clinch.db.database import CredentialChanged
from clinch.identity.credentials import Authenticator, Unauthorized
from clinch.identity.own_login import change_password
from clinch.identity.sessions import (
    LIFETIME,
    PREFIX,
    SignIn,
    end_session,
    end_sessions,
    own_sessions,
    sign_in,
    sign_out,
)
from clinch.identity.throttle import TooManyTries
from clinch.resources.actor import Actor, Provenance
from clinch.resources.errors import REQUIRED, ApiError, NotFound, ValidationError
from clinch.resources.store import Store
from clinch.server.http import Headers, parse_body, receive_body
from clinch.vault.vault import Vault

COOKIE = "clinch_session"

Endpoint = Callable[[Request], Awaitable[Response]]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def session_of(headers: Headers) -> str | None:
    """The session that a request's cookies hold."""
    text = headers.get(b"cookie")
    if text is None:
        return None
    try:
        morsel = SimpleCookie(text.decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None else None


def from_elsewhere(method: str, headers: Headers, public_url: str) -> bool:
    """Whether a request that would change something was made by another site's page."""
    if method in _SAFE:
        return False
    origin = headers.get(b"origin")
    if origin is not None:
        return origin.decode("latin-1") != public_url
    return headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none")


def headers_of(request: Request) -> Headers:
    return dict(request.scope["headers"])


async def signed_in(authenticator: Authenticator, request: Request) -> Actor:
    """Whose session the request's cookie is; raises Unauthorized. A key is no session."""
    session = session_of(headers_of(request)) or ""
    if not session.startswith(f"{PREFIX}_"):
        raise Unauthorized
    authenticator.forget(session)
    return await authenticator.actor(session)


async def read_texts(request: Request, *names: str) -> tuple[str, ...]:
    """The texts that a JSON body has under these names; raises ApiError."""
    return _texts(await read_object(request), *names)


async def read_object(request: Request) -> dict[str, Any]:
    headers = headers_of(request)
    return parse_body(headers, await receive_body(headers, request.receive))


def _texts(body: dict[str, Any], *names: str) -> tuple[str, ...]:
    problems = {name: REQUIRED for name in names if not isinstance(body.get(name), str)}
    if problems:
        raise ValidationError(problems)
    return tuple(body[name] for name in names)


def provenance_of(request: Request, path: str) -> Provenance:
    return Provenance(source="api", method=request.method, path=path)


def answer(value: Any, status: int = 200) -> Response:
    response = Response(msgspec.json.encode(value), status, media_type="application/json")
    response.headers["cache-control"] = "no-store"
    return response


def routes_at(path: str, public_url: str, **endpoints: Endpoint) -> list[Route]:
    """The routes of one path, by method, with a slash at the end or without.

    What is wrong is answered as the API does; what another site's page sends is refused.
    """

    def guarded(endpoint: Endpoint) -> Endpoint:
        async def respond(request: Request) -> Response:
            try:
                if from_elsewhere(request.method, headers_of(request), public_url):
                    raise ApiError({"error": "This request comes from another site."}, 403)
                return await endpoint(request)
            except CredentialChanged:
                return _refusal(Unauthorized())
            except ApiError as error:
                return _refusal(error)

        return respond

    return [
        Route(at, guarded(endpoint), methods=[method])
        for method, endpoint in endpoints.items()
        for at in (path.rstrip("/"), path)
    ]


def _refusal(error: ApiError) -> Response:
    response = answer(error.body, error.status)
    if isinstance(error, TooManyTries):
        response.headers["retry-after"] = str(error.seconds)
    return response


def session_routes(store: Store, vault: Vault, authenticator: Authenticator) -> list[Route]:
    """Signing in and out, the sessions that there are, and another password.

    The cookie is for https alone where the public URL is.
    """
    database, public_url = store.database, store.declared.public_url
    secure = public_url.startswith("https:")

    def with_cookie(response: Response, value: str, seconds: int) -> Response:
        response.set_cookie(COOKIE, value, seconds, httponly=True, samesite="lax", secure=secure)
        return response

    async def begin(request: Request) -> Response:
        sent = _sign_in(await read_object(request))
        secret = await sign_in(database, vault, sent, datetime.now(UTC))
        seconds = int(LIFETIME.total_seconds())
        return with_cookie(answer({"expires_in": seconds}, 201), secret, seconds)

    async def end(request: Request) -> Response:
        await sign_out(database, session_of(headers_of(request)) or "")
        return with_cookie(Response(status_code=204), "", 0)

    async def several(request: Request) -> Response:
        actor = await signed_in(authenticator, request)
        async with store.reading(actor) as transaction:
            found = await own_sessions(transaction, actor)
        sessions = [
            {
                "id": session.id,
                "organization_id": session.organization,
                "date_created": session.date_created.isoformat(timespec="microseconds"),
                "expires_at": session.expires_at.isoformat(timespec="microseconds"),
                "is_current": session.id == actor.tenant.credential_id,
            }
            for session in found
        ]
        return answer({"data": sessions})

    async def end_one(request: Request) -> Response:
        actor, id = await signed_in(authenticator, request), request.path_params["id"]
        async with database.tenant(actor.tenant) as transaction:
            known = "\x00" not in id and await end_session(transaction, actor.user_id or "", id)
        if not known:
            raise NotFound("Session")
        return Response(status_code=204)

    async def end_others(request: Request) -> Response:
        actor = await signed_in(authenticator, request)
        async with database.tenant(actor.tenant) as transaction:
            await end_sessions(transaction, actor.user_id or "", but=actor.tenant.credential_id)
        return Response(status_code=204)

    async def password(request: Request) -> Response:
        actor = await signed_in(authenticator, request)
        old, new = await read_texts(request, "password", "new_password")
        came = provenance_of(request, "/session/password/")
        await change_password(store, actor, old, new, came)
        return Response(status_code=204)

    return [
        *routes_at("/session/", public_url, GET=several, POST=begin, DELETE=end),
        *routes_at("/session/password/", public_url, PUT=password),
        *routes_at("/session/others/", public_url, DELETE=end_others),
        *routes_at("/session/{id}/", public_url, DELETE=end_one),
    ]


def _sign_in(body: dict[str, Any]) -> SignIn:
    email, password = _texts(body, "email", "password")
    code, wanted = body.get("code"), body.get("organization_id")
    return SignIn(
        email,
        password,
        code if isinstance(code, str) else None,
        wanted if isinstance(wanted, str) else None,
    )
