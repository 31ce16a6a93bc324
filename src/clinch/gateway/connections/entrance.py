"""How a person lets an app in: by a page of this server, and at the app's own login.

The page's address holds a ticket, which is good for an hour and for one connection. A login at the
app belongs to the browser that began it: a link to the app that somebody else made brings nobody's
account into their connection.
"""

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import jsonschema_rs
import msgspec

from clinch.db.database import Database, Tenant
from clinch.db.ids import new_secret
from clinch.gateway.connections.calls import Calls
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.credentials import Credentials, Held
from clinch.gateway.connections.issuers import Issuers, Refused, Unanswered, held_of
from clinch.gateway.connections.records import Connections
from clinch.gateway.connections.sessions import ConnectSession, keep_session
from clinch.gateway.connectors.connector import AuthOption
from clinch.gateway.connectors.refusals import refusal
from clinch.gateway.errors import (
    ConfigurationError,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
)
from clinch.gateway.tenancy.rows import tenant_rows
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import GatewayTenant, tenant_by_id
from clinch.vault.vault import CannotOpen

TICKET_LIFE = timedelta(hours=1)
CALLBACK = "/connect/callback"

_FIELD = "login"
# What a product sends in place of a person's login at the app: the tokens as the app gave them.
_TOKENS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "access_token": {"type": "string", "minLength": 1},
        "refresh_token": {"type": "string"},
        "expires_in": {"type": ["number", "string"]},
    },
    "required": ["access_token"],
}


class _Login(msgspec.Struct, frozen=True):
    """A login at an app that has begun; `page` is the address to begin again at."""

    state: bytes
    browser: bytes
    verifier: str
    until: datetime
    page: str
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class LoginBegun:
    """Where the app asks its user, and what the browser has to bring back."""

    url: str
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Visit:
    """Whom a page is for, which connection it lets in, and the connect session that led there."""

    tenant: GatewayTenant
    connection: Connection
    session_id: str | None


class LoginFailed(ConnectionFailed):
    """The app's login came to nothing; `page` is where to begin again."""

    def __init__(self, message: str, visit: Visit, page: str) -> None:
        super().__init__(message)
        self.visit, self.page = visit, page


