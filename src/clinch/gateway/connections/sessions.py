"""Connect sessions: a product sends somebody to connect an app, and is told what became of it.

A session has an id of the product's choice, since its page waits for it from before there is a
connection; one that fails at once has none. It says where the person came from, and where they are
led to in the end. What is older than a day goes when its tenant begins another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from clinch.db.database import Database
from clinch.db.schema import Column, ForeignKey, Index, id_column, tenant_table
from clinch.gateway.errors import GatewayError, InvalidRequest
from clinch.gateway.tenancy.rows import TenantRows, tenant_rows
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.identity.oauth.clients import check_uris
from clinch.identity.oauth.errors import OAuthError

PREFIX = "csess"
_KEPT = timedelta(days=1)
_LONGEST_ID = 100

GATEWAY_CONNECT_SESSION = tenant_table(
    "gateway_connect_session",
    id_column("tenant_id"),
    id_column(),
    Column("origin", "text", nullable=True),
    Column("redirect_uri", "text", nullable=True),
    Column("created_at", "timestamp with time zone"),
    Column("ended_at", "timestamp with time zone", nullable=True),
    id_column("connection_id", nullable=True),
    Column("failure", "text", nullable=True),
    key=("tenant_id", "id"),
    indexes=(Index(("organization_id", "tenant_id", "created_at")),),
    foreign_keys=(ForeignKey("tenant_id", "gateway_tenant", "tenant_id"),),
)


@dataclass(frozen=True, slots=True)
class ConnectSession:
    """`origin` is the site whose page has begun it. `redirect_uri` is where the browser goes in the
    end; without one the page that opened ours is told."""

    id: str
    origin: str | None = None
    redirect_uri: str | None = None

    @property
    def in_window_of_its_own(self) -> bool:
        """Whether the page that has begun it is still there, beside ours."""
        return self.redirect_uri is None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session has ended: with a connection, or with the body of a GatewayError, and then with
    the connection that stays as it was, if there is one."""

    connection_id: str | None
    failure: Mapping[str, Any] | None = field(default=None, repr=False)

    def added_to(self, redirect_uri: str) -> str:
        """The address that tells it: by the connection's id, which is no secret, or an error."""
        told = {"connectionId": self.connection_id} if self.connection_id else {}
        if self.failure is not None:
            encoded = msgspec.json.encode(self.failure).decode()
            told |= {"error": str(self.failure["message"]), "errorData": encoded}
        return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(told)}"


def read_session(id: Any, origin: str | None, redirect_uri: Any) -> ConnectSession:
    """A session as it was asked for; raises InvalidRequest."""
    if not isinstance(id, str) or not 1 <= len(id) <= _LONGEST_ID or not id.isprintable():
        raise InvalidRequest(f"requestId has 1 to {_LONGEST_ID} printable characters.")
    if redirect_uri is not None:
        if not isinstance(redirect_uri, str):
            raise InvalidRequest("redirectUri is a text.", field="redirectUri")
        try:
            check_uris([redirect_uri])
        except OAuthError as error:
            raise InvalidRequest(f"redirectUri: {error}", field="redirectUri") from None
    return ConnectSession(id, origin, redirect_uri)


async def keep_session(rows: TenantRows, session: ConnectSession, now: datetime) -> None:
    """Note that a session has begun, or begun again. What is over by a day goes."""
    await rows.execute(
        "delete from gateway_connect_session where organization_id = $1 and tenant_id = $2"
        " and created_at < $3",
        now - _KEPT,
    )
    await rows.execute(
        "insert into gateway_connect_session (organization_id, tenant_id, id, origin, redirect_uri,"
        " created_at) values ($1, $2, $3, $4, $5, $6)"
        " on conflict (organization_id, tenant_id, id) do update set origin = $4,"
        " redirect_uri = $5, created_at = $6, ended_at = null, connection_id = null,"
        " failure = null",
        session.id,
        session.origin,
        session.redirect_uri,
        now,
    )


class ConnectSessions:
    """The sessions of all tenants, each read by its own alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: GatewayTenant, id: str) -> ConnectSession | None:
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(
                "select s.id, s.origin, s.redirect_uri from gateway_connect_session s"
                " where s.organization_id = $1 and s.tenant_id = $2 and s.id = $3",
                id,
            )
        return ConnectSession(*found[0]) if found else None

    async def outcome(self, tenant: GatewayTenant, id: str) -> Outcome | None:
        """How a session has ended; None as long as it has not, or not begun."""
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(
                "select s.connection_id, s.failure from gateway_connect_session s"
                " where s.organization_id = $1 and s.tenant_id = $2 and s.id = $3"
                " and s.ended_at is not null",
                id.replace("\x00", ""),
            )
        if not found:
            return None
        connection_id, failure = found[0]
        return Outcome(connection_id, msgspec.json.decode(failure) if failure else None)

    async def end(
        self,
        tenant: GatewayTenant,
        session: ConnectSession,
        connection_id: str | None,
        error: GatewayError | None,
        now: datetime,
    ) -> Outcome:
        """Note how a session has ended, whether a page was shown on the way or not."""
        outcome = Outcome(connection_id, error.body if error is not None else None)
        failure = None if outcome.failure is None else msgspec.json.encode(outcome.failure).decode()
        async with tenant_rows(self._database, tenant) as rows:
            await keep_session(rows, session, now)
            await rows.execute(
                "update gateway_connect_session set ended_at = $4, connection_id = $5,"
                " failure = $6 where organization_id = $1 and tenant_id = $2 and id = $3",
                session.id,
                now,
                connection_id,
                failure,
            )
        return outcome
