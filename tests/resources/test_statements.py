"""How many statements it takes: as many for a thousand objects as for two."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from harness import TEST

from clinch.crm.activities.emails import Email
from clinch.crm.beginning import first_objects
from clinch.crm.contacts import Contact
from clinch.crm.custom_fields import CustomObjectCustomField
from clinch.crm.custom_objects import CustomObject
from clinch.crm.custom_types import CustomObjectType
from clinch.crm.lead_statuses import LeadStatus
from clinch.crm.leads import Lead
from clinch.db.database import Database, Tenant, Transaction
from clinch.identity.organizations import create_organization
from clinch.identity.users import User
from clinch.program import declarations
from clinch.resources.actor import Actor
from clinch.resources.declaration import Resource
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.server.http import Request
from clinch.server.resource_routes import ResourceRoutes


class WatchedDatabase(Database):
    """Remembers the transactions of tenants."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.seen: list[Transaction] = []

    @asynccontextmanager
    async def tenant(self, tenant: Tenant, *, commit: bool = True) -> AsyncIterator[Transaction]:
        async with super().tenant(tenant, commit=commit) as transaction:
            self.seen.append(transaction)
            yield transaction

    @asynccontextmanager
    async def reading(
        self, tenant: Tenant, *, plan_anew: bool = False, asserted: bool = True
    ) -> AsyncIterator[Transaction]:
        async with super().reading(tenant, plan_anew=plan_anew, asserted=asserted) as transaction:
            self.seen.append(transaction)
            yield transaction

    def statements(self) -> int:
        """The statements of the one transaction since the last call, beside BEGIN and COMMIT."""
        [transaction] = self.seen
        self.seen.clear()
        return transaction.statements


class Desk:
    """An organization, and what its requests and writes take."""

    def __init__(self, store: Store, database: WatchedDatabase, actor: Actor) -> None:
        self._store, self._database, self._actor = store, database, actor
        self._routes = ResourceRoutes(store)

    async def write(self, *changes: Change, **options: Any) -> tuple[list[str], int]:
        """The ids of the changes, and how many statements they took."""
        written = await self._store.write(self._actor, list(changes), TEST, **options)
        return [one.id for one in written], self._database.statements()

    async def request(
        self, resource: type[Resource], method: str, *arguments: str, **body: Any
    ) -> int:
        """How many statements a request takes; `arguments` are those of its path."""
        path = "/".join([resource.path, *("{}" for _ in arguments)])
        [route] = [
            route
            for route in self._routes.routes(resource)
            if (route.method, route.path) == (method, path)
        ]
        request = Request(
            "req_1", method, f"/api/v1/{path}", arguments, {}, body, self._actor, headers={}
        )
        response = await route.handler(request)
        assert response.status == 200
        return self._database.statements()


@pytest_asyncio.fixture
async def desk(cluster: str) -> AsyncIterator[Desk]:
    database = WatchedDatabase(cluster)
    store = Store(database, declarations())
    actor = await create_organization(store, "Harbour Sales", TEST, first_objects())
    database.seen.clear()
    yield Desk(store, database, actor)
    await database.close()


def lead(number: int) -> Change:
    contact = {"name": f"Ada {number}", "emails": [{"email": f"ada@{number}.example"}]}
    return Change.create(Lead, {"name": f"Harbour {number}", "contacts": [contact]})


async def test_a_thousand_leads_are_made_in_as_many_statements_as_two(desk: Desk) -> None:
    _, for_two = await desk.write(*map(lead, range(2)))
    _, for_thousand = await desk.write(*map(lead, range(1000)))
    assert for_two == for_thousand <= 12


async def test_five_hundred_leads_are_deleted_in_as_many_statements_as_two(desk: Desk) -> None:
    ids, _ = await desk.write(*map(lead, range(502)))
    _, for_two = await desk.write(*(Change.delete(Lead, id) for id in ids[:2]), answer=False)
    _, for_many = await desk.write(*(Change.delete(Lead, id) for id in ids[2:]), answer=False)
    assert for_two == for_many <= 4


