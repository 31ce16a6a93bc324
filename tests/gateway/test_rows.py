"""The gateway's rows are one tenant's: the accessor, and every statement in the source."""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from harness import SECRET_KEY, Organization
from pglast.parser import ParseError
from recording import Asked
from tenancy import GATEWAY_TABLES, faults, gateway_faults

import clinch.gateway
from clinch.db.database import CredentialChanged, Database, Tenant
from clinch.gateway.tenancy.rows import tenant_rows
from clinch.gateway.tenancy.tenants import GatewayTenant, tenant_of_user
from clinch.vault.vault import Vault

ROOM = Path(clinch.gateway.__path__[0])

OVER_TENANTS = {
    "tenancy.tenants.find_customers": "lists a workspace's customers for its manager",
    "tenancy.tenants._of_user": "finds a tenant by its user",
    "tenancy.tenants._of_customer": "finds a tenant by its key",
    "tenancy.tenants._customer": "finds a customer by its id or key for its manager",
    "running.run_logs._with_old_records": "looks which organizations have records to remove",
    "connections.idle.idle_connections": "looks which connections lie idle",
    "running.run_logs._remove_old": "removes an organization's records when their time is over",
}
"""The functions whose statements look beyond one tenant, as they must, and why."""

OVER_ORGANIZATIONS = {"running.run_logs._with_old_records", "connections.idle.idle_connections"}
"""Those of them that look beyond one organization, in a transaction that only reads."""

_NAMES = re.compile(
    rf"\b(?:from|join|into|update)\s+(?:{'|'.join(sorted(GATEWAY_TABLES))})\b", re.I
)


