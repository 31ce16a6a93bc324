"""`/session/`: signing in with a password, and out again. The session is a cookie."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any

import asyncpg
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
from clinch.resources.errors import REQUIRED, ApiError, BadRequest, NotFound, ValidationError
from clinch.resources.store import Store
from clinch.server.http import Headers, parse_body, receive_body
from clinch.server.log import log_failure
from clinch.server.routes import FLAG, SESSION, TEXT, TIME, About, has, or_null, several
from clinch.server.unavailable import UNAVAILABLE
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


def set_session(response: Response, value: str, seconds: int, public_url: str) -> None:
    """Give the browser a session, for so long; its cookie is for https alone where the URL is."""
    secure = public_url.startswith("https:")
    response.set_cookie(COOKIE, value, seconds, httponly=True, samesite="lax", secure=secure)


def from_elsewhere(method: str, headers: Headers, public_url: str) -> bool:
    """Whether a request that would change something was made by another site's page."""
    if method in _SAFE:
        return False
    origin = headers.get(b"origin")
    if origin is not None:
        return origin.decode("latin-1") != public_url
    return headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none")


def posted_elsewhere(headers: Headers) -> bool:
    """Whether a form of ours was sent by another site's page.

    Our pages name no Referer, so that a browser says `Origin: null` of them, and they work under
    any name of the server.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site not in (b"same-origin", b"none")
    origin = headers.get(b"origin", b"null")
    return origin != b"null" and origin.partition(b"://")[2] != headers.get(b"host")


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


def busy(error: BaseException, route: str) -> Response:
    """That the database cannot answer just now."""
    log_failure(error, route=route)
    response = answer({"error": "The server is busy. Please try again."}, 503)
    response.headers["retry-after"] = "1"
    return response


class SignInRoute(Route):
    """An operation of signing in, beside the API; the document has it where there is an `about`."""

    def __init__(self, path: str, endpoint: Endpoint, method: str, about: About | None) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.method, self.about = method, about


def routes_at(path: str, public_url: str, **endpoints: tuple[Endpoint, About]) -> list[SignInRoute]:
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
            except asyncpg.DataError:
                return _refusal(BadRequest("A value in the request cannot be stored."))
            except UNAVAILABLE as error:
                return busy(error, path)

        return respond

    return [
        SignInRoute(at, guarded(endpoint), method, described)
        for method, (endpoint, about) in endpoints.items()
        for at, described in ((path.rstrip("/"), None), (path, about))
    ]


def _refusal(error: ApiError) -> Response:
    response = answer(error.body, error.status)
    if isinstance(error, TooManyTries):
        response.headers["retry-after"] = str(error.seconds)
    return response


_SIGN_IN = About(
    "sign_in",
    "Sign in with a password: the answer sets the cookie of a session",
    body=has(
        ("email", "password"),
        email=TEXT,
        password=TEXT,
        code=or_null(TEXT | {"description": "Of the second factor, where there is one."}),
        organization_id=or_null(TEXT),
    ),
    status=201,
    answer=has(("expires_in",), expires_in={"type": "integer", "description": "In seconds."}),
    secured=(),
)
_SIGN_OUT = About("sign_out", "Sign out", status=204, secured=())
_SESSIONS = About(
    "list_sessions",
    "List one's sessions",
    answer=has(
        ("data",),
        data=several(
            has(
                ("id", "organization_id", "date_created", "expires_at", "is_current"),
                id=TEXT,
                organization_id=TEXT,
                date_created=TIME,
                expires_at=TIME,
                is_current=FLAG,
            )
        ),
    ),
    secured=(SESSION,),
)
_END = About(
    "end_session", "End one of one's sessions", arguments=("id",), status=204, secured=(SESSION,)
)
_END_OTHERS = About(
    "end_other_sessions", "End all of one's sessions but this", status=204, secured=(SESSION,)
)
_PASSWORD = About(
    "change_password",
    "Change one's password, and end the other sessions",
    body=has(("password", "new_password"), password=TEXT, new_password=TEXT),
    status=204,
    secured=(SESSION,),
)


def session_routes(store: Store, vault: Vault, authenticator: Authenticator) -> list[SignInRoute]:
    """Signing in and out, the sessions that there are, and another password."""
    database, public_url = store.database, store.declared.public_url

    def with_cookie(response: Response, value: str, seconds: int) -> Response:
        set_session(response, value, seconds, public_url)
        return response

    async def begin(request: Request) -> Response:
        sent = _sign_in(await read_object(request))
        secret = await sign_in(database, vault, sent, datetime.now(UTC))
        seconds = int(LIFETIME.total_seconds())
        return with_cookie(answer({"expires_in": seconds}, 201), secret, seconds)

    async def end(request: Request) -> Response:
        await sign_out(database, session_of(headers_of(request)) or "")
        return with_cookie(Response(status_code=204), "", 0)

    async def sessions(request: Request) -> Response:
        actor = await signed_in(authenticator, request)
        async with store.reading(actor) as transaction:
            found = await own_sessions(transaction, actor)
        listed = [
            {
                "id": session.id,
                "organization_id": session.organization,
                "date_created": session.date_created.isoformat(timespec="microseconds"),
                "expires_at": session.expires_at.isoformat(timespec="microseconds"),
                "is_current": session.id == actor.tenant.credential_id,
            }
            for session in found
        ]
        return answer({"data": listed})

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
        *routes_at(
            "/session/",
            public_url,
            GET=(sessions, _SESSIONS),
            POST=(begin, _SIGN_IN),
            DELETE=(end, _SIGN_OUT),
        ),
        *routes_at("/session/password/", public_url, PUT=(password, _PASSWORD)),
        *routes_at("/session/others/", public_url, DELETE=(end_others, _END_OTHERS)),
        *routes_at("/session/{id}/", public_url, DELETE=(end_one, _END)),
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
