"""Transactions: what a reading leaves behind, and what it may not do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from harness import Organization, Program, make_organization

from clinch.db.database import Database, Tenant

NAME = "select name from organization"


@pytest.fixture
def organization(program: Program) -> Organization:
    return make_organization(program, "Harbour")


@asynccontextmanager
async def one_connection(url: str) -> AsyncIterator[Database]:
    database = Database(url, 1)
    try:
        yield database
    finally:
        await database.close()


def tenant_of(organization: Organization) -> Tenant:
    return Tenant(organization.actor().organization_id)


async def read(database: Database, tenant: Tenant, sql: str = NAME) -> Any:
    async with database.reading(tenant) as transaction:
        return await transaction.value(sql)


async def state(url: str, pid: int, other_than: str = "") -> str:
    """What PostgreSQL says that a connection does; waits until that is something else."""
    looking = await asyncpg.connect(url)
    try:
        for _ in range(1000):
            state: str = await looking.fetchval(
                "select state from pg_stat_activity where pid = $1", pid
            )
            if state != other_than:
                break
            await asyncio.sleep(0.02)
        return state
    finally:
        await looking.close()


def test_a_reading_sees_its_own_organization_and_none_before_it(
    cluster: str, program: Program, organization: Organization
) -> None:
    other = make_organization(program, "Mill")

    async def work() -> None:
        async with one_connection(cluster) as database:
            for _ in range(2):
                assert await read(database, tenant_of(organization)) == "Harbour"
                assert await read(database, tenant_of(other)) == "Mill"
            async with database.installation() as transaction:
                assert await transaction.value(NAME) is None
            assert await read(database, tenant_of(other)) == "Mill"
            async with database.tenant(tenant_of(organization)) as transaction:
                assert await transaction.value(NAME) == "Harbour"

    asyncio.run(work())


def test_each_reading_is_a_transaction_of_its_own(cluster: str, organization: Organization) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database:
            began = [await read(database, tenant, "select now()") for _ in range(2)]
            assert began[0] < began[1]
            async with database.tenant(tenant) as transaction:
                await transaction.execute("update organization set name = 'Harbour II'")
            assert await read(database, tenant) == "Harbour II"

    asyncio.run(work())


def test_a_reading_changes_nothing(cluster: str, organization: Organization) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database:
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await read(database, tenant, "update organization set name = 'x' returning name")
            assert await read(database, tenant) == "Harbour"

    asyncio.run(work())


def test_a_reading_is_ended_soon_when_nothing_comes_after_it(
    cluster: str, organization: Organization
) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database:
            for _ in range(2):
                pid = await read(database, tenant, "select pg_backend_pid()")
                assert await state(cluster, pid, "active") in ("idle in transaction", "idle")
                assert await state(cluster, pid, "idle in transaction") == "idle"
            # The same connection is there for the next.
            assert await read(database, tenant, "select pg_backend_pid()") == pid

    asyncio.run(work())


def test_a_connection_that_is_lost_after_a_reading_is_replaced(
    cluster: str, organization: Organization
) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database:
            pid = await read(database, tenant, "select pg_backend_pid()")
            killing = await asyncpg.connect(cluster)
            await killing.execute("select pg_terminate_backend($1, 5000)", pid)
            await killing.close()
            await asyncio.sleep(0.2)
            assert await read(database, tenant) == "Harbour"

    asyncio.run(work())


def test_readings_share_few_connections(cluster: str, organization: Organization) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        database = Database(cluster, 2)
        try:
            names = await asyncio.gather(*(read(database, tenant) for _ in range(50)))
            assert names == ["Harbour"] * 50
        finally:
            await database.close()

    asyncio.run(work())
