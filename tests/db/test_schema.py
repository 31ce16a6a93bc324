"""The tables: what is declared is what the migrations make, and every rule of the data holds."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from clinch.db.migrations import (
    Migration,
    MigrationError,
    catalog,
    migrate,
    migrations,
)
from clinch.db.schema import Column, Index, create_all, differences, id_column, tenant_table
from clinch.program import declarations, tables

TABLES = {table.name: table for table in tables(declarations())}
TENANT = {name for name, table in TABLES.items() if table.table_class == "tenant"}

Ask = Callable[[asyncpg.Connection], Coroutine[Any, Any, Any]]


def ask(url: str, question: Ask) -> Any:
    async def connected() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await question(connection)
        finally:
            await connection.close()

    return asyncio.run(connected())


def rows(url: str, sql: str) -> list[Any]:
    return [tuple(row) for row in ask(url, lambda connection: connection.fetch(sql))]


async def make_declared(connection: asyncpg.Connection) -> None:
    """The declared tables, on nothing but the foundation."""
    for statement in migrations()[0].statements():
        await connection.execute(statement)
    for statement in create_all(TABLES.values()):
        await connection.execute(statement)


def test_the_migrations_make_exactly_what_is_declared(cluster: str, empty_database: str) -> None:
    async def declared(connection: asyncpg.Connection) -> Any:
        await make_declared(connection)
        return await catalog(connection)

    wanted = ask(empty_database, declared)
    assert ask(cluster, catalog) == wanted
    assert len([key for key in wanted if key[0] == "table"]) == len(TABLES)


def test_a_changed_declaration_becomes_a_migration(empty_database: str) -> None:
    """Columns, indexes and whole tables that come, change and go, by the statements written."""
    before = [
        tenant_table("kept", id_column(), Column("a", "text"), Column("gone", "text")),
        tenant_table("dropped", id_column()),
    ]
    after = [
        tenant_table(
            "kept",
            id_column(),
            Column("a", "text", nullable=True),
            Column("b", "bigint", nullable=True),
            Column("c", "text", fill="'new'"),
            indexes=(Index(("organization_id", "b")),),
        ),
        tenant_table("added", id_column()),
    ]

    async def change(connection: asyncpg.Connection) -> None:
        for statement in migrations()[0].statements():
            await connection.execute(statement)
        for statement in create_all(after):
            await connection.execute(statement)
        wanted = await catalog(connection)
        await connection.execute("drop table kept, added")
        for statement in create_all(before):
            await connection.execute(statement)
        await connection.execute("insert into kept values (gen_random_uuid(), '1', 'a', 'g')")
        for statement in differences(await catalog(connection), wanted, after):
            await connection.execute(statement)
        assert await connection.fetchval("select c from kept") == "new"
        assert await catalog(connection) == wanted

    ask(empty_database, change)


def test_migrating_twice_changes_nothing(own_database: str) -> None:
    assert asyncio.run(migrate(own_database)) == 0


def test_two_programs_migrate_one_database_at_once(empty_database: str) -> None:
    async def both() -> tuple[int, int]:
        return await asyncio.gather(migrate(empty_database), migrate(empty_database))

    assert sorted(asyncio.run(both())) == [0, len(migrations())]


def test_a_migration_that_fails_leaves_nothing(own_database: str) -> None:
    bad = Migration(len(migrations()) + 1, "bad", "create table half (a text);\nselect 1 / 0;\n")
    with pytest.raises(asyncpg.DivisionByZeroError):
        asyncio.run(migrate(own_database, wanted=[*migrations(), bad]))
    assert rows(own_database, "select to_regclass('half')::text") == [(None,)]
    assert asyncio.run(migrate(own_database)) == 0


def test_a_file_changed_after_it_was_applied_is_refused(own_database: str) -> None:
    first, *rest = migrations()
    edited = Migration(first.number, first.name, first.text + "\nselect 1;\n")
    with pytest.raises(MigrationError, match="0001 was changed"):
        asyncio.run(migrate(own_database, wanted=[edited, *rest]))


def test_a_database_of_a_newer_program_is_refused(own_database: str) -> None:
    with pytest.raises(MigrationError, match="install the newer program"):
        asyncio.run(migrate(own_database, wanted=migrations()[:1]))


def test_every_table_is_declared_in_one_class(cluster: str) -> None:
    found = rows(
        cluster,
        "select relname::text from pg_class"
        " where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace",
    )
    assert {name for (name,) in found} == set(TABLES)


def test_a_tenant_table_starts_with_its_organization(cluster: str) -> None:
    found = rows(
        cluster,
        "select c.relname::text, format_type(a.atttypid, null), a.attnotnull,"
        " x.indkey[0] = a.attnum"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " and a.attname = 'organization_id'"
        " join pg_index x on x.indrelid = c.oid and x.indisprimary",
    )
    tenant = {row[0]: row[1:] for row in found if row[0] in TENANT}
    assert tenant == dict.fromkeys(TENANT, ("uuid", True, True))


def test_uniqueness_never_reaches_over_organizations(cluster: str) -> None:
    found = rows(
        cluster,
        "select c.relname::text, i.relname::text, x.indkey[0] = a.attnum"
        " from pg_index x join pg_class c on c.oid = x.indrelid"
        " join pg_class i on i.oid = x.indexrelid"
        " join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'"
        " where x.indisunique",
    )
    assert [row for row in found if row[0] in TENANT and not row[2]] == []


def test_foreign_keys_hold_the_organization_at_the_same_place(cluster: str) -> None:
    found = rows(
        cluster,
        "select c.relname::text, t.relname::text, a.attname::text, f.attname::text,"
        " k.confdeltype::text || k.confupdtype::text"
        " from pg_constraint k join pg_class c on c.oid = k.conrelid"
        " join pg_class t on t.oid = k.confrelid"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]"
        " join pg_attribute f on f.attrelid = t.oid and f.attnum = k.confkey[1]"
        " where k.contype = 'f'",
    )
    assert found
    for table, target, column, target_column, actions in found:
        assert TABLES[table].table_class == TABLES[target].table_class == "tenant"
        assert (column, target_column) == ("organization_id", "organization_id")
        assert not set(actions) & {"n", "d", "c"}, "nothing is nulled or deleted behind the log"


def test_there_are_no_triggers_identities_or_inheritance(cluster: str) -> None:
    assert rows(cluster, "select tgname from pg_trigger where not tgisinternal") == []
    assert rows(cluster, "select inhrelid from pg_inherits") == []
    found = rows(
        cluster,
        "select a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where c.relnamespace = 'public'::regnamespace and a.attidentity <> ''",
    )
    assert found == []
    assert rows(cluster, "select 1 from pg_class where relkind = 'S'") == []


def test_row_security_is_the_second_wall(cluster: str) -> None:
    found = rows(
        cluster,
        "select c.relname::text, c.relrowsecurity, c.relforcerowsecurity,"
        " (select string_agg(pg_get_expr(p.polqual, p.polrelid) || '/'"
        " || pg_get_expr(p.polwithcheck, p.polrelid), ';') from pg_policy p"
        " where p.polrelid = c.oid)"
        " from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace",
    )
    policy = "(organization_id = app_org())/(organization_id = app_org())"
    assert {row[0]: row[1:] for row in found if row[0] in TENANT} == dict.fromkeys(
        TENANT, (True, False, policy)
    )


def test_the_application_neither_owns_nor_bypasses(cluster: str) -> None:
    [role] = rows(
        cluster,
        "select rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb"
        " from pg_roles where rolname = 'clinch_app'",
    )
    assert role == (False, False, False, False, False)
    owned = rows(cluster, "select 1 from pg_class where relowner = 'clinch_app'::regrole")
    member = rows(cluster, "select 1 from pg_auth_members where member = 'clinch_app'::regrole")
    assert (owned, member) == ([], [])


def test_the_log_may_only_be_appended_to(cluster: str) -> None:
    found = rows(
        cluster,
        "select table_name::text, string_agg(privilege_type, ',' order by privilege_type)"
        " from information_schema.role_table_grants where grantee = 'clinch_app'"
        " and table_name in ('event', 'event_seal') group by 1",
    )
    assert dict(found) == {"event": "INSERT,SELECT", "event_seal": "INSERT,SELECT"}


def test_no_sql_function_reads_a_tenant_table(cluster: str) -> None:
    found = rows(
        cluster,
        "select p.proname::text, l.lanname::text, p.prosrc from pg_proc p"
        " join pg_language l on l.oid = p.prolang where p.pronamespace = 'public'::regnamespace"
        " and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')",
    )
    assert {name for name, _, _ in found} == {
        "app_org",
        "api_time",
        "api_money",
        "assert_credential",
        "custom_value_fits",
        "url_encoded",
    }
    for name, language, source in found:
        read = set(re.findall(r"\bfrom\s+(\w+)", source)) & TENANT
        assert not (language == "sql" and read), name


def test_names_leave_room_for_a_shard_number(cluster: str) -> None:
    names = rows(
        cluster,
        "select conname::text from pg_constraint where connamespace = 'public'::regnamespace"
        " union all select relname::text from pg_class"
        " where relkind = 'i' and relnamespace = 'public'::regnamespace",
    )
    assert [name for (name,) in names if len(name) > 55] == []
    constraints = rows(
        cluster,
        "select conname::text from pg_constraint where connamespace = 'public'::regnamespace"
        " and contype <> 'n' group by 1 having count(*) > 1",
    )
    assert constraints == []
