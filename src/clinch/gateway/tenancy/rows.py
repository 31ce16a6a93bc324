"""The one way to the gateway's rows: a transaction that is one tenant's.

Each statement gets the organization as `$1` and the tenant as `$2`, and PostgreSQL refuses one that
does not use both; `tests/gateway/test_rows.py` reads that it uses them at every level.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from clinch.db.database import Database, Transaction
from clinch.gateway.tenancy.tenants import GatewayTenant


class TenantRows:
    """An open transaction of a tenant; the arguments of a statement are `$3` and those after."""

    __slots__ = ("_tenant", "_transaction")

    def __init__(self, transaction: Transaction, tenant: GatewayTenant) -> None:
        self._transaction, self._tenant = transaction, tenant

    async def value(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._transaction.value(
            sql, self._tenant.organization_id, self._tenant.id, *arguments
        )

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        return await self._transaction.rows(
            sql, self._tenant.organization_id, self._tenant.id, *arguments
        )

    async def execute(self, sql: str, *arguments: Any) -> None:
        await self._transaction.execute(
            sql, self._tenant.organization_id, self._tenant.id, *arguments
        )


@asynccontextmanager
async def tenant_rows(
    database: Database, tenant: GatewayTenant, *, reading: bool = False
) -> AsyncIterator[TenantRows]:
    """A transaction of the tenant, or with `reading` one to read in only; rolled back on any error.

    Raises CredentialChanged where the tenant was met by a credential that holds no more, and Busy.
    """
    begin = database.reading if reading else database.tenant
    async with begin(tenant.organization) as transaction:
        yield TenantRows(transaction, tenant)
