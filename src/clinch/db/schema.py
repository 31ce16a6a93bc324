"""What a table is, the DDL that makes it, and the catalog of a database that has it.

Every table belongs to one of three classes. A `tenant` table has `organization_id` first in its
primary key and row-level security; a `reference` table is small, read before the tenant is known
and rarely written; a `local` table belongs to the installation. Nothing else is allowed, so that
the same schema runs on one server and spreads over many.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

TableClass = Literal["tenant", "reference", "local"]
ORGANIZATION = "organization_id"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `type` is spelled as PostgreSQL prints it, so that catalogs can be compared."""

    name: str
    type: str
    nullable: bool = False
    default: str | None = None
    fill: str | None = None
    """What rows get that are there before the column is, as a SQL literal."""

    def ddl(self) -> str:
        default = f" default {self.default}" if self.default is not None else ""
        return f"{self.name} {self.type}{'' if self.nullable else ' not null'}{default}"


@dataclass(frozen=True, slots=True)
class Index:
    """An index over `columns` (SQL, in order); one of a tenant table starts with the tenant."""

    columns: tuple[str, ...]
    unique: bool = False
    method: str = "btree"
    where: str | None = None
    name: str = ""

    def ddl(self, table: str) -> str:
        where = f" where {self.where}" if self.where else ""
        unique = "unique " if self.unique else ""
        columns = ", ".join(self.columns)
        return (
            f"create {unique}index {self.called(table)} on {table}"
            f" using {self.method} ({columns}){where}"
        )

    def called(self, table: str) -> str:
        words = (column.split()[0].split("(")[-1].rstrip(")") for column in self.columns)
        return self.name or "_".join([table, *(word for word in words if word != ORGANIZATION)])


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to another table; between tenant tables both sides start with the tenant."""

    column: str
    table: str
    target: str = "id"

    def ddl(self, table: str) -> str:
        return (
            f"alter table {table} add constraint {self.called(table)}"
            f" foreign key ({ORGANIZATION}, {self.column})"
            f" references {self.table} ({ORGANIZATION}, {self.target})"
        )

    def called(self, table: str) -> str:
        return f"{table}_{self.column}_fkey"


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its class, columns, primary key, indexes and foreign keys.

    `rights` are what the application's role may do with it; the log may only be appended to.
    """

    name: str
    table_class: TableClass
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    rights: str = "select, insert, update, delete"

    def ddl(self) -> list[str]:
        """The statements that make the table, its foreign keys apart (see `foreign_key_ddl`)."""
        columns = ",\n    ".join(column.ddl() for column in self.columns)
        key = ", ".join(self.primary_key)
        statements = [
            f"create table {self.name} (\n    {columns},\n"
            f"    constraint {self.name}_pkey primary key ({key})\n)"
        ]
        statements += [index.ddl(self.name) for index in self.indexes]
        if self.table_class == "tenant":
            statements += [
                f"alter table {self.name} enable row level security",
                f"create policy {self.name}_tenant on {self.name}"
                f" using ({ORGANIZATION} = app_org()) with check ({ORGANIZATION} = app_org())",
            ]
        if self.rights:
            statements.append(f"grant {self.rights} on {self.name} to clinch_app")
        return statements

    def foreign_key_ddl(self) -> list[str]:
        return [key.ddl(self.name) for key in self.foreign_keys]


def tenant_table(
    name: str,
    *columns: Column,
    key: tuple[str, ...] = ("id",),
    indexes: tuple[Index, ...] = (),
    foreign_keys: tuple[ForeignKey, ...] = (),
    rights: str = "select, insert, update, delete",
) -> Table:
    """A tenant table: `organization_id` is its first column and leads its primary key."""
    return Table(
        name,
        "tenant",
        (Column(ORGANIZATION, "uuid"), *columns),
        (ORGANIZATION, *key),
        indexes,
        foreign_keys,
        rights,
    )


def id_column(name: str = "id", *, nullable: bool = False) -> Column:
    """A column that holds an id: text in ASCII order, so that it sorts alike on every server."""
    return Column(name, 'text collate "C"', nullable)


def create_all(tables: Iterable[Table]) -> list[str]:
    """The statements that make `tables`, in an order that foreign keys allow."""
    tables = list(tables)
    return [statement for table in tables for statement in table.ddl()] + [
        statement for table in tables for statement in table.foreign_key_ddl()
    ]


