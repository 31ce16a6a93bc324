"""Requests to connect an app: one is what became of a connection's page, and has its id.

There is nothing to keep of them: the connection exists as soon as it is asked for.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from clinch.db.database import Database
from clinch.gateway.connections.connection import PREFIX as CONNECTION
from clinch.gateway.connections.connection import Wanted
from clinch.gateway.connections.entrance import TICKET_LIFE
from clinch.gateway.connections.lifecycle import Lifecycle
from clinch.gateway.connections.sessions import ConnectSession
from clinch.gateway.errors import NotFound
from clinch.gateway.tenancy.access import Caller
from clinch.gateway.tenancy.rows import tenant_rows
from clinch.gateway.tenancy.tenants import GatewayTenant

PREFIX = "creq"

Status = Literal["pending", "success", "error", "cancelled"]


@dataclass(frozen=True, slots=True)
class ConnectionRequest:
    """A request; `url` is the page to show to a person, told only when it is made."""

    id: str
    connection_id: str
    connector_key: str
    name: str
    status: Status
    error: str | None
    created_at: datetime
    url: str | None = None


async def request_connection(
    database: Database,
    lifecycle: Lifecycle,
    caller: Caller,
    tenant: GatewayTenant,
    wanted: Wanted | str,
    now: datetime,
    session: ConnectSession | None = None,
) -> ConnectionRequest:
    """Ask for an app, or for a connection by its id or key to be connected anew.

    It has succeeded at once where no person is needed. Raises GatewayError.
    """
    if isinstance(wanted, str):
        made = await lifecycle.connect(caller, wanted, now, session)
    else:
        made = await lifecycle.create(caller, wanted, now, session)
    return await _read(database, tenant, made.id, now, made.ui_url)


def connection_of(request_id: str) -> str:
    """The id of the connection that a request is about; raises NotFound."""
    prefix, _, rest = request_id.partition("_")
    if prefix != PREFIX or not rest:
        raise _missing()
    return f"{CONNECTION}_{rest}"


async def connection_request(
    database: Database, tenant: GatewayTenant, id: str, now: datetime
) -> ConnectionRequest:
    """What became of a request; raises NotFound."""
    return await _read(database, tenant, connection_of(id), now, None)


async def _read(
    database: Database, tenant: GatewayTenant, connection_id: str, now: datetime, url: str | None
) -> ConnectionRequest:
    async with tenant_rows(database, tenant, reading=True) as rows:
        found = await rows.rows(
            "select c.connector_key, c.name, c.state, c.reason, c.archived_at,"
            " c.ticket is not null, c.ticket_until, c.created_at from gateway_connection c"
            " where c.organization_id = $1 and c.tenant_id = $2 and c.id = $3",
            connection_id.replace("\x00", ""),
        )
    if not found:
        raise _missing()
    connector_key, name, state, reason, archived_at, has_page, page_until, created_at = found[0]
    status: Status = "pending"
    error = None
    if archived_at is not None:
        status = "cancelled"
    elif state == "READY":
        status = "success"
    elif not has_page or page_until <= now:
        status = "error"
        error = reason or "The page was there for an hour; nobody has connected the app on it."
    asked_at = created_at if page_until is None else page_until - TICKET_LIFE
    _, _, rest = connection_id.partition("_")
    return ConnectionRequest(
        f"{PREFIX}_{rest}", connection_id, connector_key, name, status, error, asked_at, url
    )


def _missing() -> NotFound:
    return NotFound(
        "There is no connection request with this id.",
        hint="membrane connection-request create --connectorKey=KEY --json",
    )