class Entrance:
    """Lets apps in, for all tenants."""

    def __init__(
        self,
        database: Database,
        vault: TenantVault,
        connections: Connections,
        credentials: Credentials,
        issuers: Issuers,
        calls: Calls,
        public_url: str,
    ) -> None:
        self._database, self._vault, self._connections = database, vault, connections
        self._credentials, self._issuers, self._calls = credentials, issuers, calls
        self._public_url = public_url

    async def page_for(
        self,
        tenant: GatewayTenant,
        one: Connection,
        now: datetime,
        session: ConnectSession | None = None,
    ) -> str:
        """The address of a page on which a person lets this connection in."""
        ticket = new_secret() + new_secret()
        async with tenant_rows(self._database, tenant) as rows:
            if session is not None:
                await keep_session(rows, session, now)
            await rows.execute(
                "update gateway_connection set ticket = $4, ticket_until = $5, session_id = $6"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
                _hash(ticket),
                now + TICKET_LIFE,
                session.id if session is not None else None,
            )
        return f"{self._public_url}/connect/{_place(tenant, one, ticket)}"

    async def by_ticket(self, text: str, now: datetime) -> Visit:
        """What a page is there for; raises NotFound."""
        tenant, one, ticket = await self._placed(text)
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(
                "select c.session_id from gateway_connection c where c.organization_id = $1"
                " and c.tenant_id = $2 and c.id = $3 and c.ticket = $4 and c.ticket_until > $5",
                one.id,
                _hash(ticket),
                now,
            )
        if not found:
            raise _gone()
        return Visit(tenant, one, found[0]["session_id"])

    async def enter(
        self, tenant: GatewayTenant, id: str, input: Mapping[str, Any], now: datetime
    ) -> Connection:
        """Give a connection what its app takes as proof, if it works; raises GatewayError.

        Nothing is kept of what does not.
        """
        one = await self._connections.get(tenant, id)
        schema = one.option.input_schema if one.option.oauth is None else _TOKENS
        valid = jsonschema_rs.validator_for(schema).is_valid(dict(input))
        if not valid or one.option.type == "this-server":
            needed = ", ".join(schema["properties"]) or "nothing"
            raise InvalidRequest(f"This way in takes {needed}.", option=one.option.key)
        held = _held(one.option, input, now)
        answer = await self._calls.try_out(one, held.values)
        if not one.connector.lets_in(answer):
            told = refusal(one.connector, answer)
            raise InvalidRequest(f"{one.connector.name} does not take this {told}")
        await self._credentials.keep(tenant, one.id, held, now)
        return await self._connections.get(tenant, one.id)

    async def begin_login(self, visit: Visit, page: str, now: datetime) -> LoginBegun:
        """Begin a login at the app, from a page; raises ConfigurationError."""
        tenant, one = visit.tenant, visit.connection
        issuer = self._issuers.oauth(one)
        state, browser, verifier = (new_secret() + new_secret() for _ in range(3))
        until = now + TICKET_LIFE
        begun = _Login(_hash(state), _hash(browser), verifier, until, page, visit.session_id)
        sealed = self._vault.seal(tenant, one.id, _FIELD, 0, msgspec.json.encode(begun))
        async with tenant_rows(self._database, tenant) as rows:
            await rows.execute(
                "update gateway_connection set login = $4"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
                sealed,
            )
        return LoginBegun(issuer.authorize_url(_place(tenant, one, state), verifier), browser)

    async def finish_login(
        self, state: str, browser: str, answer: Mapping[str, str], now: datetime
    ) -> Visit:
        """Take what the app sent the browser back with; raises LoginFailed and NotFound."""
        tenant, one, secret = await self._placed(state)
        begun = await self._take_login(tenant, one, secret, browser, now)
        app, visit = one.connector.name, Visit(tenant, one, begun.session_id)
        code = answer.get("code")
        if not code:
            said = "".join(filter(str.isprintable, answer.get("error_description", "")))[:200]
            told = said or "It was not allowed there."
            raise LoginFailed(f"{app} is not connected. {told}", visit, begun.page)
        try:
            held = await self._issuers.oauth(one).exchange(code, begun.verifier, now)
        except (Refused, Unanswered, ConfigurationError) as error:
            raise LoginFailed(f"{app} is not connected. {error}", visit, begun.page) from None
        await self._credentials.keep(tenant, one.id, held, now)
        return replace(visit, connection=await self._connections.get(tenant, one.id))

    async def _take_login(
        self, tenant: GatewayTenant, one: Connection, state: str, browser: str, now: datetime
    ) -> _Login:
        """The login that a browser brings back, which is good once; raises NotFound."""
        async with tenant_rows(self._database, tenant) as rows:
            sealed = await rows.value(
                "select c.login from gateway_connection c where c.organization_id = $1"
                " and c.tenant_id = $2 and c.id = $3 for update",
                one.id,
            )
            try:
                opened = self._vault.open(tenant, one.id, _FIELD, 0, sealed or b"")
            except CannotOpen:
                raise _gone() from None
            begun = msgspec.json.decode(opened, type=_Login)
            ours = hmac.compare_digest(begun.state, _hash(state))
            same = hmac.compare_digest(begun.browser, _hash(browser))
            if not (ours and same and begun.until > now):
                raise _gone()
            await rows.execute(
                "update gateway_connection set login = null"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
            )
        return begun

    async def _placed(self, text: str) -> tuple[GatewayTenant, Connection, str]:
        """The tenant, the connection and the secret that a text names; raises NotFound."""
        parts = text.split(".")
        if len(parts) != 4 or "\x00" in text:
            raise _gone()
        try:
            organization = Tenant(str(uuid.UUID(parts[0])))
            tenant = await tenant_by_id(self._database, organization, parts[1])
            return tenant, await self._connections.get(tenant, parts[2]), parts[3]
        except (NotFound, ValueError):
            raise _gone() from None


def is_tokens(input: Mapping[str, Any]) -> bool:
    """Whether an input is what an app's OAuth server gave, and nothing that a person types."""
    return "access_token" in input


def _held(option: AuthOption, input: Mapping[str, Any], now: datetime) -> Held:
    if option.oauth is not None:
        return held_of(input, None, option.oauth.refresh_margin, now)
    return Held({name: str(value) for name, value in input.items()})


def _place(tenant: GatewayTenant, one: Connection, secret: str) -> str:
    return f"{tenant.organization_id.replace('-', '')}.{tenant.id}.{one.id}.{secret}"


def _gone() -> NotFound:
    return NotFound("This page is not there any more. Ask for a new one.")


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
