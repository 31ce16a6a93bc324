"""Tenants: made once when first met, found again, listed in pages, archived."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import SECRET_KEY, Organization, make_organization

from clinch.cli.administration.commands import administer
from clinch.gateway.errors import InvalidRequest, NotAuthenticated, NotFound
from clinch.gateway.tenancy.tenants import (
    CustomerPage,
    GatewayTenant,
    archive_customer,
    customer,
    find_customers,
    tenant_by_id,
    tenant_of_customer,
    tenant_of_user,
)
from clinch.gateway.tenancy.workspace_keys import workspace_key
from clinch.vault.vault import Vault

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
VAULT = Vault(SECRET_KEY)


class Customers:
    """An organization and its customers."""

    def __init__(self, organization: Organization) -> None:
        self.organization, self.tenant = organization, organization.system.tenant
        self.database = organization.program.store.database

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.organization.program.run(work)

    def meet(self, key: str, now: datetime = NOW, **rest: Any) -> GatewayTenant:
        met: GatewayTenant = self.run(
            tenant_of_customer(self.database, VAULT, self.tenant, key, now, **rest)
        )
        return met

    def find(self, **rest: Any) -> CustomerPage:
        page: CustomerPage = self.run(find_customers(self.database, self.tenant, **rest))
        return page

    def keys(self, **rest: Any) -> list[str | None]:
        return [found.key for found in self.find(**rest).items]

    def get(self, id_or_key: str) -> GatewayTenant:
        found: GatewayTenant = self.run(customer(self.database, self.tenant, id_or_key))
        return found

    def archive(self, id_or_key: str, now: datetime = NOW) -> GatewayTenant:
        done: GatewayTenant = self.run(archive_customer(self.database, self.tenant, id_or_key, now))
        return done

    def user(self) -> GatewayTenant:
        actor = self.organization.actor(clock=lambda: NOW)
        met: GatewayTenant = self.run(tenant_of_user(self.database, VAULT, actor))
        return met


@pytest.fixture
def customers(organization: Organization) -> Customers:
    return Customers(organization)


def test_many_who_meet_a_tenant_first_at_once_meet_the_same(customers: Customers) -> None:
    actor = customers.organization.actor()

    async def meet() -> list[GatewayTenant]:
        users = [tenant_of_user(customers.database, VAULT, actor) for _ in range(8)]
        others = [
            tenant_of_customer(customers.database, VAULT, customers.tenant, "acme", NOW)
            for _ in range(8)
        ]
        return await asyncio.gather(*users, *others)

    met = customers.run(meet())
    assert len({tenant.id for tenant in met[:8]}) == len({t.id for t in met[8:]}) == 1
    assert len({tenant.wrapped_data_key for tenant in met}) == 2


def test_the_system_is_no_tenant(customers: Customers) -> None:
    system = customers.organization.system
    with pytest.raises(ValueError, match="no tenant"):
        customers.run(tenant_of_user(customers.database, VAULT, system))


def test_a_tenant_is_found_by_its_id_alone_whatever_its_kind(customers: Customers) -> None:
    for tenant in (customers.user(), customers.meet("acme", name="Acme")):
        again = customers.run(tenant_by_id(customers.database, customers.tenant, tenant.id))
        assert again == tenant
    with pytest.raises(NotFound):
        customers.run(tenant_by_id(customers.database, customers.tenant, "acme"))


def test_a_user_goes_by_the_name_they_have_now(customers: Customers) -> None:
    assert customers.user().name == "Sam Reed"

    async def rename() -> None:
        async with customers.database.tenant(customers.tenant) as transaction:
            await transaction.execute(
                "update app_user set last_name = 'Reed-Moss' where organization_id = $1"
                " and id = $2",
                customers.tenant.organization_id,
                customers.organization.admin.user_id,
            )

    customers.run(rename())
    assert customers.user().name == "Sam Reed-Moss"


def test_when_a_tenant_was_last_active_is_known_to_the_minute(customers: Customers) -> None:
    first = customers.meet("acme")
    assert (first.created_at, first.last_active_at) == (NOW, NOW)
    customers.meet("acme", NOW + timedelta(seconds=59))
    assert customers.get("acme").last_active_at == NOW
    later = NOW + timedelta(minutes=1)
    customers.meet("acme", later)
    assert (customers.get("acme").last_active_at, customers.get("acme").created_at) == (later, NOW)


def test_a_customer_is_found_by_id_or_key(customers: Customers) -> None:
    acme = customers.meet("acme")
    odd = customers.meet(acme.id)
    assert customers.get("acme").id == customers.get(acme.id).id == acme.id
    assert odd.id not in (acme.id, customers.get(acme.id).id)
    assert customers.get(odd.id).key == acme.id
    other = Customers(make_organization(customers.organization.program, "Quay Sales"))
    for unknown in ("", "nobody", "ac\0me", "\ud800", customers.user().id):
        with pytest.raises(NotFound):
            customers.get(unknown)
    for of_another in ("acme", acme.id):
        with pytest.raises(NotFound):
            other.get(of_another)
        with pytest.raises(NotFound):
            other.archive(of_another)
    assert customers.get("acme").archived_at is None


def test_customers_come_in_pages_the_oldest_first(customers: Customers) -> None:
    customers.user()
    for number in range(5):
        # Two a moment, so that the id has to tell them apart.
        customers.meet(f"c{number}", NOW + timedelta(seconds=number // 2))
    assert customers.keys() == ["c0", "c1", "c2", "c3", "c4"]
    for size in (1, 2, 3, 5):
        found: list[str | None] = []
        cursor: str | None = "0"
        while cursor is not None:
            page = customers.find(limit=size, cursor=cursor)
            assert len(page.items) <= size
            found += [one.key for one in page.items]
            cursor = page.cursor
        assert found == ["c0", "c1", "c2", "c3", "c4"]


def test_customers_are_searched_by_name_and_key(customers: Customers) -> None:
    customers.meet("acme-1", name="Harbour")
    customers.meet("100%", name="Bäckerei")
    customers.meet("quay", name="ACME Holding")
    assert customers.keys(search="acme") == ["acme-1", "quay"]
    assert customers.keys(search="BÄCK") == ["100%"]
    assert customers.keys(search="0%") == ["100%"]
    assert customers.keys(search="%") == ["100%"]
    assert customers.keys(search="_") == []


def test_what_a_list_is_asked_for_is_checked(customers: Customers) -> None:
    wrong_cursors = ("x", "1", "YQ", "MjAyNiB4", "é", "A" * 10_000)
    wrong_lists: list[dict[str, Any]] = [
        {"limit": 0},
        {"limit": 1001},
        {"search": "x" * 201},
        {"search": "a\0"},
        *({"cursor": cursor} for cursor in wrong_cursors),
    ]
    for wrong in wrong_lists:
        with pytest.raises(InvalidRequest):
            customers.find(**wrong)


def test_an_archived_customer_stays_and_is_listed_on_demand(customers: Customers) -> None:
    customers.meet("acme")
    customers.meet("quay")
    archived = customers.archive("acme")
    assert archived.archived_at == NOW
    assert customers.archive(archived.id, NOW + timedelta(days=1)).archived_at == NOW
    assert customers.keys() == ["quay"]
    assert customers.keys(archived=True) == ["acme", "quay"]
    with pytest.raises(NotAuthenticated):
        customers.meet("acme", name="Another")
    assert (customers.get("acme").name, customers.get("acme").archived_at) == ("", NOW)


def test_a_deleted_organization_leaves_no_tenants(customers: Customers) -> None:
    customers.user()
    customers.meet("acme")
    organization_id = customers.tenant.organization_id
    customers.run(workspace_key(customers.database, VAULT, organization_id))
    arguments = {
        "organization": customers.organization.system.organization,
        "yes": True,
        "json": True,
    }
    customers.run(
        administer(customers.organization.program.store, "organization delete", arguments)
    )

    async def left() -> Any:
        async with customers.database.everyone() as transaction:
            return await transaction.value(
                "select (select count(*) from gateway_tenant where organization_id = $1)"
                " + (select count(*) from gateway_workspace where organization_id = $1)"
                " + (select count(*) from organization_directory where organization_id = $1)"
                " + (select count(*) from credential where organization_id = $1)",
                organization_id,
            )

    assert customers.run(left()) == 0
