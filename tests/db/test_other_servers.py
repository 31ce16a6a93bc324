"""Databases that are not our own: an older PostgreSQL, and a user with few rights."""

import asyncio
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from harness import make_organization, serve

from clinch.db.embedded import EmbeddedPostgres
from clinch.db.migrations import MigrationError, migrate
from clinch.program import declarations

CACHE = Path(__file__).parents[2] / ".cache" / "postgresql-15"


def postgresql_15() -> Path:
    """The programs of PostgreSQL 15: the system's, or Debian's package unpacked under .cache."""
    for root in (Path("/"), CACHE):
        found = root / "usr/lib/postgresql/15/bin"
        if (found / "initdb").exists():
            return found
    CACHE.mkdir(parents=True, exist_ok=True)
    packages = ["postgresql-15", "postgresql-client-15", "libpq5", "libllvm14"]
    got = subprocess.run(
        ["apt-get", "download", *packages], cwd=CACHE, capture_output=True, text=True, check=False
    )
    assert got.returncode == 0, (
        f"install PostgreSQL 15: apt-get install postgresql-15\n{got.stderr}"
    )
    for package in CACHE.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, CACHE], check=True)
    return CACHE / "usr/lib/postgresql/15/bin"


@pytest.fixture
def old_server() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="clinch-15-"))
    server = EmbeddedPostgres(folder / "home", postgresql_15())
    server.start()
    yield server.url
    server.stop()
    shutil.rmtree(folder)


def use(url: str) -> None:
    """A write and reads of everything that is more than a plain row."""
    with serve(url, declarations) as program:
        api = make_organization(program).admin
        field = api.post("/custom_field/lead/", {"name": "Size", "type": "number"})["id"]
        lead = api.post(
            "/lead/", {"name": "x", f"custom.{field}": 3, "contacts": [{"name": "Ada"}]}
        )
        api.post("/opportunity/", {"lead_id": lead["id"], "value": 125050})
        api.post("/task/", {"lead_id": lead["id"], "text": "call"})
        found = api.get("/lead/")["data"][0]
        assert found["opportunities"][0]["value_formatted"] == "$1,250.50"
        assert (found["custom"], len(found["tasks"])) == ({"Size": 3}, 1)
        assert api.get("/opportunity/")["total_value_one_time"] == 125050
        api.delete(f"/lead/{lead['id']}/")
        assert api.get("/lead/")["total_results"] == 0


def test_everything_runs_on_postgresql_15(old_server: str) -> None:
    async def version() -> Any:
        connection = await asyncpg.connect(old_server)
        try:
            return await connection.fetchval("show server_version")
        finally:
            await connection.close()

    assert asyncio.run(version()).startswith("15")
    asyncio.run(migrate(old_server))
    use(old_server)


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def fresh_server() -> Iterator[str]:
    """A server in which nobody has made the application's role yet."""
    folder = Path(tempfile.mkdtemp(prefix="clinch-fresh-"))
    server = EmbeddedPostgres(folder / "home")
    server.start()
    yield server.url
    server.stop()
    shutil.rmtree(folder)


def test_a_user_who_may_create_roles_needs_no_help(fresh_server: str) -> None:
    statements = ("create role crm login createrole", "create database crm owner crm")
    asyncio.run(execute(fresh_server, *statements))
    url = fresh_server.replace("clinch@/clinch?", "crm@/crm?")
    assert asyncio.run(migrate(url)) > 0
    use(url)


def test_a_user_without_a_database_of_his_own_is_told_what_to_ask_for(fresh_server: str) -> None:
    user = f"limited_{secrets.token_hex(4)}"
    asyncio.run(
        execute(fresh_server, f"create role {user} login createrole", 'create database "Not His"')
    )
    url = fresh_server.replace("clinch@/clinch?", f"{user}@/Not%20His?")
    with pytest.raises(MigrationError) as refused:
        asyncio.run(migrate(url))
    assert "permission denied for schema public" in str(refused.value)
    statements = str(refused.value).split("once with: ")[1].split(";")
    asyncio.run(execute(fresh_server, *filter(None, statements)))
    assert asyncio.run(migrate(url)) > 0
    use(url)


def test_a_database_that_cannot_hold_every_text_is_refused(fresh_server: str) -> None:
    encoding = "encoding 'LATIN1' locale 'C' locale_provider libc template template0"
    asyncio.run(execute(fresh_server, f"create database narrow {encoding}"))
    url = fresh_server.replace("/clinch?", "/narrow?")
    with pytest.raises(MigrationError, match="encoding LATIN1, and must have UTF8"):
        asyncio.run(migrate(url))

    async def tables() -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval("select count(*) from pg_stat_user_tables"))
        finally:
            await connection.close()

    assert asyncio.run(tables()) == 0


@pytest.mark.parametrize("made", [False, True], ids=["no role", "a role of another"])
def test_a_user_who_may_not_create_roles_is_told_what_to_ask_for(
    made: bool, fresh_server: str
) -> None:
    user = f"limited_{secrets.token_hex(4)}"
    asyncio.run(
        execute(
            fresh_server,
            f"create role {user} login nosuperuser nocreaterole nocreatedb",
            f"create database limited owner {user}",
            *["create role clinch_app nologin"] * made,
        )
    )
    url = fresh_server.replace("clinch@/clinch?", f"{user}@/limited?")
    with pytest.raises(MigrationError) as refused:
        asyncio.run(migrate(url))
    advice = str(refused.value)
    assert "\n" not in advice
    statements = advice.split("once with: ")[1].split(";")
    asyncio.run(execute(fresh_server, *filter(None, statements)))
    assert asyncio.run(migrate(url)) > 0
    use(url)
