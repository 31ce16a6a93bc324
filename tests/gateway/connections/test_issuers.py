"""The manners of apps' OAuth servers: how they want to be asked, and how they answer."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from gateway.connectors.standing import serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clinch.gateway.connections.credentials import Held
from clinch.gateway.connections.issuers import OAuthIssuer, Refused, Unanswered
from clinch.gateway.connectors.clients import OAuthClient
from clinch.gateway.connectors.connector import OAuthServer
from clinch.gateway.connectors.shipped import shipped_connectors
from clinch.outbound.guard import Guard, read_allowed
from clinch.outbound.http import Client

OURS = OAuthClient("our id", "our:secret")
BACK = "https://crm.example/connect/callback"
RFC_7636 = (
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
)
"""A verifier and its challenge, from appendix B."""
NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


@dataclass
class Server:
    """A token endpoint that answers as it is told, and notes what it was asked."""

    url: str = ""
    answer: Any = None
    status: int = 200
    seen: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)

    async def respond(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        proof = request.headers.get("authorization", "")
        self.seen.append((request.method, request.scope["raw_path"].decode(), form, proof))
        return JSONResponse(self.answer, self.status)


@asynccontextmanager
async def asked(
    manners: Callable[[str], OAuthServer],
) -> AsyncIterator[tuple[Server, OAuthIssuer]]:
    server = Server()
    route = Route("/{path:path}", server.respond, methods=["POST", "DELETE"])
    with serving(Starlette(routes=[route])) as url:
        server.url = url
        place = urlsplit(url)
        client = Client(Guard(read_allowed(f"{place.hostname}:{place.port}")))
        try:
            yield server, OAuthIssuer(client, manners(url), OURS, BACK)
        finally:
            await client.close()


def shipped(key: str, url: str) -> OAuthServer:
    """The OAuth server of a connector of ours, at another address."""
    [connector] = [one for one in shipped_connectors() if one.key == key]
    [server] = [one.oauth for one in connector.options if one.oauth is not None]
    fields = {name: getattr(server, name) for name in server.__struct_fields__}
    revoke = urlsplit(server.revoke_url or "").path
    return OAuthServer(**fields | {"token_url": f"{url}/token", "revoke_url": f"{url}{revoke}"})


def plain(url: str) -> OAuthServer:
    return OAuthServer(
        authorize_url=f"{url}/authorize?audience=boats",
        token_url=f"{url}/token",
        revoke_url=f"{url}/revoke",
        scopes=("a", "b"),
        authorize_parameters={"prompt": "consent", "state": "theirs"},
    )


async def test_the_page_of_the_app() -> None:
    async with asked(plain) as (_, issuer):
        address = urlsplit(issuer.authorize_url("the state", RFC_7636[0]))
    query = {name: values[-1] for name, values in parse_qs(address.query).items()}
    assert query.pop("code_challenge") == RFC_7636[1]
    assert query == {
        "audience": "boats",
        "prompt": "consent",
        "response_type": "code",
        "client_id": "our id",
        "redirect_uri": BACK,
        "scope": "a b",
        "state": "the state",
        "code_challenge_method": "S256",
    }


async def test_as_the_standard_has_it() -> None:
    async with asked(plain) as (server, issuer):
        server.answer = {"access_token": "at", "refresh_token": "rt", "expires_in": "3600"}
        held = await issuer.exchange("the code", "the verifier", NOW)
        assert held.values == {"access": "at", "refresh": "rt"}
        await issuer.renew(held, NOW)
        await issuer.revoke(held)
    who = {"client_id": "our id", "client_secret": "our:secret"}
    code = {"grant_type": "authorization_code", "code": "the code", "redirect_uri": BACK}
    assert server.seen == [
        ("POST", "/token", code | {"code_verifier": "the verifier"} | who, ""),
        ("POST", "/token", {"grant_type": "refresh_token", "refresh_token": "rt"} | who, ""),
        ("POST", "/revoke", {"token": "rt"} | who, ""),
        ("POST", "/revoke", {"token": "at"} | who, ""),
    ]


async def test_slack() -> None:
    async with asked(lambda url: shipped("slack", url)) as (server, issuer):
        page = parse_qs(urlsplit(issuer.authorize_url("s", "v")).query)
        assert "scope" not in page
        assert page["user_scope"][0].startswith("channels:history,")
        assert "code_challenge" not in page
        own = {"id": "U1", "access_token": "xoxp-1", "refresh_token": "xoxe-1", "expires_in": 43200}
        server.answer = {"ok": True, "access_token": "xoxb-bot", "authed_user": own}
        held = await issuer.exchange("c", "v", NOW)
        assert held.values == {"access": "xoxp-1", "refresh": "xoxe-1"}
        server.answer = {
            "ok": True,
            "access_token": "xoxp-2",
            "refresh_token": "xoxe-2",
            "expires_in": 43200,
            "token_type": "user",
        }
        assert (await issuer.renew(held, NOW)).values["access"] == "xoxp-2"
        server.answer = {"ok": False, "error": "invalid_refresh_token"}
        with pytest.raises(Refused):
            await issuer.renew(held, NOW)
        server.answer = {"ok": False, "error": "ratelimited"}
        with pytest.raises(Unanswered, match="ratelimited"):
            await issuer.renew(held, NOW)
    method, path, form, proof = server.seen[0]
    assert (method, path, set(form)) == ("POST", "/token", {"grant_type", "code", "redirect_uri"})
    assert base64.b64decode(proof.removeprefix("Basic ")).decode() == "our+id:our%3Asecret"


async def test_hubspot() -> None:
    async with asked(lambda url: shipped("hubspot", url)) as (server, issuer):
        server.answer = {"access_token": "CJ", "refresh_token": "na1/1", "expires_in": 1800}
        held = await issuer.exchange("c", "v", NOW)
        server.status = 400
        server.answer = {"status": "BAD_REFRESH_TOKEN", "message": "missing or unknown"}
        with pytest.raises(Refused, match="missing or unknown"):
            await issuer.renew(held, NOW)
        await issuer.revoke(held)
    assert server.seen[-2][:2] == ("DELETE", "/oauth/v1/refresh-tokens/na1%2F1")


async def test_what_cannot_be_renewed_says_so() -> None:
    async with asked(plain) as (server, issuer):
        with pytest.raises(Refused, match="gave none to renew"):
            await issuer.renew(Held({"access": "at"}), NOW)
    assert server.seen == []


@pytest.mark.parametrize(
    ("status", "answer", "sent"),
    [
        (500, {}, True),
        (404, "no", False),
        (200, [], False),
        (401, {"error": "invalid_client"}, False),
    ],
)
async def test_what_is_no_answer_may_have_been_carried_out(
    status: int, answer: Any, sent: bool
) -> None:
    async with asked(plain) as (server, issuer):
        server.status, server.answer = status, answer
        with pytest.raises(Unanswered) as failure:
            await issuer.renew(Held({"access": "at", "refresh": "rt-secret"}), NOW)
    assert failure.value.sent is sent
    assert "rt-secret" not in str(failure.value)
