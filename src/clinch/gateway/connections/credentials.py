"""What connections hold, sealed under the tenant's data key, and who may renew it.

Every change makes a new version, and a value is sealed for its version alone. Whoever renews a
version takes a lease on it first. A lease has a number, higher than all before it (a fence), so
that a process which slept through its lease can end nothing any more; and a version that is being
renewed is noted as sent, so that whoever comes after a crash knows that it may be spent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from clinch.db.database import Database
from clinch.gateway.tenancy.rows import TenantRows, tenant_rows
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.vault.vault import CannotOpen, KeyMissing

COLUMNS = "c.version, c.secrets, c.expires_at, c.renew_at"
"""What `Credentials.opened` reads, of `gateway_connection c`."""
_FIELD = "secrets"
GIVEN_UP = (
    "update gateway_connection set secrets = null, login = null, lease_until = null,"
    " state = 'CLIENT_ACTION_REQUIRED',"
    " reason = 'The key that sealed its credentials was given up.', updated_at = $3"
    " where organization_id = $1 and tenant_id = $2 and secrets is not null"
)
"""Erases what a tenant's connections hold, at a time (`$3`), when the data key was given up."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a connection holds. From `renew_at` on it is to be renewed, at `expires_at` it is over;
    both are None where its time is not known."""

    values: Mapping[str, str] = field(repr=False)
    expires_at: datetime | None = None
    renew_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to renew it."""
        return self.renew_at is not None and self.renew_at <= now