CATALOG = r"""
select kind, of_table, name, definition from (
    select 'table' as kind, c.relname::text as of_table, c.relname::text as name,
           format('rls=%s force=%s', c.relrowsecurity, c.relforcerowsecurity) as definition
      from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    union all
    select 'column', c.relname, a.attname,
           format_type(a.atttypid, a.atttypmod)
             || case when a.attcollation <> t.typcollation
                     then ' collate "' || l.collname || '"' else '' end
             || case when a.attnotnull then ' not null' else '' end
             || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
       and c.relnamespace = 'public'::regnamespace
      join pg_type t on t.oid = a.atttypid
      left join pg_collation l on l.oid = a.attcollation
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attnum > 0 and not a.attisdropped
    union all
    select 'constraint', c.relname, k.conname, pg_get_constraintdef(k.oid)
      from pg_constraint k join pg_class c on c.oid = k.conrelid
     where k.connamespace = 'public'::regnamespace and k.contype <> 'n'
    union all
    select 'index', c.relname, i.relname, pg_get_indexdef(i.oid)
      from pg_index x
      join pg_class i on i.oid = x.indexrelid
      join pg_class c on c.oid = x.indrelid
     where c.relnamespace = 'public'::regnamespace and not x.indisprimary
    union all
    select 'policy', c.relname, p.polname,
           format('using %s with check %s', pg_get_expr(p.polqual, p.polrelid),
                  pg_get_expr(p.polwithcheck, p.polrelid))
      from pg_policy p join pg_class c on c.oid = p.polrelid
    union all
    select 'grant', table_name, grantee::text,
           string_agg(privilege_type, ', ' order by privilege_type)
      from information_schema.role_table_grants
     where table_schema = 'public' and grantee = 'clinch_app'
       and table_name in (select tablename from pg_tables where schemaname = 'public')
     group by table_name, grantee
) found
order by kind, of_table, name
"""

Catalog = dict[tuple[str, str, str], str]


def differences(actual: Catalog, declared: Catalog, tables: Iterable[Table]) -> list[str]:
    """The statements that turn a database with the `actual` catalog into the `declared` one.

    What cannot be written safely by rule (a changed type, a narrower column) comes as the plain
    ALTER, for the person who reads the migration to judge.
    """
    by_name = {table.name: table for table in tables}
    new = {
        name
        for kind, name, _ in declared
        if kind == "table" and ("table", name, name) not in actual
    }
    gone = {
        name
        for kind, name, _ in actual
        if kind == "table" and ("table", name, name) not in declared
    }
    statements = [statement for name in by_name if name in new for statement in by_name[name].ddl()]
    for key in sorted(set(actual) | set(declared)):
        kind, table, name = key
        if table in new | gone or actual.get(key) == declared.get(key):
            continue
        fill = next((c.fill for c in by_name[table].columns if c.name == name), None)
        statements += _alter(kind, table, name, actual.get(key), declared.get(key), fill)
    for name in by_name:
        if name in new:
            statements += by_name[name].foreign_key_ddl()
    return statements + [f"drop table {name}" for name in sorted(gone)]


def _alter(
    kind: str, table: str, name: str, was: str | None, now: str | None, fill: str | None
) -> list[str]:
    drop = {
        "column": f"alter table {table} drop column {name}",
        "constraint": f"alter table {table} drop constraint {name}",
        "index": f"drop index {name}",
        "policy": f"drop policy {name} on {table}",
        "grant": f"revoke all on {table} from {name}",
    }.get(kind)
    if kind == "column" and was is not None and now is not None:
        return _alter_column(table, name, was, now)
    if kind == "column" and now is not None and fill is not None and now.endswith(" not null"):
        return [
            f"alter table {table} add column {name} {now} default {fill}",
            f"alter table {table} alter column {name} drop default",
        ]
    make = {
        "column": f"alter table {table} add column {name} {now}",
        "constraint": f"alter table {table} add constraint {name} {now}",
        "index": (now or "").replace(" ON public.", " ON "),
        "policy": f"create policy {name} on {table} {now}",
        "grant": f"grant {now} on {table} to {name}",
    }.get(kind)
    statements = [drop] if was is not None and drop else []
    return statements + ([make] if now is not None and make else [])


def _alter_column(table: str, name: str, was: str, now: str) -> list[str]:
    was_type, now_type = (
        text.split(" default ")[0].removesuffix(" not null") for text in (was, now)
    )
    statements = []
    if was_type != now_type:
        statements.append(f"alter table {table} alter column {name} type {now_type}")
    if (" not null" in was) != (" not null" in now):
        verb = "set" if " not null" in now else "drop"
        statements.append(f"alter table {table} alter column {name} {verb} not null")
    was_default, now_default = (text.partition(" default ")[2] for text in (was, now))
    if was_default != now_default:
        verb = f"set default {now_default}" if now_default else "drop default"
        statements.append(f"alter table {table} alter column {name} {verb}")
    return statements
