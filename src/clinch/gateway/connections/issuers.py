"""Who gives out what connections hold: this server, and the OAuth servers of apps."""

import base64
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import msgspec

from clinch.db.database import Database
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.credentials import Held
from clinch.gateway.connections.sending import retry_after
from clinch.gateway.connectors.clients import OAuthClient, OAuthClients
from clinch.gateway.connectors.connector import OAuthServer
from clinch.gateway.errors import ConfigurationError
from clinch.identity.oauth.clients import GATEWAY
from clinch.identity.oauth.errors import OAuthError
from clinch.identity.oauth.grants import (
    LIFETIME,
    REPLAY_WINDOW,
    Tokens,
    refresh_grant,
    revoke_token,
)
from clinch.outbound.guard import OutboundRefused
from clinch.outbound.http import Client, HttpAnswer, Unreachable

_LONGEST_DESCRIPTION = 200
_TOKEN_IN_URL = "{token}"
# What servers say of a refresh token that is good for nothing: RFC 6749, and in their own words
# Slack, GitHub and HubSpot.
_LOST = frozenset(
    (
        *("invalid_grant", "invalid_refresh_token", "token_revoked", "token_expired"),
        *("bad_refresh_token", "BAD_REFRESH_TOKEN", "account_inactive"),
    )
)
_WRONG_CLIENT = frozenset(("invalid_client", "unauthorized_client", "bad_client_secret"))


class Refused(Exception):
    """What was shown is taken no more, or never was; the message quotes nothing secret."""


class Unanswered(Exception):
    """No good answer for now. `sent` is whether the request may have been carried out, `pause` how
    many seconds the server wants to be left alone."""

    def __init__(self, message: str, *, sent: bool, pause: float | None = None) -> None:
        super().__init__(message)
        self.sent, self.pause = sent, pause


class ThisServer:
    """The grants of this server, which connections to itself hold."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def replay_window(self) -> timedelta | None:
        return REPLAY_WINDOW

    async def renew(self, held: Held, now: datetime) -> Held:
        try:
            tokens = await refresh_grant(
                self._database, GATEWAY, held.values.get("refresh", ""), "", now
            )
        except OAuthError as error:
            raise Refused(error.description) from None
        return self.held(tokens, now)

    async def revoke(self, held: Held) -> None:
        await revoke_token(self._database, GATEWAY, held.values.get("refresh", ""))

    @staticmethod
    def held(tokens: Tokens, now: datetime) -> Held:
        values = {"access": tokens.access_token, "refresh": tokens.refresh_token or ""}
        return Held(values, now + LIFETIME, now + LIFETIME - timedelta(minutes=5))


class OAuthIssuer:
    """An app's OAuth server (RFC 6749), as our client there; see `OAuthServer` for its manners."""

    def __init__(
        self, client: Client, server: OAuthServer, ours: OAuthClient, redirect_url: str
    ) -> None:
        self._client, self._server, self._ours = client, server, ours
        self._redirect_url = redirect_url

    @property
    def replay_window(self) -> timedelta | None:
        """How long a spent refresh token may be spent again; None where it may not."""
        window = self._server.replay_window
        return timedelta(seconds=window) if window else None

    def authorize_url(self, state: str, verifier: str) -> str:
        """The page of the app that asks its user, and leads back to us with a code."""
        server = self._server
        asked = {
            **server.authorize_parameters,
            "response_type": "code",
            "client_id": self._ours.id,
            "redirect_uri": self._redirect_url,
            server.scope_parameter: server.scope_separator.join(server.scopes),
            "state": state,
        }
        if server.pkce:
            digest = hashlib.sha256(verifier.encode()).digest()
            asked["code_challenge"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            asked["code_challenge_method"] = "S256"
        mark = "&" if urlsplit(server.authorize_url).query else "?"
        return f"{server.authorize_url}{mark}{urlencode(asked)}"

    async def exchange(self, code: str, verifier: str, now: datetime) -> Held:
        """What a code is good for; raises Refused and Unanswered."""
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_url,
        }
        return await self._tokens(
            asked | ({"code_verifier": verifier} if self._server.pkce else {}), None, now
        )

    async def renew(self, held: Held, now: datetime) -> Held:
        """What a refresh token is good for; raises Refused and Unanswered."""
        refresh = held.values.get("refresh")
        if not refresh:
            raise Refused("The app's tokens are over, and it gave none to renew them by.")
        asked = {"grant_type": "refresh_token", "refresh_token": refresh}
        return await self._tokens(asked, refresh, now)

    async def revoke(self, held: Held) -> None:
        """End the grant at the app, as well as that can be done there (RFC 7009)."""
        if self._server.revoke_url is None:
            return
        # With most the refresh token is enough; some know the access token alone.
        with suppress(Unanswered):
            for token in filter(None, map(held.values.get, ("refresh", "access"))):
                url = self._server.revoke_url.replace(_TOKEN_IN_URL, quote(token, safe=""))
                if url == self._server.revoke_url:
                    await self._send("POST", url, {"token": token})
                else:
                    await self._send("DELETE", url, {})

    async def _tokens(self, asked: Mapping[str, str], refresh: str | None, now: datetime) -> Held:
        answer = await self._send("POST", self._server.token_url, asked)
        told = _document(answer)
        # At a renewal those who nest the tokens of a login may tell them at the top.
        places = told.get(self._server.tokens_at or ""), told
        for inside in (place for place in places if isinstance(place, dict)):
            if answer.status < 400 and _is_text(inside.get("access_token")):
                return held_of(inside, refresh, self._server.refresh_margin, now)
        raise self._failure(answer, told)

    def _failure(self, answer: HttpAnswer, told: Mapping[str, Any]) -> Exception:
        """What an answer without tokens means."""
        said = {told.get(name) for name in ("error", "status", "code") if _is_text(told.get(name))}
        text = next(
            (
                told[name]
                for name in ("error_description", "message", "error")
                if _is_text(told.get(name))
            ),
            f"It answered with status {answer.status}.",
        )
        description = "".join(filter(str.isprintable, text))[:_LONGEST_DESCRIPTION]
        if said & _WRONG_CLIENT:
            return Unanswered(
                f"It does not take our client id and secret ({description}).", sent=False
            )
        if said & _LOST:
            return Refused(description)
        # Whether an answer that says neither was a no may be told another time.
        return Unanswered(description, sent=answer.status >= 500, pause=retry_after(answer.headers))

    async def _send(self, method: str, url: str, asked: Mapping[str, str]) -> HttpAnswer:
        """The answer to a request in which we say who we are."""
        form = dict(asked)
        headers = [
            ("accept", "application/json"),
            ("content-type", "application/x-www-form-urlencoded"),
        ]
        if self._server.client_auth == "basic" and self._ours.secret:
            pair = f"{quote_plus(self._ours.id)}:{quote_plus(self._ours.secret)}"
            proof = base64.b64encode(pair.encode()).decode()
            headers.append(("authorization", f"Basic {proof}"))
        else:
            form["client_id"] = self._ours.id
            if self._ours.secret:
                form["client_secret"] = self._ours.secret
        try:
            return await self._client.send(method, url, headers, urlencode(form).encode())
        except OutboundRefused:
            raise Unanswered("Its address is not one to connect to.", sent=False) from None
        except Unreachable as error:
            raise Unanswered(str(error), sent=error.sent) from None


