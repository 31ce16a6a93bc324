"""One PostgreSQL cluster and one server a test process, a fresh organization a test."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from argon2 import PasswordHasher
from harness import Api, Organization, Program, make_organization, serve

from clinch.db.embedded import EmbeddedPostgres
from clinch.db.migrations import migrate
from clinch.identity import passwords
from clinch.program import declarations


@pytest.fixture(scope="session", autouse=True)
def costly_hasher() -> Iterator[PasswordHasher]:
    """Passwords are hashed as cheaply as can be, since hundreds sign in; yields what hashes them
    elsewhere, where it takes a tenth of a second by design."""
    with pytest.MonkeyPatch.context() as patch:
        costly = passwords.HASHER
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "HASHER", cheap)
        yield costly


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The URL of a migrated database in a PostgreSQL of this test process."""
    folder = Path(tempfile.mkdtemp(prefix="clinch-tests-"))
    server = EmbeddedPostgres(folder / "home")
    server.start()
    try:
        asyncio.run(migrate(server.url))
        yield server.url
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def empty_database(cluster: str) -> Iterator[str]:
    """The URL of a database of its own, without tables."""
    yield from _database(cluster, "")


@pytest.fixture
def own_database(cluster: str) -> Iterator[str]:
    """The URL of a migrated database of its own, for tests of the whole database."""
    yield from _migrated(cluster)


@pytest.fixture(scope="module")
def modules_database(cluster: str) -> Iterator[str]:
    """The URL of a migrated database of one module, in whose statistics are no rows of others."""
    yield from _migrated(cluster)


def _migrated(cluster: str) -> Iterator[str]:
    for url in _database(cluster, ""):
        asyncio.run(migrate(url))
        yield url


def _database(cluster: str, options: str) -> Iterator[str]:
    name = f"t_{secrets.token_hex(6)}"
    asyncio.run(_execute(cluster, f"create database {name} {options}"))
    yield cluster.replace("/clinch?", f"/{name}?")
    asyncio.run(_execute(cluster, f"drop database {name} with (force)"))


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def program(cluster: str) -> Iterator[Program]:
    """The whole program on a loopback port."""
    with serve(cluster, declarations) as served:
        yield served


@pytest.fixture
def organization(program: Program) -> Organization:
    return make_organization(program)


@pytest.fixture
def api(organization: Organization) -> Api:
    """An admin's key in a fresh organization."""
    return organization.admin
