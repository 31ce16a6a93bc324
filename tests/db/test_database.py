"""Transactions: what a reading leaves behind, and what it may not do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from harness import Organization, Program, make_organization

from clinch.db.database import CredentialChanged, Database, Tenant

NAME = "select name from organization"
BEGAN = "select now()"
PID = "select pg_backend_pid()"


@pytest.fixture
def organization(program: Program) -> Organization:
    return make_organization(program, "Harbour")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there for a moment is there for the whole test, however slow the machine."""
    monkeypatch.setattr("clinch.db.database._LINGER", 600)


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


@pytest.mark.usefixtures("patient")
def test_a_reading_sees_what_was_committed_before_it(
    cluster: str, organization: Organization
) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database, one_connection(cluster) as other:
            for name in ("Harbour II", "Harbour III"):
                began = await read(database, tenant, BEGAN)
                async with other.tenant(tenant) as transaction:
                    await transaction.execute("update organization set name = $1", name)
                assert await read(database, tenant) == name
                assert await read(database, tenant, BEGAN) == began

    asyncio.run(work())


def test_a_reading_does_so_whatever_the_databases_own_setting(
    cluster: str, organization: Organization
) -> None:
    async def work() -> None:
        asking = await asyncpg.connect(cluster)
        name = await asking.fetchval("select quote_ident(current_database())")
        setting = f"alter database {name} set default_transaction_isolation"
        await asking.execute(f"{setting} = 'repeatable read'")
        try:
            async with one_connection(cluster) as database:
                level = await read(database, tenant_of(organization), "show transaction_isolation")
        finally:
            await asking.execute(f"{setting} = default")
            await asking.close()
        assert level == "read committed"

    asyncio.run(work())


def test_readings_share_a_transaction_for_a_moment_only(
    cluster: str, organization: Organization
) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database:
            began = [await read(database, tenant, BEGAN)]
            while began[-1] == began[0]:  # without a pause, in which it would be ended for itself
                began.append(await read(database, tenant, BEGAN))
            assert timedelta(0) < began[-1] - began[0] < timedelta(seconds=5)
            # Neither with one that plans anew, nor with a write.
            async with database.reading(tenant, plan_anew=True) as transaction:
                began.append(await transaction.value(BEGAN))
            async with database.tenant(tenant) as transaction:
                began.append(await transaction.value(BEGAN))
            began.append(await read(database, tenant, BEGAN))
            assert began[-4] < began[-3] < began[-2] < began[-1]

    asyncio.run(work())


def test_a_credential_that_is_due_is_not_forgotten(
    cluster: str, organization: Organization
) -> None:
    async def ask(database: Database, tenant: Tenant) -> None:
        async with database.reading(tenant, asserted=False) as transaction:
            await transaction.value(NAME)

    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database:
            await ask(database, tenant)
            gone = Tenant(tenant.organization_id, "api_gone", 1)
            with pytest.raises(RuntimeError, match="assert the credential"):
                await ask(database, gone)
            with pytest.raises(CredentialChanged):
                await read(database, gone)

    asyncio.run(work())


@pytest.mark.usefixtures("patient")
def test_a_reading_that_failed_is_shared_with_nobody(
    cluster: str, organization: Organization
) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database:
            async with database.reading(tenant) as transaction:
                with pytest.raises(asyncpg.DivisionByZeroError):
                    await transaction.value("select 1 / 0")
            assert await read(database, tenant) == "Harbour"
            with pytest.raises(asyncpg.DivisionByZeroError):
                await read(database, tenant, "select 1 / 0")
            assert await read(database, tenant) == "Harbour"

    asyncio.run(work())


@pytest.mark.usefixtures("patient")
def test_a_connection_that_is_in_a_reading_of_the_same_organization_is_preferred(
    cluster: str, program: Program, organization: Organization
) -> None:
    async def work() -> None:
        ours, theirs = tenant_of(organization), tenant_of(make_organization(program, "Mill"))
        database = Database(cluster, 2)
        try:
            async with database.reading(ours) as one, database.reading(theirs) as other:
                pids = [await each.value(PID) for each in (one, other)]
            assert pids[0] != pids[1]
            assert [await read(database, each, PID) for each in (ours, theirs)] == pids
            assert [await read(database, each, PID) for each in (theirs, ours)] == pids[::-1]
        finally:
            await database.close()

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
                pid = await read(database, tenant, PID)
                assert await state(cluster, pid, "active") in ("idle in transaction", "idle")
                assert await state(cluster, pid, "idle in transaction") == "idle"
            # The same connection is there for the next.
            assert await read(database, tenant, PID) == pid

    asyncio.run(work())


def test_a_connection_that_is_lost_after_a_reading_is_replaced(
    cluster: str, organization: Organization
) -> None:
    async def work() -> None:
        tenant = tenant_of(organization)
        async with one_connection(cluster) as database:
            pid = await read(database, tenant, PID)
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
