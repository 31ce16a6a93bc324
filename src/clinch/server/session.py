"""`/session/`: signing in with a password, and out again. The session is a cookie."""

from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clinch.db.database import Database
from clinch.identity.sessions import LIFETIME, TooManyTries, sign_in, sign_out
from clinch.resources.errors import REQUIRED, ApiError, ValidationError
from clinch.server.http import Headers, parse_body, receive_body

COOKIE = "clinch_session"

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


def session_routes(database: Database, public_url: str) -> list[Route]:
    """POST signs in, DELETE signs out. The cookie is for https alone where the public URL is."""
    secure = public_url.startswith("https:")

    def with_cookie(response: Response, value: str, seconds: int) -> Response:
        response.set_cookie(COOKIE, value, seconds, httponly=True, samesite="lax", secure=secure)
        return response

    async def session(request: Request) -> Response:
        headers: Headers = dict(request.scope["headers"])
        try:
            if from_elsewhere(request.method, headers, public_url):
                raise ApiError({"error": "This request comes from another site."}, 403)
            if request.method == "DELETE":
                await sign_out(database, session_of(headers) or "")
                return with_cookie(Response(status_code=204), "", 0)
            raw = await receive_body(headers, request.receive)
            secret = await _sign_in(database, parse_body(headers, raw))
        except ApiError as error:
            response = Response(msgspec.json.encode(error.body), error.status)
            if isinstance(error, TooManyTries):
                response.headers["retry-after"] = str(error.seconds)
            response.headers["content-type"] = "application/json"
            return response
        seconds = int(LIFETIME.total_seconds())
        body = msgspec.json.encode({"expires_in": seconds})
        return with_cookie(Response(body, 201, media_type="application/json"), secret, seconds)

    return [Route(path, session, methods=["POST", "DELETE"]) for path in ("/session", "/session/")]


async def _sign_in(database: Database, body: dict[str, object]) -> str:
    email, password, wanted = (body.get(key) for key in ("email", "password", "organization_id"))
    if not isinstance(email, str) or not isinstance(password, str):
        sent = {"email": email, "password": password}
        raise ValidationError({k: REQUIRED for k, v in sent.items() if not isinstance(v, str)})
    organization = wanted if isinstance(wanted, str) else None
    return await sign_in(database, email, password, organization, datetime.now(UTC))
