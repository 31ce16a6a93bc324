"""The connector of HubSpot, against a stand-in that HubSpot's own client takes for HubSpot."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hubspot
import pytest
from gateway.connectors.hubspot_server import TOKEN, HubSpot
from gateway.connectors.standing import Connected, serving
from hubspot.crm.associations.v4.models import AssociationSpec
from hubspot.crm.contacts.exceptions import ApiException
from hubspot.crm.contacts.models import (
    PublicObjectSearchRequest,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)

from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.shipped import shipped_connectors
from clinch.gateway.errors import ActionFailed, InvalidRequest
from clinch.resources.actor import OperationClass


@dataclass
class Account:
    """The stand-in, HubSpot's own client of it, and ours."""

    hubspot: HubSpot
    theirs: Any
    ours: Connected


@pytest.fixture(scope="module")
def connector() -> Connector:
    return next(one for one in shipped_connectors() if one.key == "hubspot")


def connected(connector: Connector, url: str, token: str) -> Connected:
    option = connector.option("token")
    assert option is not None
    return Connected(connector, option, url, {"token": token})


@pytest.fixture
def account(connector: Connector) -> Iterator[Account]:
    stand_in = HubSpot()
    with serving(stand_in.app) as url:
        theirs = hubspot.Client.create(access_token=TOKEN, host=url)
        yield Account(stand_in, theirs, connected(connector, url, TOKEN))


def test_hubspots_own_client_takes_the_stand_in_for_hubspot(account: Account) -> None:
    crm = account.theirs.crm
    contacts = crm.contacts.basic_api
    made = contacts.create(
        SimplePublicObjectInputForCreate(
            properties={"email": "a@example.com", "firstname": "Ada"}, associations=[]
        )
    )
    for number in range(12):
        contacts.create(
            SimplePublicObjectInputForCreate(
                properties={"email": f"{number}@example.com", "city": "Rome"}, associations=[]
            )
        )
    page = contacts.get_page(limit=5, properties=["email"])
    assert len(page.results) == 5
    assert page.paging.next.after == "5"
    assert len(crm.contacts.get_all()) == 13
    contacts.update(made.id, SimplePublicObjectInput(properties={"firstname": "Ann"}))
    assert contacts.get_by_id(made.id, properties=["firstname"]).properties == {"firstname": "Ann"}
    by_email = contacts.get_by_id("a@example.com", id_property="email")
    assert by_email.id == made.id
    rome = [{"filters": [{"propertyName": "city", "operator": "EQ", "value": "Rome"}]}]
    found = crm.contacts.search_api.do_search(
        PublicObjectSearchRequest(filter_groups=rome, limit=3)
    )
    assert (found.total, len(found.results)) == (12, 3)
    company = crm.companies.basic_api.create({"properties": {"name": "Quay"}})
    spec = [AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=279)]
    of_two = ("contacts", made.id, "companies", company.id)
    crm.associations.v4.basic_api.create(*of_two, association_spec=spec)
    linked = crm.associations.v4.basic_api.get_page(*of_two[:3])
    assert [one.to_object_id for one in linked.results] == [company.id]
    crm.associations.v4.basic_api.archive(*of_two)
    assert crm.associations.v4.basic_api.get_page(*of_two[:3]).results == []
    assert crm.owners.owners_api.get_page(email="rosa@example.com").results[0].id == "71"
    contacts.archive(made.id)
    with pytest.raises(ApiException) as missing:
        contacts.get_by_id(made.id)
    assert missing.value.status == 404


