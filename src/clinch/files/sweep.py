"""The sweep: files that nothing holds, and whose time is over, go."""

from datetime import datetime

from clinch.db.database import Tenant
from clinch.resources.store import Store

_ORGANIZATIONS, _FILES = 100, 10

_IN_USE = "exists (select from file_use u where u.organization_id = $1 and u.file_id = f.id)"


async def sweep_files(store: Store, now: datetime) -> bool:
    """Look at some of the files whose time is over; whether there may be more.

    Those that an object holds by now are not looked at again before one lets go of them.
    """
    async with store.database.everyone() as transaction:
        rows = await transaction.rows(
            "select distinct f.organization_id::text from file f where f.kept_until < $1 limit $2",
            now,
            _ORGANIZATIONS,
        )
    found = [await _sweep(store, row[0], now) for row in rows]
    return len(found) == _ORGANIZATIONS or _FILES in found


async def _sweep(store: Store, organization_id: str, now: datetime) -> int:
    """How many of an organization's files were looked at."""
    async with store.database.tenant(Tenant(organization_id)) as transaction:
        # Who writes what is to hold a file has locked it, and it is passed over.
        rows = await transaction.rows(
            "select f.id from file f where f.organization_id = $1 and f.kept_until < $2"
            " order by f.kept_until limit $3 for update skip locked",
            organization_id,
            now,
            _FILES,
        )
        ids = [row[0] for row in rows]
        if not ids:
            return 0
        await transaction.execute(
            "update file f set kept_until = null where f.organization_id = $1 and f.id = any($2)"
            f" and {_IN_USE}",
            organization_id,
            ids,
        )
        await transaction.execute(
            "with gone as (select f.id from file f where f.organization_id = $1 and f.id = any($2)"
            f" and not {_IN_USE}),"
            " parts as (delete from file_part p using gone where p.organization_id = $1"
            " and p.file_id = gone.id)"
            " delete from file f using gone where f.organization_id = $1 and f.id = gone.id",
            organization_id,
            ids,
        )
    return len(ids)
