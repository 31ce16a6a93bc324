"""Connections that nobody uses are renewed now and then: apps end what lay idle for too long."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinch.db.database import Database, Tenant
from clinch.gateway.connections.records import Connections
from clinch.gateway.connections.renewal import Renewal
from clinch.gateway.errors import GatewayError
from clinch.gateway.tenancy.tenants import tenant_by_id

IDLE = timedelta(days=1)
_MOST = 500


@dataclass(frozen=True, slots=True)
class Idle:
    """A connection that has been due for renewal for a day."""

    organization_id: str
    tenant_id: str
    id: str


async def idle_connections(database: Database, now: datetime) -> list[Idle]:
    """Some of them, those that waited longest first; one that failed waits for another day."""
    async with database.everyone() as transaction:
        rows = await transaction.rows(
            "select c.organization_id::text, c.tenant_id, c.id from gateway_connection c"
            " where c.state = 'READY' and c.archived_at is null and c.option_key <> 'this-server'"
            " and c.renew_at < $1 and (c.retry_at is null or c.retry_at < $1)"
            " order by c.renew_at limit $2",
            now - IDLE,
            _MOST,
        )
    return [Idle(*row) for row in rows]


async def renew_idle(
    database: Database, connections: Connections, renewal: Renewal, idle: Iterable[Idle]
) -> None:
    """Renew these; what fails is noted with the connection, as when somebody uses it."""
    for one in idle:
        with suppress(GatewayError):
            tenant = await tenant_by_id(database, Tenant(one.organization_id), one.tenant_id)
            await renewal.fresh(tenant, await connections.get(tenant, one.id))
