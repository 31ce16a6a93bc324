"""Reading the connections of a tenant, and what they are called."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clinch.db.database import Database
from clinch.gateway.connections.connection import (
    COLUMNS,
    Connection,
    ConnectionPage,
    read_connection,
)
from clinch.gateway.connections.credentials import COLUMNS as SEALED
from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.errors import AlreadyExists, ConfigurationError, InvalidRequest, NotFound
from clinch.gateway.paging import cursor_after, read_cursor
from clinch.gateway.tenancy.rows import TenantRows, tenant_rows
from clinch.gateway.tenancy.tenants import GatewayTenant

_LONGEST_NAME = 100
_POLL = 0.25


class Connections:
    """The connections of all tenants, each read by its own alone."""

    def __init__(self, database: Database, catalogs: Catalogs) -> None:
        self._database, self._catalogs = database, catalogs

    async def get(self, tenant: GatewayTenant, id_or_key: str) -> Connection:
        """One that is not archived; raises NotFound."""
        return (await self.with_sealed(tenant, id_or_key))[0]

    async def with_sealed(
        self, tenant: GatewayTenant, id_or_key: str
    ) -> tuple[Connection, Sequence[Any]]:
        """The same with the row of what it holds, which is sealed."""
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(
                f"select {COLUMNS}, {SEALED}, (select g.id from gateway_connector g"
                " where g.organization_id = $1 and g.key = c.connector_key) as imported_id"
                " from gateway_connection c where c.organization_id = $1 and c.tenant_id = $2"
                " and (c.id = $3 or c.key = $3) and c.archived_at is null"
                " order by c.id = $3 desc limit 1",
                id_or_key.replace("\x00", ""),
            )
        if not found:
            raise NotFound(
                f"No connection is called {id_or_key[:100]}.",
                hint="membrane connection list --json",
            )
        *row, version, secrets, expires_at, renew_at, imported_id = found[0]
        connector = await self._catalogs.connector(
            tenant.organization, found[0]["connector_key"], imported_id
        )
        one = read_connection(connector, row)
        if one is None:
            raise ConfigurationError(
                "The connector of this connection was removed.", connectionId=id_or_key[:100]
            )
        return one, (version, secrets, expires_at, renew_at)

    async def wait(self, tenant: GatewayTenant, id_or_key: str, seconds: int) -> Connection:
        """The connection once it is ready, or as it is after so many seconds."""
        ends = time.monotonic() + seconds
        while True:
            one = await self.get(tenant, id_or_key)
            if one.is_ready or time.monotonic() >= ends:
                return one
            await asyncio.sleep(_POLL)

    async def of_tenant(self, tenant: GatewayTenant) -> list[Connection]:
        """All that are not archived, up to a thousand."""
        return (await self.find(tenant, limit=1000)).items

    async def find(
        self,
        tenant: GatewayTenant,
        *,
        connector: str | None = None,
        search: str = "",
        limit: int = 100,
        cursor: str | None = None,
    ) -> ConnectionPage:
        """The connections that fit, the oldest first; raises InvalidRequest."""
        at, id = read_cursor(cursor) or (None, "")
        catalog = await self._catalogs.of(tenant.organization)
        known = catalog.get(connector) if connector else None
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(
                f"select {COLUMNS} from gateway_connection c"
                " where c.organization_id = $1 and c.tenant_id = $2 and c.archived_at is null"
                " and ($3::text is null or c.connector_key = $3)"
                " and ($4 = '' or strpos(lower(c.name), lower($4)) > 0)"
                " and ($5::timestamptz is null or (c.created_at, c.id) > ($5, $6))"
                " order by c.created_at, c.id limit $7",
                known.key if known else connector,
                search,
                at,
                id,
                limit + 1,
            )
        read = [read_connection(catalog.get(row["connector_key"]), row) for row in found[:limit]]
        items = [one for one in read if one is not None]
        return ConnectionPage(items, cursor_after(items, more=len(found) > limit))

    async def patch(
        self, tenant: GatewayTenant, id_or_key: str, change: Mapping[str, Any], now: datetime
    ) -> Connection:
        """Change the name or the key of a connection; raises GatewayError."""
        one = await self.get(tenant, id_or_key)
        if unknown := sorted(set(change) - {"name", "key"}):
            raise InvalidRequest(f"{unknown[0]} cannot be changed; name and key can.")
        name = checked_text(change["name"], "name") if "name" in change else one.name
        key = checked_text(change["key"], "key") if "key" in change else one.key
        async with tenant_rows(self._database, tenant) as rows:
            await check_key(rows, key, one.id)
            await rows.execute(
                "update gateway_connection set name = $4, key = $5, updated_at = $6"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
                name or one.connector.name,
                key,
                now,
            )
        return await self.get(tenant, one.id)


async def check_key(rows: TenantRows, key: str | None, own: str | None) -> None:
    """Raise AlreadyExists where another connection has the key."""
    taken = await rows.value(
        "select 1 from gateway_connection where organization_id = $1 and tenant_id = $2"
        " and key = $3 and id is distinct from $4 and archived_at is null",
        key,
        own,
    )
    if taken is not None:
        raise AlreadyExists(f"Another connection has the key {key}.")


def checked_text(text: Any, what: str) -> str | None:
    """A name or a key; raises InvalidRequest."""
    if text is None:
        return None
    if not isinstance(text, str) or not 1 <= len(text) <= _LONGEST_NAME or not text.isprintable():
        raise InvalidRequest(f"{what} has 1 to {_LONGEST_NAME} printable characters.")
    return text
