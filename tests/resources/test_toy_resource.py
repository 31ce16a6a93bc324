"""A resource is one declaration: a toy one, declared here, is there on every surface."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import requests
from harness import Organization, Program, make_organization, serve

from clinch.crm.leads import Lead
from clinch.db.migrations import catalog
from clinch.db.schema import differences
from clinch.program import declared_resources, tables
from clinch.resources.declaration import Audited, Declarations
from clinch.resources.errors import BadRequest
from clinch.resources.fields import (
    EQ_IN,
    RANGE,
    Boolean,
    Choice,
    Date,
    Integer,
    Ref,
    Shown,
    Text,
)
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work


def no_sinking(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.get(Boat.length) > 100:
            raise BadRequest("A boat of that length sinks.")


class Boat(Audited, path="boat", prefix="boat"):
    """Something that floats, and belongs to a lead."""

    orders = ("length", "launched")
    default_order = "length"
    counted = True
    create_status = 201
    delete_status = 204
    before = [no_sinking]

    lead = Ref(Lead, target_deleted="delete", filters=EQ_IN)
    lead_name = Shown(lead, Lead.display_name)
    name = Text(required=True, max=40, filters=EQ_IN)
    length = Integer(min=1, max=1000, default=10, filters=RANGE, doc="Metres.")
    sort = Choice("sail", "motor", default="sail", filters=EQ_IN)
    launched = Date(nullable=True, filters=RANGE)
    insured = Boolean()
    price = Integer(seen_with="manage_organization", filters=RANGE, nullable=True)


@pytest.fixture
def toy(own_database: str) -> Iterator[Program]:
    """The program with the toy among its resources, over a database migrated for it."""

    def declare(url: str) -> Declarations:
        return Declarations([*declared_resources(), Boat], url)

    async def add_table() -> None:
        connection = await asyncpg.connect(own_database)
        wanted = tables(declare(""))
        now = await catalog(connection)
        missing = [table for table in wanted if ("table", table.name, table.name) not in now]
        assert [table.name for table in missing] == ["boat"]
        for statement in differences(now, now | {("table", "boat", "boat"): ""}, missing):
            await connection.execute(statement)
        await connection.execute(
            "alter table event_clock add column boat_total bigint not null default 0"
        )
        await connection.close()

    asyncio.run(add_table())
    with serve(own_database, declare) as program:
        yield program


@pytest.fixture
def office(toy: Program) -> Organization:
    return make_organization(toy)


def test_the_toy_is_on_every_surface(office: Organization) -> None:
    api = office.admin
    lead = api.post("/lead/", {"name": "Harbour Tools"})

    response = api("POST", "/boat/", {"lead_id": lead["id"], "name": "Wave", "length": 12})
    boat: dict[str, Any] = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/api/v1/boat/{boat['id']}/"
    assert boat["id"].startswith("boat_")
    assert boat["lead_name"] == "Harbour Tools"
    assert (boat["sort"], boat["insured"], boat["launched"]) == ("sail", False, None)
    assert boat["created_by"] == api.user_id

    assert api.get(f"/boat/{boat['id']}/") == boat
    assert api.put(f"/boat/{boat['id']}/", {"sort": "motor"})["sort"] == "motor"
    assert api.get("/boat/", _fields="name,sort") == {
        "data": [{"name": "Wave", "sort": "motor"}],
        "has_more": False,
        "total_results": 1,
    }

    document = requests.get(f"{office.program.url}/api/openapi.json", timeout=30).json()
    assert set(document["paths"]["/boat/"]) == {"get", "post"}
    assert document["components"]["schemas"]["boat"]["properties"]["length"] == {
        "type": "integer",
        "description": "Metres.",
    }

    assert api("DELETE", f"/boat/{boat['id']}/").status_code == 204
    assert api("GET", f"/boat/{boat['id']}/").json() == {
        "error": "Empty query: Boat matching query does not exist."
    }


def test_its_filters_orders_and_totals_come_from_the_tree(office: Organization) -> None:
    api = office.admin
    lead = api.post("/lead/", {"name": "Harbour Tools"})
    for name, length, launched in [
        ("Wave", 12, "2020-05-01"),
        ("Foam", 30, "2021-05-01"),
        ("Salt", 7, None),
    ]:
        api.post(
            "/boat/",
            {"lead_id": lead["id"], "name": name, "length": length, "launched": launched},
        )

    def names(**query: str) -> list[str]:
        page = api.get("/boat/", **query)
        assert page["total_results"] == len(page["data"])
        return [boat["name"] for boat in page["data"]]

    assert names() == ["Salt", "Wave", "Foam"]
    assert names(_order_by="-length") == ["Foam", "Wave", "Salt"]
    assert names(length__gt="7", length__lte="12") == ["Wave"]
    assert names(name__in="Salt,Foam") == ["Salt", "Foam"]
    assert names(launched__gte="2021-01-01") == ["Foam"]
    assert names(lead_id="lead_other") == []
    assert names(sort="motor") == []
    refused = api("GET", "/boat/", length__gt="long")
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "length__gt: Value must be of int type."},
    )


def test_its_mistakes_are_told_and_its_rules_hold(office: Organization) -> None:
    api = office.admin
    lead = api.post("/lead/", {"name": "Harbour Tools"})
    refused = api("POST", "/boat/", {"length": 0, "sort": "row", "insured": "yes"})
    assert refused.json() == {
        "errors": [],
        "field-errors": {
            "name": "This field is required.",
            "length": "The value must be at least 1.",
            "sort": "Not a valid choice.",
            "insured": "Value must be of bool type.",
        },
    }
    missing = api("POST", "/boat/", {"name": "Wave"})
    assert missing.json()["field-errors"] == {"lead": "This field is required."}
    sunk = api("POST", "/boat/", {"name": "Wave", "lead_id": lead["id"], "length": 101})
    assert sunk.json() == {"error": "A boat of that length sinks."}
    assert api.get("/boat/")["total_results"] == 0


def test_a_field_shows_itself_to_some_only(office: Organization) -> None:
    admin, user = office.admin, office.member("user")
    lead = admin.post("/lead/", {"name": "Harbour Tools"})
    boat = admin.post("/boat/", {"name": "Wave", "lead_id": lead["id"], "price": 900})
    path = f"/boat/{boat['id']}/"
    assert boat["price"] == 900
    assert "price" not in user.get(path)
    assert user.get(path, _fields="id,price") == {"id": boat["id"]}
    assert user("GET", "/boat/", price__gt="1").status_code == 403
    refused = user("PUT", path, {"price": 1})
    assert refused.json()["field-errors"] == {
        "price": "You do not have permission to change this field."
    }
    assert admin.get(path) == boat


def test_it_goes_with_its_lead_and_into_the_log(office: Organization) -> None:
    api = office.admin
    lead = api.post("/lead/", {"name": "Harbour Tools"})
    boat = api.post("/boat/", {"name": "Wave", "lead_id": lead["id"]})
    api.put(f"/boat/{boat['id']}/", {"length": 11})
    api.delete(f"/lead/{lead['id']}/")
    assert api("GET", f"/boat/{boat['id']}/").status_code == 404

    async def events() -> list[Any]:
        async with office.program.store.reading(office.system) as transaction:
            return await transaction.rows(
                "select e.action, e.lead_id, e.changed, b.before::jsonb ->> 'length',"
                " b.after::jsonb ->> 'length' from event e"
                " join event_body b on b.organization_id = $1 and b.seq = e.seq"
                " where e.organization_id = $1 and e.object_id = $2 order by e.seq",
                office.system.organization_id,
                boat["id"],
            )

    assert [tuple(row) for row in office.program.run(events())] == [
        ("created", lead["id"], [], None, "10"),
        ("updated", lead["id"], ["date_updated", "length"], "10", "11"),
        ("deleted", lead["id"], [], "11", None),
    ]
    assert api.get("/boat/")["total_results"] == 0
