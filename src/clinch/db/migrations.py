"""Numbered SQL files, applied in order, once each, one transaction a file."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from clinch.db.schema import CATALOG, Catalog, Column, Table

FOLDER = Path(__file__).parent / "migrations"

SCHEMA_MIGRATION = Table(
    "schema_migration",
    "local",
    (
        Column("number", "integer"),
        Column("name", "text"),
        Column("checksum", "text"),
        Column("applied_at", "timestamp with time zone", default="now()"),
    ),
    ("number",),
    rights="select",
)

# Any number will do, as long as every copy of the program asks for the same one.
_LOCK = 7_203_441_901


class MigrationError(Exception):
    """A migration cannot be applied; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0002_name.sql`."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self) -> Iterator[str]:
        """The statements one by one: some servers take only one a message."""
        statement: list[str] = []
        quoted = False
        for line in self.text.splitlines():
            quoted ^= line.count("$$") % 2 == 1
            if statement or (line.strip() and not line.startswith("--")):
                statement.append(line)
            if line.rstrip().endswith(";") and not quoted and statement:
                yield "\n".join(statement)
                statement = []


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """All files, in the order of their numbers, which leave no gap."""
    found = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        number, _, name = path.stem.partition("_")
        found.append(Migration(int(number), name, path.read_text()))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationError(f"migration {expected:04} is missing or there twice")
    return found


async def migrate(
    url: str, on_step: Callable[[str], None] = lambda _: None, wanted: list[Migration] | None = None
) -> int:
    """Bring the database at `url` up to date; the number of migrations applied.

    Raises MigrationError when an applied file was changed since, when the database is ahead of this
    program, or when it cannot hold every text; then nothing was changed.
    """
    wanted = migrations() if wanted is None else wanted
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("select pg_advisory_lock($1::bigint)", _LOCK)
        if not await _is_begun(connection):
            await _check_encoding(connection)
            await connection.execute(SCHEMA_MIGRATION.ddl()[0])
        pending = await _pending(connection, wanted)
        for migration in pending:
            on_step(f"migration {migration.number:04} {migration.name.replace('_', ' ')}")
            await _apply(connection, migration)
        await _take_role(connection)
        return len(pending)
    except asyncpg.InsufficientPrivilegeError as error:
        user, name, owns, made = await connection.fetchrow(
            "select quote_ident(current_user), quote_ident(datname), pg_has_role(datdba, 'usage'),"
            " to_regrole('clinch_app') is not null"
            " from pg_database where datname = current_database()"
        )
        grant = f"grant clinch_app to {user};"
        role = grant if made else f"create role clinch_app nologin; {grant}"
        raise MigrationError(
            f"the database user {user} may not do that ({error.message}); an administrator can help"
            f" once with: {role if owns else f'alter database {name} owner to {user};'}"
        ) from None
    finally:
        await connection.close()


async def check_migrated(url: str) -> None:
    """Raise MigrationError unless the database at `url` is one for this program."""
    connection = await asyncpg.connect(url)
    try:
        if not await _is_begun(connection) or await _pending(connection, migrations()):
            raise MigrationError("the database is not up to date: run `clinch migrate`")
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    async with connection.transaction():
        # Nobody is to wait long for a lock that a migration holds or waits for.
        await connection.execute("set local lock_timeout = '10s'")
        for statement in migration.statements():
            await connection.execute(statement)
        await connection.execute(
            "insert into schema_migration (number, name, checksum) values ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.checksum,
        )


async def _check_encoding(connection: asyncpg.Connection) -> None:
    encoding = await connection.fetchval("show server_encoding")
    if encoding != "UTF8":
        raise MigrationError(
            f"the database has the encoding {encoding}, and must have UTF8: make another with"
            " `create database NAME encoding 'UTF8' template template0`"
        )


async def _take_role(connection: asyncpg.Connection) -> None:
    """See that the user may act as the role that requests run as."""
    try:
        async with connection.transaction():
            await connection.execute("set local role clinch_app")
    except asyncpg.InsufficientPrivilegeError:
        # Who makes a role may give it, but since PostgreSQL 16 does not have it by that.
        await connection.execute("grant clinch_app to current_user")


async def _is_begun(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval("select to_regclass('schema_migration') is not null"))


async def _pending(connection: asyncpg.Connection, wanted: list[Migration]) -> list[Migration]:
    rows = await connection.fetch("select number, checksum from schema_migration")
    applied = {row["number"]: row["checksum"] for row in rows}
    for migration in wanted:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"migration {migration.number:04} was changed after it had been applied; "
                "restore the file and write a new one"
            )
    ahead = set(applied) - {migration.number for migration in wanted}
    if ahead:
        raise MigrationError(
            f"the database is at migration {max(ahead):04}, this program only knows up to "
            f"{len(wanted):04}: install the newer program"
        )
    return [migration for migration in wanted if migration.number not in applied]


async def catalog(connection: asyncpg.Connection) -> Catalog:
    """The tables, columns, constraints, indexes, policies and grants that a database has."""
    rows = await connection.fetch(CATALOG)
    return {(row["kind"], row["of_table"], row["name"]): row["definition"] for row in rows}