async def test_the_connector_does_what_hubspots_client_does(account: Account) -> None:
    run = account.ours.run
    assert await account.ours.works()
    made = await run(
        "hubspot-create-contact", properties={"email": "ü@example.com", "own_field": "x"}
    )
    for number in range(11):
        await run("hubspot-create-contact", properties={"email": f"{number}@example.com"})
    first = await run("hubspot-list-contacts", limit=10, properties=["email", "own_field"])
    rest = await run("hubspot-list-contacts", limit=10, after=first["paging"]["next"]["after"])
    assert first["results"][0]["properties"] == {"email": "ü@example.com", "own_field": "x"}
    assert (len(first["results"]), len(rest["results"])) == (10, 2)
    await run("hubspot-update-contact", contactId=made["id"], properties={"firstname": "Ada"})
    read = await run("hubspot-get-contact", contactId="ü@example.com", idProperty="email")
    assert read["properties"]["firstname"] == "Ada"
    filters = [{"propertyName": "firstname", "operator": "EQ", "value": "Ada"}]
    found = await run("hubspot-search-contacts", filterGroups=[{"filters": filters}], limit=5)
    assert [one["id"] for one in found["results"]] == [made["id"]]
    company = await run("hubspot-create-company", properties={"name": "Quay"})
    of_two = {
        "objectType": "contacts",
        "objectId": made["id"],
        "toObjectType": "companies",
        "toObjectId": company["id"],
    }
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
    await run("hubspot-create-association", **of_two, body=types)
    del of_two["toObjectId"]
    linked = await run("hubspot-list-associations", **of_two)
    assert [one["toObjectId"] for one in linked["results"]] == [int(company["id"])]
    owners = await run("hubspot-list-owners", email="rosa@example.com")
    assert owners["results"][0]["id"] == "71"
    for noun in ("deal", "ticket", "task", "note", "call", "meeting"):
        one = await run(f"hubspot-create-{noun}", properties={"own": noun})
        assert await run(f"hubspot-archive-{noun}", **{f"{noun}Id": one["id"]}) is None
    await run("hubspot-archive-contact", contactId=made["id"])
    bin = account.theirs.crm.contacts.basic_api.get_page(archived=True)
    assert [one.id for one in bin.results] == [made["id"]]


async def test_a_refusal_changes_nothing(account: Account) -> None:
    run = account.ours.run
    await run("hubspot-create-contact", properties={"email": "a@example.com"})
    with pytest.raises(ActionFailed) as failed:
        await run("hubspot-create-contact", properties={"email": "a@example.com"})
    assert failed.value.data["status"] == 409
    words = failed.value.data["answer"]["message"]
    assert words
    assert failed.value.message == f"HubSpot refused this (409): {words}"
    assert failed.value.data["error"] == words
    with pytest.raises(InvalidRequest, match="amount"):
        await run("hubspot-create-deal", properties={"amount": 5})
    with pytest.raises(InvalidRequest, match="no part of a path"):
        await run("hubspot-get-contact", contactId="..")
    assert [len(kind) for kind in account.hubspot.objects.values()] == [1, 0, 0, 0, 0, 0, 0, 0]


async def test_the_test_call_refuses_a_bad_token(account: Account, connector: Connector) -> None:
    assert not await connected(connector, account.ours.base_url, "pat-wrong").works()


def test_every_path_is_one_of_hubspots_client(connector: Connector) -> None:
    source = Path(hubspot.__path__[0]) / "crm"
    known = {
        (re.sub(r"{\w+}", "{}", path.rstrip("/")), method)
        for module in source.rglob("*_api.py")
        for path, method in re.findall(
            r'call_api\(\s*"(/[^"]+)",(?:  # noqa: E501)?\s*"(\w+)"', module.read_text()
        )
    }
    assert len(known) > 100
    for one in connector.operations:
        path = re.sub(r"{\w+}", "{}", one.path)
        if path != "/account-info/v3/details":  # their client has no part for it
            assert (path, one.method) in known, (path, one.method)


def test_a_search_reads_and_a_merge_destroys(connector: Connector) -> None:
    assert connector.class_of("POST", "/crm/v3/objects/deals/search") == OperationClass.READ
    assert connector.class_of("POST", "/crm/v3/objects/deals/merge") == OperationClass.DESTRUCTIVE
    assert connector.class_of("POST", "/crm/v3/objects/deals") == OperationClass.WRITE
