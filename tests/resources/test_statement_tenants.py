"""Every statement that the program sends names the organization wherever it touches its rows."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from examples import Examples
from harness import Api, make_organization, serve
from recording import Asked, RecordingDatabase
from tenancy import TENANT_TABLES, faults

from clinch.events.follower import behind, catch_up
from clinch.program import FOLLOWERS, declarations
from clinch.resources.declaration import Resource
from clinch.resources.fields import Field
from clinch.resources.store import Store

ORGANIZATION = "11111111-1111-4111-8111-111111111111"

SEARCHES = (
    "harbour",
    "ada OR moss -north",
    "created > 2026-01-01 sort:name",
    'contact(name:"Ada" email:*) opportunity(value > 100) not task(is_complete:yes)',
    "opportunities > 1 tasks < 3",
    "* sort:-updated",
)


@pytest.mark.parametrize(
    ("fault", "sql"),
    [
        ("lead lead is not held to the organization", "select * from lead"),
        (
            "contact c is not held to the organization",
            "select * from lead r join contact c on c.lead_id = r.id where r.organization_id = $1",
        ),
        (
            "lead r is not held to the organization",
            "select * from lead r left join contact c on r.organization_id = $1"
            " and c.organization_id = $1",
        ),
        (
            "contact c is not held to the organization",
            "select (select count(*) from contact c where c.lead_id = r.id) from lead r"
            " where r.organization_id = $1",
        ),
        (
            "contact c is not held to the organization",
            "select * from lead r where r.organization_id = $1"
            " and exists (select from contact c where c.organization_id = r.organization_id)",
        ),
        (
            "contact contact is not held to the organization",
            "with l as (select * from contact) select * from l where organization_id = $1",
        ),
        (
            "lead r is not held to the organization",
            "select * from lead r where r.organization_id = $1 or r.id = $2",
        ),
        (
            "lead r is not held to the organization",
            "select * from lead r where r.organization_id = $2",
        ),
        (
            "lead r is not held to the organization",
            "select * from lead r where r.organization_id = app_org() for update",
        ),
        ("lead lead is not held to the organization", "update lead set name = 'x' where id = $2"),
        ("lead lead is not held to the organization", "delete from lead where id = $2"),
        (
            "task t is not held to the organization",
            "delete from lead r using task t where r.organization_id = $1 and t.lead_id = r.id",
        ),
        ("lead is not given the organization", "insert into lead (id) values ($2)"),
        (
            "lead is not given the organization",
            "insert into lead (organization_id, id) select $2, x.id from task x"
            " where x.organization_id = $1",
        ),
        (
            "calls random, which is volatile, in what it changes",
            "update lead set description = random()::text where organization_id = $1",
        ),
        ("calls set_config", "select set_config('app.organization_id', $1, true)"),
        (
            "merges",
            "merge into lead r using (select $1::uuid as o) x on r.organization_id = x.o"
            " when matched then delete",
        ),
    ],
)
def test_a_statement_that_forgets_its_tenant_is_found(fault: str, sql: str) -> None:
    asked = Asked(sql, (ORGANIZATION, "lead_x"), ORGANIZATION)
    assert fault in faults(asked, frozenset({"random"}))


@pytest.mark.parametrize(
    "sql",
    [
        "select * from lead where organization_id = $1 and id = $2 for update",
        "select * from lead r left join contact c on c.organization_id = $1 and c.lead_id = r.id"
        " where r.organization_id = $1::uuid",
        "select * from lead r join contact c on c.organization_id = r.organization_id"
        " where r.organization_id = any(array[$1::uuid])",
        "with lead as (select $1::uuid as id) select * from lead",
        "insert into lead (id, organization_id) values ($2, $1)",
        "select * from credential where id = $2",
    ],
)
def test_a_statement_that_names_its_tenant_is_not(sql: str) -> None:
    assert faults(Asked(sql, (ORGANIZATION, "lead_x"), ORGANIZATION)) == []


def test_a_transaction_of_no_tenant_touches_no_tenants_table() -> None:
    asked = Asked("select * from lead where organization_id = $1", (ORGANIZATION,), None)
    assert faults(asked) == ["lead lead is not held to the organization"]


def test_every_statement_of_every_operation_names_its_tenant(cluster: str) -> None:
    with serve(cluster, declarations, connect=RecordingDatabase) as program:
        organization = make_organization(program)
        examples = Examples(organization)
        for resource in examples.declared:
            examples.object(resource.noun)
        for actor in (organization.admin, organization.member("restricteduser")):
            for resource in examples.declared:
                _read(actor, resource, examples)
                _write(actor, resource, examples)
            _read_others(actor)
        program.run(_follow(program.store, organization.system.organization_id))
        volatile = program.run(_volatile_functions(program.store))
        database = program.store.database
        assert isinstance(database, RecordingDatabase)
        asked = list(database.asked.values())
    found = {one.sql: wrong for one in asked if (wrong := faults(one, volatile))}
    assert found == {}
    texts = " ".join(one.sql for one in asked)
    declared = {resource.table for resource in examples.declared}
    assert {name for name in declared & TENANT_TABLES if f" {name} " not in texts} == set()


def _read(api: Api, resource: type[Resource], examples: Examples) -> None:
    path = f"/{resource.path}/"
    api("GET", f"{path}{examples.id(resource.noun)}/")
    api("GET", f"{path}{examples.id(resource.noun)}/", _fields="_all,custom")
    for parameters in _parameters(resource, examples):
        api("GET", f"{path}?{urlencode(parameters)}")


def _parameters(resource: type[Resource], examples: Examples) -> Iterator[dict[str, str]]:
    yield {}
    yield {"_fields": "id"}
    for key in resource.orders:
        yield {"_order_by": f"-{key}"}
    for name in resource.list_parameters:
        yield {name: "all"}
    found = examples.object(resource.noun) or {}
    for field in resource.fields.values():
        for op in field.filters:
            name = field.key if op == "eq" else f"{field.key}__{op}"
            yield {name: _text(field, found)}
    for text in SEARCHES:
        yield {"query": text}


def _text(field: Field, found: dict[str, object]) -> str:
    value = found.get(field.key)
    if value is None:
        return "2026-01-01" if "date" in field.key else "x"
    return str(value)


def _write(api: Api, resource: type[Resource], examples: Examples) -> None:
    """Make, change and delete an object; try to change several, and to delete one in use."""
    path = f"/{resource.path}/"
    made = api("POST", path, examples.body(resource))
    id = made.json()["id"] if made.ok else examples.id(resource.noun)
    api("PUT", f"{path}{id}/", examples.body(resource))
    api("PUT", f"{path}?_dry_run=1&id__in={id}", examples.body(resource))
    if made.ok:
        api("DELETE", f"{path}{id}/")
    api("DELETE", f"{path}{examples.id(resource.noun)}/?_dry_run=1")


def _read_others(api: Api) -> None:
    api.get("/me/")
    for parameters in (
        {},
        {"object_type": "lead", "action": "created"},
        {"object_id": "lead_x", "action": "updated"},
        {"lead_id": "lead_x"},
        {"user_id": api.user_id},
        {"request_id": "req_x"},
        {"date_updated__gt": "2026-01-01T00:00:00"},
    ):
        api.get(f"/event/?{urlencode(parameters)}")


async def _follow(store: Store, organization_id: str) -> None:
    for follower in FOLLOWERS:
        assert organization_id in await behind(store.database, follower)
        await catch_up(store.database, follower, organization_id)


async def _volatile_functions(store: Store) -> frozenset[str]:
    async with store.database.everyone() as transaction:
        rows = await transaction.rows("select proname from pg_proc where provolatile = 'v'")
        return frozenset(row[0] for row in rows)