@dataclass(frozen=True, slots=True)
class Version:
    """What a connection holds now, and which version that is."""

    number: int
    held: Held


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to renew one version. `doubtful` is whether it was sent before, and no answer kept:
    it may be spent. `failures` counts how often that failed in a row."""

    fence: int
    version: int
    held: Held
    doubtful: bool
    failures: int


@dataclass(frozen=True, slots=True)
class Later:
    """Nobody may renew now: another does (`seconds` is None), or it failed a moment ago."""

    seconds: float | None = None


class Credentials:
    """What all connections hold."""

    def __init__(self, database: Database, vault: TenantVault) -> None:
        self._database, self._vault = database, vault

    async def read(self, tenant: GatewayTenant, id: str) -> Version | None:
        """What a connection holds; None where that is nothing, or was sealed with a data key that
        was given up."""
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            return await self._read(rows, tenant, id)

    async def lost_by(self, tenant: GatewayTenant, id: str) -> str | None:
        """Why a connection holds nothing any more, where it was let in before."""
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            reason: str | None = await rows.value(
                "select c.reason from gateway_connection c"
                " where c.organization_id = $1 and c.tenant_id = $2 and c.id = $3",
                id,
            )
        return reason

    async def keep(self, tenant: GatewayTenant, id: str, held: Held, now: datetime) -> None:
        """Store what a person, or the app at their word, has given."""
        async with tenant_rows(self._database, tenant) as rows:
            version = 1 + await rows.value(
                "select c.version from gateway_connection c where c.organization_id = $1"
                " and c.tenant_id = $2 and c.id = $3 for update",
                id,
            )
            await self._store(rows, tenant, id, version, None, held, now)

    async def lease(
        self, tenant: GatewayTenant, id: str, version: int, lasts: timedelta
    ) -> Lease | Version | Later | None:
        """The right to renew a version; or what is there instead of it, or Later, or None where the
        connection holds nothing any more."""
        async with tenant_rows(self._database, tenant) as rows:
            found = await rows.rows(
                "select c.fence + 1, c.sent_version = c.version, c.failures,"
                " c.lease_until > clock_timestamp(),"
                " greatest(extract(epoch from c.retry_at - clock_timestamp()), 0)::float8"
                " from gateway_connection c"
                " where c.organization_id = $1 and c.tenant_id = $2 and c.id = $3 for update",
                id,
            )
            current = await self._read(rows, tenant, id) if found else None
            if current is None or current.number != version:
                return current
            fence, sent, failures, leased, wait = found[0]
            if leased or wait:
                return Later(None if leased else wait)
            await rows.execute(
                "update gateway_connection set fence = $4, sent_version = version,"
                " lease_until = clock_timestamp() + $5"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                id,
                fence,
                lasts,
            )
        return Lease(fence, version, current.held, bool(sent), failures)

    async def renewed(
        self, tenant: GatewayTenant, id: str, lease: Lease, held: Held, now: datetime
    ) -> Version | None:
        """Store what a version was renewed to, and tell what the connection then holds.

        That is something else where another was quicker. If two have spent the same version, what
        the later lease brought is kept: an app that allows this takes the newest answer for good.
        """
        async with tenant_rows(self._database, tenant) as rows:
            meant = await rows.value(
                "select c.version = $4 or (c.version = $4 + 1 and c.renewed_by < $5)"
                " from gateway_connection c where c.organization_id = $1 and c.tenant_id = $2"
                " and c.id = $3 and c.archived_at is null for update",
                id,
                lease.version,
                lease.fence,
            )
            if not meant:
                return await self._read(rows, tenant, id)
            version = lease.version + 1
            await self._store(rows, tenant, id, version, lease.fence, held, now)
            return Version(version, held)

    async def put_off(
        self, tenant: GatewayTenant, id: str, lease: Lease, pause: timedelta, *, sent: bool
    ) -> None:
        """Give a lease back after a failure that may pass. `sent` is whether the app may have taken
        the request all the same, which would have spent the version."""
        async with tenant_rows(self._database, tenant) as rows:
            await rows.execute(
                "update gateway_connection set lease_until = null, failures = failures + 1,"
                " retry_at = clock_timestamp() + $5,"
                " sent_version = case when $6 then sent_version end"
                " where organization_id = $1 and tenant_id = $2 and id = $3 and fence = $4",
                id,
                lease.fence,
                pause,
                sent or lease.doubtful,
            )

    async def lose(
        self, tenant: GatewayTenant, id: str, lease: Lease, reason: str, now: datetime
    ) -> None:
        """Erase what the app takes no more, and note why, so that a person connects anew.

        Nothing is done where the version, or the lease on it, is not the newest.
        """
        async with tenant_rows(self._database, tenant) as rows:
            await rows.execute(
                "update gateway_connection set secrets = null, lease_until = null,"
                " state = 'CLIENT_ACTION_REQUIRED', reason = $6, updated_at = $7"
                " where organization_id = $1 and tenant_id = $2 and id = $3"
                " and fence = $4 and version = $5",
                id,
                lease.fence,
                lease.version,
                reason,
                now,
            )

    async def _read(self, rows: TenantRows, tenant: GatewayTenant, id: str) -> Version | None:
        found = await rows.rows(
            f"select {COLUMNS} from gateway_connection c where c.organization_id = $1"
            " and c.tenant_id = $2 and c.id = $3 and c.archived_at is null",
            id,
        )
        return self.opened(tenant, id, found[0]) if found else None

    def opened(self, tenant: GatewayTenant, id: str, row: Sequence[Any]) -> Version | None:
        """What a connection's row holds; None where that is nothing."""
        version, sealed, expires_at, renew_at = row
        if sealed is None:
            return None
        try:
            opened = self._vault.open(tenant, id, _FIELD, version, sealed)
        except KeyMissing:
            raise
        except CannotOpen:
            return None
        values = msgspec.json.decode(opened, type=dict[str, str])
        return Version(version, Held(values, expires_at, renew_at))

    async def _store(
        self,
        rows: TenantRows,
        tenant: GatewayTenant,
        id: str,
        version: int,
        fence: int | None,
        held: Held,
        now: datetime,
    ) -> None:
        sealed = self._vault.seal(tenant, id, _FIELD, version, msgspec.json.encode(held.values))
        await rows.execute(
            "update gateway_connection set secrets = $4, version = $5, renewed_by = $6,"
            " expires_at = $7, renew_at = $8, updated_at = $9, state = 'READY', reason = null,"
            " lease_until = null, failures = 0, retry_at = null,"
            # A person who is just connecting anew goes on with that.
            " ticket = case when $6::bigint is not null then ticket end,"
            " login = case when $6::bigint is not null then login end"
            " where organization_id = $1 and tenant_id = $2 and id = $3",
            id,
            sealed,
            version,
            fence,
            held.expires_at,
            held.renew_at,
            now,
        )