Issuer = ThisServer | OAuthIssuer


class Issuers:
    """The issuer of each connection."""

    def __init__(
        self, database: Database, client: Client, clients: OAuthClients, redirect_url: str
    ) -> None:
        self._here = ThisServer(database)
        self._client, self._clients, self._redirect_url = client, clients, redirect_url

    def of(self, one: Connection) -> Issuer | None:
        """Who renews what a connection holds; None where a person typed it, and it stays.

        Raises ConfigurationError where we are no client of the app any more.
        """
        if one.option.type == "this-server":
            return self._here
        return None if one.option.oauth is None else self.oauth(one)

    def oauth(self, one: Connection) -> OAuthIssuer:
        """The OAuth server of a connection's app; raises ConfigurationError."""
        ours = self._clients.of(one.connector, one.option)
        if one.option.oauth is None or ours is None:
            raise ConfigurationError(
                f"This server is no client of {one.connector.name}: whoever runs it sets"
                f" {', '.join(self._clients.settings(one.connector))}."
            )
        return OAuthIssuer(self._client, one.option.oauth, ours, self._redirect_url)


def held_of(told: Mapping[str, Any], refresh: str | None, margin: int, now: datetime) -> Held:
    """The tokens of an answer; one without a new refresh token leaves the old one as it is."""
    following = told.get("refresh_token")
    values = {"access": told["access_token"]}
    if kept := following if isinstance(following, str) and following else refresh:
        values["refresh"] = kept
    seconds = _seconds(told.get("expires_in"))
    if seconds is None:
        return Held(values)
    # A token with a short life is renewed in its last quarter, not all the time.
    early = min(margin, seconds / 4)
    return Held(values, now + timedelta(seconds=seconds), now + timedelta(seconds=seconds - early))


def _seconds(value: Any) -> float | None:
    """A life in seconds, as a number or a text; None where it is not told, or never ends."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < 10**9 else None


def _document(answer: HttpAnswer) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
