"""The log of what was run for a tenant: what was asked, what came of it, what went over the wire.

What it quotes is the tenant's own and sealed under their data key; headers, which hold credentials,
are never in it. Records go after two weeks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from clinch.db.database import Database, Tenant
from clinch.db.ids import new_id
from clinch.db.schema import Column, ForeignKey, Index, id_column, tenant_table
from clinch.gateway.errors import GivenUp, NotFound
from clinch.gateway.paging import cursor_after, read_cursor
from clinch.gateway.tenancy.rows import tenant_rows
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.resources.store import Store
from clinch.vault.vault import CannotOpen, KeyMissing

KEPT = timedelta(days=14)
PREFIX = "run"
_SWEPT = 1000

Status = Literal["success", "error"]

GATEWAY_RUN = tenant_table(
    "gateway_run",
    id_column("tenant_id"),
    id_column(),
    Column("action", "text"),
    id_column("connection_id", nullable=True),
    Column("connector_key", "text"),
    Column("status", "text"),
    Column("created_at", "timestamp with time zone"),
    Column("duration_ms", "bigint"),
    Column("sealed_details", "bytea"),
    key=("tenant_id", "id"),
    indexes=(
        Index(("organization_id", "tenant_id", "created_at", "id")),
        Index(("organization_id", "created_at")),
    ),
    foreign_keys=(ForeignKey("tenant_id", "gateway_tenant", "tenant_id"),),
)


class Sent(msgspec.Struct, frozen=True):
    """One request of a run and its answer, as texts; a body that is none is left out."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: str | None
    status: int
    answer: str | None


class Details(msgspec.Struct, frozen=True):
    """What a record quotes. `untrusted` are the places of the output that came from outside."""

    input: Any
    output: Any
    error: dict[str, Any] | None
    meta: Any
    sent: tuple[Sent, ...]
    untrusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One run; `duration` is in milliseconds. `details` is None where its key was given up."""

    id: str
    action: str
    connection_id: str | None
    connector_key: str
    status: Status
    created_at: datetime
    duration: int
    details: Details | None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, the newest first; `cursor` leads to older ones."""

    items: list[Run]
    cursor: str | None


class RunLog:
    """The records of all tenants, each read by its own alone."""

    def __init__(self, database: Database, vault: TenantVault) -> None:
        self._database, self._vault = database, vault

    async def note(
        self,
        tenant: GatewayTenant,
        action: str,
        connection_id: str | None,
        connector_key: str,
        begun: datetime,
        duration: int,
        details: Details,
        *,
        id: str | None = None,
    ) -> str:
        """Keep a record; its id."""
        id = id or new_id(PREFIX)
        status: Status = "success" if details.error is None else "error"
        sealed = self._vault.seal(tenant, id, "run", 1, msgspec.json.encode(details))
        async with tenant_rows(self._database, tenant) as rows:
            await rows.execute(
                "insert into gateway_run (organization_id, tenant_id, id, action, connection_id,"
                " connector_key, status, created_at, duration_ms, sealed_details)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                id,
                action,
                connection_id,
                connector_key,
                status,
                begun,
                duration,
                sealed,
            )
        return id

    async def get(self, tenant: GatewayTenant, id: str) -> tuple[Run, Details]:
        """One record, and what it quotes; raises NotFound and GivenUp."""
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(f"{_SELECT} and r.id = $3", id)
        if not found:
            raise NotFound("There is no run with this id; records are kept for 14 days.")
        run = self._run(tenant, found[0])
        if run.details is None:
            raise GivenUp(
                "What this run quotes was sealed with a key that was given up, and is lost.",
                hint="The list of runs still tells when it was and how it ended; run it again for"
                " a new record.",
            )
        return run, run.details

    async def find(
        self,
        tenant: GatewayTenant,
        *,
        action: str | None = None,
        connection_id: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> RunPage:
        """The records that fit, the newest first; raises InvalidRequest."""
        at, id = read_cursor(cursor) or (None, "")
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(
                f"{_SELECT} and ($3::text is null or r.action = $3)"
                " and ($4::text is null or r.connection_id = $4)"
                " and ($5::text is null or r.status = $5)"
                " and ($6::timestamptz is null or r.created_at >= $6)"
                " and ($7::timestamptz is null or r.created_at < $7)"
                " and ($8::timestamptz is null or (r.created_at, r.id) < ($8, $9))"
                " order by r.created_at desc, r.id desc limit $10",
                action,
                connection_id,
                status,
                since,
                until,
                at,
                id,
                limit + 1,
            )
        items = [self._run(tenant, row) for row in found[:limit]]
        return RunPage(items, cursor_after(items, more=len(found) > limit))

    def _run(self, tenant: GatewayTenant, row: Sequence[Any]) -> Run:
        id, action, connection_id, connector_key, status, created_at, duration, sealed = row
        try:
            opened = self._vault.open(tenant, id, "run", 1, sealed)
            details = msgspec.json.decode(opened, type=Details)
        except KeyMissing:
            raise
        except CannotOpen:
            details = None
        return Run(id, action, connection_id, connector_key, status, created_at, duration, details)


_SELECT = (
    "select r.id, r.action, r.connection_id, r.connector_key, r.status, r.created_at,"
    " r.duration_ms, r.sealed_details from gateway_run r"
    " where r.organization_id = $1 and r.tenant_id = $2"
)


async def sweep_runs(store: Store, now: datetime) -> bool:
    """Remove some records whose two weeks are over; whether there may be more."""
    until = now - KEPT
    organization_ids = await _with_old_records(store.database, until)
    for organization_id in organization_ids:
        await _remove_old(store.database, organization_id, until)
    return bool(organization_ids)


async def _with_old_records(database: Database, until: datetime) -> list[str]:
    async with database.everyone() as transaction:
        rows = await transaction.rows(
            "select distinct r.organization_id::text from gateway_run r where r.created_at < $1"
            " limit 100",
            until,
        )
    return [row[0] for row in rows]


async def _remove_old(database: Database, organization_id: str, until: datetime) -> None:
    async with database.tenant(Tenant(organization_id)) as transaction:
        await transaction.execute(
            "delete from gateway_run r using (select o.tenant_id, o.id from gateway_run o where"
            " o.organization_id = $1 and o.created_at < $2 order by o.created_at limit $3) old"
            " where r.organization_id = $1 and r.tenant_id = old.tenant_id and r.id = old.id",
            organization_id,
            until,
            _SWEPT,
        )