def statements(path: Path) -> Iterator[tuple[str, str]]:
    """The statements in a module that name a gateway's table, and the functions they are in."""
    module = ".".join(path.relative_to(ROOM.parents[1]).with_suffix("").parts)
    names = vars(importlib.import_module(module))
    place = ".".join(path.relative_to(ROOM).with_suffix("").parts)

    def inside(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        text = _text(node, names)
        if text is None:
            for inner in ast.iter_child_nodes(node):
                yield from inside(inner, function)
        elif _NAMES.search(text):
            yield f"{place}.{function}", text

    yield from inside(ast.parse(path.read_text()), "")


def _text(node: ast.AST, names: dict[str, Any]) -> str | None:
    """The text that an expression comes to; what only a call can tell becomes `true`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, names) or "" for part in node.values)
    if isinstance(node, ast.FormattedValue):
        known = names.get(node.value.id) if isinstance(node.value, ast.Name) else None
        return known if isinstance(known, str) else "true"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left, names), _text(node.right, names)
        return None if left is None or right is None else left + right
    return None


def judged(place: str, text: str) -> list[str]:
    """What is wrong with a text; a part of a statement in a constant is judged where it is used."""
    organization = "11111111-1111-4111-8111-111111111111"
    asked = Asked(text, (organization, *[None] * 30), organization)
    try:
        forgotten = gateway_faults(text)
        beyond = [] if place in OVER_ORGANIZATIONS else faults(asked)
        return beyond + ([] if place in OVER_TENANTS else forgotten)
    except ParseError:
        return [] if place.endswith(".") else ["is no whole statement: write it in one text"]


def test_every_statement_of_the_gateway_names_organization_and_tenant() -> None:
    found = [one for path in sorted(ROOM.rglob("*.py")) for one in statements(path)]
    assert {text: wrong for place, text in found if (wrong := judged(place, text))} == {}
    beyond = {place for place, text in found if _parses(text) and gateway_faults(text)}
    assert beyond == set(OVER_TENANTS)


def _parses(text: str) -> bool:
    try:
        gateway_faults(text)
    except ParseError:
        return False
    return True


@pytest.mark.parametrize(
    ("wrong", "sql"),
    [
        ("tenant", "select * from gateway_tenant where organization_id = $1"),
        ("tenant", "select * from gateway_tenant where organization_id = $1 and tenant_id = $3"),
        (
            "tenant",
            "select * from gateway_tenant where organization_id = $1 and (tenant_id = $2 or $3)",
        ),
        ("organization", "update gateway_tenant set name = 'x' where tenant_id = $2"),
        ("tenant", "delete from gateway_tenant where organization_id = $1"),
        ("tenant", "insert into gateway_tenant (organization_id, tenant_id) values ($1, $3)"),
        (
            "tenant",
            "select exists (select from gateway_tenant t where t.organization_id = $1) from"
            " gateway_tenant o where o.organization_id = $1 and o.tenant_id = $2",
        ),
        ("whole", "name from gateway_tenant where organization_id = $1 and tenant_id = $2"),
    ],
)
def test_a_statement_that_forgets_one_is_found(tmp_path: Path, wrong: str, sql: str) -> None:
    assert any(wrong in fault for fault in judged("x.f", sql))
    right = "select * from gateway_tenant where organization_id = $1 and tenant_id = $2"
    assert judged("x.f", right) == []


def test_statements_are_read_from_the_source() -> None:
    read = dict(statements(ROOM / "tenancy" / "tenants.py"))
    assert {place for place in OVER_TENANTS if place.startswith("tenancy.tenants.")} <= set(read)
    assert "left join app_user" in read["tenancy.tenants._of_user"]


@pytest.fixture
def tenant(organization: Organization) -> GatewayTenant:
    program = organization.program
    met: GatewayTenant = program.run(
        tenant_of_user(program.store.database, Vault(SECRET_KEY), organization.actor())
    )
    return met


NAMED = "organization_id = $1 and tenant_id = $2"
UPDATE = f"update gateway_tenant set fields = $3 where {NAMED}"


def test_a_tenants_transaction_has_its_organization_and_itself_in_each_statement(
    organization: Organization, tenant: GatewayTenant
) -> None:
    database: Database = organization.program.store.database

    async def fail() -> None:
        async with tenant_rows(database, tenant) as rows:
            await rows.execute(UPDATE, '{"x": 1}')
            sql = f"select tenant_id, fields from gateway_tenant where {NAMED}"
            [row] = await rows.rows(sql)
            assert (row["tenant_id"], row["fields"]) == (tenant.id, '{"x": 1}')
            await rows.value(f"select 1 / 0 from gateway_tenant where {NAMED}")

    async def use() -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await fail()
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with tenant_rows(database, tenant, reading=True) as rows:
                await rows.execute(UPDATE, '{"x": 1}')
        async with tenant_rows(database, tenant, reading=True) as rows:
            sql = f"select fields from gateway_tenant where {NAMED} and kind = $3"
            assert await rows.value(sql, "user") == "{}"
        other = replace(tenant, id="tnt_other")
        async with tenant_rows(database, other) as rows:
            assert await rows.rows(f"select * from gateway_tenant where {NAMED}") == []

    organization.program.run(use())


@pytest.mark.parametrize(
    ("sql", "arguments"),
    [
        ("delete from gateway_tenant", ()),
        ("delete from gateway_tenant where organization_id = $1", ()),
        ("delete from gateway_tenant where organization_id = $1 and kind = $3", ("user",)),
    ],
)
def test_a_statement_that_does_not_use_both_is_refused_by_the_database(
    organization: Organization, tenant: GatewayTenant, sql: str, arguments: tuple[Any, ...]
) -> None:
    database: Database = organization.program.store.database

    async def use() -> None:
        with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError)):
            async with tenant_rows(database, tenant) as rows:
                await rows.execute(sql, *arguments)
        async with tenant_rows(database, tenant) as rows:
            assert await rows.value(f"select kind from gateway_tenant where {NAMED}") == "user"

    organization.program.run(use())


def test_a_transaction_of_a_revoked_credential_is_refused(
    organization: Organization, tenant: GatewayTenant
) -> None:
    revoked = replace(tenant, organization=Tenant(tenant.organization_id, "api_gone", 1))

    async def use() -> None:
        async with tenant_rows(organization.program.store.database, revoked) as rows:
            await rows.execute(f"delete from gateway_tenant where {NAMED}")

    with pytest.raises(CredentialChanged):
        organization.program.run(use())