async def test_five_hundred_contacts_are_changed_in_as_many_statements_as_two(desk: Desk) -> None:
    [parent], _ = await desk.write(lead(0))
    ids, _ = await desk.write(
        *(Change.create(Contact, {"name": "Bo", "lead_id": parent}) for _ in range(500))
    )
    _, for_two = await desk.write(*(Change.update(Contact, id, {"name": "Cy"}) for id in ids[:2]))
    _, for_many = await desk.write(*(Change.update(Contact, id, {"name": "Di"}) for id in ids))
    assert for_two == for_many <= 5


async def test_five_hundred_custom_objects_are_made_in_as_many_statements_as_two(
    desk: Desk,
) -> None:
    [parent], _ = await desk.write(lead(0))
    names = {"name": "Vessel", "name_plural": "Vessels"}
    [vessel], _ = await desk.write(Change.create(CustomObjectType, names))
    owner = {"custom_object_type_id": vessel}
    field = {"name": "Buyer", "type": "user", "required": True}
    await desk.write(Change.create(CustomObjectCustomField, field | owner))

    def anna(number: int) -> Change:
        body = {"lead_id": parent, "name": f"Anna {number}", "custom.Buyer": "Sam Reed"}
        return Change.create(CustomObject, body | owner)

    await desk.write(Change.create(User, {"email": "s@x.example", "first_name": "Sam Reed"}))
    ids, for_two = await desk.write(*map(anna, range(2)))
    more, for_many = await desk.write(*map(anna, range(500)))
    assert for_two == for_many <= 5
    _, for_two = await desk.write(*(Change.delete(CustomObject, id) for id in ids), answer=False)
    _, for_many = await desk.write(*(Change.delete(CustomObject, id) for id in more), answer=False)
    assert for_two == for_many <= 4


async def test_two_hundred_mails_are_logged_in_as_many_statements_as_two(desk: Desk) -> None:
    [parent], _ = await desk.write(lead(0))

    def mail(number: int) -> Change:
        body = {"status": "sent", "sender": "sam@x.example", "to": [f"ada@{number}.example"]}
        return Change.create(Email, body | {"lead_id": parent, "subject": f"Offer {number % 9}"})

    ids, for_two = await desk.write(*map(mail, range(2)))
    more, for_many = await desk.write(*map(mail, range(200)))
    assert for_two == for_many <= 6
    _, for_two = await desk.write(*(Change.delete(Email, id) for id in ids), answer=False)
    _, for_many = await desk.write(*(Change.delete(Email, id) for id in more), answer=False)
    assert for_two == for_many <= 5


async def test_a_write_of_several_resources_takes_no_more_than_twelve(desk: Desk) -> None:
    [first, second], _ = await desk.write(lead(1), lead(2))
    _, taken = await desk.write(
        lead(3),
        Change.create(Contact, {"name": "Bo"}),
        Change.create(Contact, {"name": "Cy", "lead_id": first}),
        Change.update(Lead, first, {"name": "Port"}),
        Change.create(LeadStatus, {"label": "Lost"}),
        Change.delete(Lead, second),
    )
    assert taken <= 12


@pytest.mark.parametrize("resource", [Lead, Contact, LeadStatus])
async def test_one_statement_reads_an_object_and_one_reads_a_list(
    desk: Desk, resource: type[Resource]
) -> None:
    body = {"name": "Ada", "label": "Lost"}
    [id], _ = await desk.write(Change.create(resource, body))
    assert await desk.request(resource, "GET", id) == 1
    assert await desk.request(resource, "GET") == 1


@pytest.mark.parametrize("resource", [Lead, Contact, LeadStatus])
async def test_four_statements_make_change_or_delete_an_object(
    desk: Desk, resource: type[Resource]
) -> None:
    assert await desk.request(resource, "POST", name="Harbour", label="Lost") <= 4
    [id], _ = await desk.write(Change.create(resource, {"label": "Won"}))
    assert await desk.request(resource, "PUT", id, name="Port", label="Kept") <= 4
    assert await desk.request(resource, "DELETE", id) <= 4


async def test_a_lead_with_twenty_contacts_is_made_in_four_statements(desk: Desk) -> None:
    contacts = [{"name": f"Ada {number}"} for number in range(20)]
    assert await desk.request(Lead, "POST", name="Harbour", contacts=contacts) <= 4


async def test_an_update_that_changes_nothing_only_reads(desk: Desk) -> None:
    [id], _ = await desk.write(lead(1))
    assert await desk.request(Lead, "PUT", id, name="Harbour 1") <= 2
