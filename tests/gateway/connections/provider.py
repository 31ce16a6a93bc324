"""A stand-in for an app with an OAuth server of its own (RFC 6749, PKCE), and an API behind it.

Refresh tokens are good once. What a spent one does is the provider's manner: with a window it is
answered as before for so long, else the whole grant ends, as RFC 9700 wants it.
"""

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID = "our-client"

Moment = Callable[["Refresh"], Awaitable[None]]


@dataclass
class Grant:
    """What somebody has allowed; `spent` has each spent refresh token, what came of it and when."""

    refresh: str
    access: set[str] = field(default_factory=set)
    ended: bool = False
    spent: dict[str, tuple[str, float]] = field(default_factory=dict)
    spent_twice: int = 0
    refreshes: int = 0


@dataclass
class Refresh:
    """A renewal under way; `client_secret` tells who asks."""

    grant: Grant
    client_secret: str


@dataclass
class Provider:
    """The app. `window` is how many seconds a spent refresh token is answered again, `lifetime`
    how many an access token lives. `before` and `after` are called around a renewal: before the
    token is spent, and when the answer is ready. `trouble` has answers that are given instead; with
    `refuses` the API takes no token at all."""

    window: float | None = None
    lifetime: float | None = 3600
    grants: list[Grant] = field(default_factory=list)
    trouble: list[tuple[int, object]] = field(default_factory=list)
    before: Moment | None = None
    after: Moment | None = None
    denies: bool = False
    refuses: bool = False
    keeps_refresh_token: bool = False
    revoked: list[str] = field(default_factory=list)
    asked: int = 0
    _codes: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/revoke", self._revoke, methods=["POST"]),
                Route("/api/{path:path}", self._api),
            ]
        )

    def grant(self) -> tuple[Grant, dict[str, object]]:
        """A grant, and the answer that the program gets."""
        made = Grant(_secret("rt"))
        self.grants.append(made)
        return made, self._answer(made)

    def end_access(self, grant: Grant) -> None:
        """Let its access tokens be good for nothing."""
        grant.access.clear()

    async def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        if asked["client_id"] != CLIENT_ID or asked["code_challenge_method"] != "S256":
            return HTMLResponse("no", 400)
        state = {"state": asked["state"]}
        if self.denies:
            told = {"error": "access_denied", "error_description": "They said no."}
            return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(told | state)}")
        code = _secret("code")
        self._codes[code] = asked["code_challenge"], asked["redirect_uri"]
        url = f"{asked['redirect_uri']}?{urlencode({'code': code} | state)}"
        return HTMLResponse(f'<a id="allow" href="{url.replace("&", "&amp;")}">Allow</a>')

    async def _token(self, request: Request) -> Response:
        self.asked += 1
        sent = await request.form()
        text = {name: str(value) for name, value in sent.items()}
        if text.get("client_id") != CLIENT_ID or not text.get("client_secret"):
            return JSONResponse({"error": "invalid_client"}, 401)
        if text["grant_type"] == "authorization_code":
            return self._first(text)
        if self.trouble:
            status, told = self.trouble.pop(0)
            if status == 0:
                await asyncio.sleep(1)
            return JSONResponse(told, status)
        return await self._refreshed(text)

    def _first(self, sent: dict[str, str]) -> Response:
        challenge, redirect_uri = self._codes.pop(sent["code"], ("", ""))
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        proven = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
        if not proven or redirect_uri != sent["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(self.grant()[1])

    async def _refreshed(self, sent: dict[str, str]) -> Response:
        token = sent["refresh_token"]
        grant = next((one for one in self.grants if token in (one.refresh, *one.spent)), None)
        if grant is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        grant.refreshes += 1
        refresh = Refresh(grant, sent["client_secret"])
        if self.before is not None:
            await self.before(refresh)
        answer = self._spend(grant, token)
        if self.after is not None:
            await self.after(refresh)
        return answer

    def _spend(self, grant: Grant, token: str) -> Response:
        if token in grant.spent and not grant.ended:
            grant.spent_twice += 1
            following, at = grant.spent[token]
            again = self.window is not None and time.monotonic() - at < self.window
            if not again or following != grant.refresh:
                grant.ended = True
                grant.access.clear()
        elif not grant.ended and not self.keeps_refresh_token:
            following = _secret("rt")
            grant.spent[token] = following, time.monotonic()
            grant.refresh = following
        if grant.ended:
            told = {"error": "invalid_grant", "error_description": "The token was used before."}
            return JSONResponse(told, 400)
        return JSONResponse(self._answer(grant))

    def _answer(self, grant: Grant) -> dict[str, object]:
        access = _secret("at")
        grant.access.add(access)
        told: dict[str, object] = {"access_token": access, "token_type": "Bearer"}
        if not (self.keeps_refresh_token and grant.refreshes):
            told["refresh_token"] = grant.refresh
        return told | ({} if self.lifetime is None else {"expires_in": self.lifetime})

    async def _revoke(self, request: Request) -> Response:
        sent = await request.form()
        self.revoked.append(str(sent["token"]))
        return Response()

    async def _api(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self.refuses and any(token in one.access for one in self.grants):
            known = request.url.path == "/api/me"
            return JSONResponse({"name": "Rosa Lind"} if known else {}, 200 if known else 404)
        return JSONResponse({"error": "the token does not hold"}, 401)


def _secret(kind: str) -> str:
    return f"{kind}-{secrets.token_urlsafe(16)}"
