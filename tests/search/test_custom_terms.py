"""Custom fields in the search language over HTTP: every type, against rows that must (not) fit."""

from typing import Any

import pytest
from harness import Api, Organization, Program, make_organization

FIELDS: dict[str, dict[str, Any]] = {
    "Source CRM": {"type": "text"},
    "Seats": {"type": "number"},
    "Renewal": {"type": "date"},
    "Last Visit": {"type": "datetime"},
    "Industry": {"type": "choices", "choices": ["Boats", "Real Estate", "Ropes"]},
    "Tags": {"type": "choices", "choices": ["a", "B", "c"], "accepts_multiple_values": True},
    "Owner": {"type": "user"},
    "Team": {"type": "user", "accepts_multiple_values": True},
    "Decider": {"type": "contact"},
    "name": {"type": "hidden"},
    "Größe": {"type": "text"},
}
LEADS: dict[str, dict[str, Any]] = {
    "acme": {
        "Source CRM": "Trade fair, 2024",
        "Seats": 5,
        "Renewal": "2026-03-05",
        "Last Visit": "2026-03-05T23:30:00Z",
        "Industry": "Real Estate",
        "Tags": ["a", "B"],
        "Owner": "Sam Reed",
        "Team": ["Sam Reed"],
        "name": "x-100%",
        "Größe": "klein",
    },
    "wayne": {
        "Source CRM": "Trade",
        "Seats": 12.5,
        "Renewal": "2026-04-01",
        "Last Visit": "2026-03-06T00:30:00Z",
        "Industry": "Ropes",
        "Tags": ["c"],
        "Team": ["Sam Reed", "Ada Moss"],
    },
    "huge": {"Seats": 12345678901234567, "Renewal": "2019-12-31"},
    "tiny": {"Seats": -0.25},
    "bare": {},
}


class Desk:
    """An organization with the fields and leads above; finds leads by their names."""

    def __init__(self, organization: Organization) -> None:
        self.api = organization.admin
        self.mate = organization.member("user")
        self.ids = {
            name: self.api.post("/custom_field/lead/", {"name": name, **rest})["id"]
            for name, rest in FIELDS.items()
        }
        for name, custom in LEADS.items():
            body = {"name": name, "custom": custom, "contacts": [{"name": f"Bo {name}"}]}
            lead = self.api.post("/lead/", body)
            if name == "wayne":
                self.contact = lead["contact_ids"][0]
                self.api.put(f"/lead/{lead['id']}/", {"custom.Decider": self.contact})

    def find(self, query: str, api: Api | None = None) -> set[str]:
        for name, id in self.ids.items():
            query = query.replace(f"<{name}>", id)
        query = query.replace("<me>", self.api.user_id).replace("<contact>", self.contact)
        page = (api or self.api).get("/lead/", query=query, _fields="name")
        assert page["total_results"] == len(page["data"])
        return {row["name"] for row in page["data"]}


@pytest.fixture(scope="module")
def desk(program: Program) -> Desk:
    return Desk(make_organization(program))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        # by id and by name, quoted or not, with and without the prefix
        ("custom.<Seats>:5", {"acme"}),
        ("custom.Seats:5", {"acme"}),
        ("Seats:5", {"acme"}),
        ("seats:5", {"acme"}),
        ('"custom.Seats":5', {"acme"}),
        ('"custom.Source CRM":trade', {"acme", "wayne"}),
        ('"Source CRM":trade', {"acme", "wayne"}),
        ('"source crm":trade', {"acme", "wayne"}),
        ("Größe:KLEIN", {"acme"}),
        # the organization's field of a name that leads have themselves
        ("custom.name:x-100%", {"acme"}),
        ("name:acme", {"acme"}),
        # texts
        ('"Source CRM":"trade fair"', {"acme"}),
        ('"Source CRM"="trade"', {"wayne"}),
        ('"Source CRM"!="trade"', {"acme", "huge", "tiny", "bare"}),
        ('"Source CRM":tra*', {"acme", "wayne"}),
        ('"Source CRM":*2024', {"acme"}),
        ('"Source CRM" in ("trade", "nothing")', {"acme", "wayne"}),
        # has any, has none
        ("custom.Seats:*", {"acme", "wayne", "huge", "tiny"}),
        ('"custom.Source CRM":*', {"acme", "wayne"}),
        ("Tags:*", {"acme", "wayne"}),
        ('Tags:""', {"huge", "tiny", "bare"}),
        ("NOT custom.Seats:*", {"bare"}),
        ("-Seats:*", {"bare"}),
        ("has:Seats", {"acme", "wayne", "huge", "tiny"}),
        ('has:"custom.Source CRM"', {"acme", "wayne"}),
        # numbers
        ("Seats:12.5", {"wayne"}),
        ("Seats = 12.50", {"wayne"}),
        ("Seats:12345678901234567", {"huge"}),
        ("Seats:12345678901234568", set()),
        ("Seats > 5", {"wayne", "huge"}),
        ("Seats >= 5", {"acme", "wayne", "huge"}),
        ("Seats < 5", {"tiny"}),
        ("Seats <= -0.25", {"tiny"}),
        ("Seats:[5 TO 12.5]", {"acme", "wayne"}),
        ("Seats:[* TO 5]", {"acme", "tiny"}),
        ("Seats:[* TO *]", {"acme", "wayne", "huge", "tiny"}),
        ("Seats in (5, 12.5)", {"acme", "wayne"}),
        ("Seats > 0 Seats < 10", {"acme"}),
        ("Seats > 100 OR Seats < 0", {"huge", "tiny"}),
        ("NOT Seats > 5", {"acme", "tiny", "bare"}),
        # days and moments, which are read in the zone of the one who asks
        ("Renewal:2026-03-05", {"acme"}),
        ("Renewal:2026-03", {"acme"}),
        ("Renewal:2026", {"acme", "wayne"}),
        ("Renewal > 2026-03-05", {"wayne"}),
        ("Renewal >= 2026-03-05", {"acme", "wayne"}),
        ("Renewal < 2026-03-05", {"huge"}),
        ("Renewal <= 2026-03-05", {"acme", "huge"}),
        ("Renewal:[2019-12-31 TO 2026-03-05]", {"acme", "huge"}),
        ("Renewal:today", set()),
        ('"Last Visit":2026-03-05', {"acme"}),
        ('"Last Visit":2026-03-06', {"wayne"}),
        ('"Last Visit" > "2026-03-05T23:30:00Z"', {"wayne"}),
        ('"Last Visit" <= "2026-03-05T23:30:00Z"', {"acme"}),
        # choices
        ("Industry:ropes", {"wayne"}),
        ('Industry:"real estate"', {"acme"}),
        ("Industry:real", set()),
        ("Industry in (Ropes, Boats)", {"wayne"}),
        ("Industry:Nowhere", set()),
        ("Tags:a", {"acme"}),
        ("Tags:b", {"acme"}),
        ("Tags:(a OR c)", {"acme", "wayne"}),
        ("Tags:a Tags:b", {"acme"}),
        ("Tags!=a", {"wayne", "huge", "tiny", "bare"}),
        # users and contacts
        ("Owner:me", {"acme"}),
        ("Owner:<me>", {"acme"}),
        ('Owner:"sam reed"', {"acme"}),
        ("Team:me", {"acme", "wayne"}),
        ('Team:"Ada Moss"', {"wayne"}),
        ("Team:Nobody", set()),
        ("Decider:<contact>", {"wayne"}),
        ("Decider:bo", {"wayne"}),
        ("Decider:zoe", set()),
        # with what is no custom field
        ("acme custom.Seats:5", {"acme"}),
        ("Seats:5 OR name:bare", {"acme", "bare"}),
    ],
)
def test_a_custom_field_finds_what_fits(desk: Desk, query: str, found: set[str]) -> None:
    assert desk.find(query) == found


def test_me_is_who_asks_and_days_are_theirs(desk: Desk) -> None:
    assert desk.find("Team:me", desk.mate) == {"wayne"}
    west = Api(desk.api.program, desk.api.key, desk.api.user_id, {"x-tz-offset": "-5"})
    assert desk.find('"Last Visit":2026-03-05', west) == {"acme", "wayne"}
    assert desk.find("Renewal:2026-03-05", west) == {"acme"}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("custom.Nowhere:1", '"custom.Nowhere", which is no field here'),
        ('"Nowhere At All":1', '"Nowhere At All", which is no field here'),
        ("Seats:5 Nowhere:1", '"Nowhere", which is no field here'),
        ("has:Nowhere", '"Nowhere", which is no field here'),
        ("contact(Seats:5)", '"Seats", which is no field here'),
        ("sort:custom.Nowhere", 'sorts by "custom.Nowhere"'),
        ("Seats:many", '"many" is not a number'),
        ("Seats:1e999", "is not a number"),
        ("Renewal:soon", "is not a date"),
        ("Renewal:2026-02-30", "is not a date"),
        ('"Last Visit" > never', "is not a date"),
        ("Industry > a", "It cannot be compared by size."),
        ('"Source CRM" > a', "It cannot be compared by size."),
        ("Owner < a", "It cannot be compared by size."),
    ],
)
def test_what_cannot_be_read_is_told(desk: Desk, query: str, text: str) -> None:
    refused = desk.api("GET", "/lead/", query=query)
    assert refused.status_code == 400, refused.text
    assert text in refused.json()["error"]


def test_every_kind_of_object_is_found_by_its_own_fields(api: Api) -> None:
    def define(kind: str, type: str) -> str:
        body = {"name": "Size", "type": type}
        return str(api.post(f"/custom_field/{kind}/", body)["id"])

    define("lead", "text")
    on_contact = define("contact", "number")
    on_deal = define("opportunity", "date")
    contacts = [{"name": "Ada", "custom.Size": 7}, {"name": "Bo", "custom.Size": 70}]
    lead = api.post("/lead/", {"name": "Acme", "custom.Size": "7", "contacts": contacts})
    deal = api.post("/opportunity/", {"lead_id": lead["id"], "custom.Size": "2026-03-05"})
    api.post("/opportunity/", {"lead_id": lead["id"]})

    def found(path: str, query: str) -> list[str]:
        return [row["id"] for row in api.get(f"/{path}/", query=query)["data"]]

    ada = lead["contact_ids"][0]
    assert found("contact", "Size < 10") == found("contact", f"custom.{on_contact}:7") == [ada]
    assert found("opportunity", "Size:2026-03") == [deal["id"]]
    assert found("opportunity", f"custom.{on_deal} > 2026-03-05") == []
    for query in ("Size:7 contact(Size:70)", "opportunity(Size:*)", "Size:7"):
        assert found("lead", query) == [lead["id"]], query
    for query in ("contact(Size:7 Size:70)", "contact(Size:[8 TO 69])", "Size:70"):
        assert found("lead", query) == [], query
    assert api("GET", "/contact/", query=f"custom.{on_deal}:*").status_code == 400
    assert api("GET", "/task/", query="Size:7").status_code == 400


def test_what_is_found_follows_every_change(api: Api) -> None:
    field = api.post("/custom_field/lead/", {"name": "Seats", "type": "number"})["id"]
    lead = api.post("/lead/", {"name": "Acme", "custom.Seats": 5})
    path = f"/lead/{lead['id']}/"

    def found(query: str) -> bool:
        return bool(api.get("/lead/", query=query)["data"])

    assert found("Seats:5")
    api.put(path, {"custom.Seats": 6})
    assert (found("Seats:5"), found("Seats:6")) == (False, True)
    api.put(path, {"name": "Acme Inc."})
    assert found("Seats:6")
    api.put(path, {"custom.Seats": 7}, _dry_run="true")
    assert (found("Seats:7"), found("Seats:6")) == (False, True)
    api.put(path, {"custom.Seats": None})
    assert not found("Seats > 0")
    api.put(path, {"custom.Seats": 8})
    api.put(f"/custom_field/lead/{field}/", {"name": "Places"})
    assert found("Places:8")
    assert api("GET", "/lead/", query="Seats:8").status_code == 400
    api.delete(f"/custom_field/lead/{field}/")
    assert api("GET", "/lead/", query="Places:8").status_code == 400


def test_nothing_is_found_of_another_organization(desk: Desk, program: Program) -> None:
    other = make_organization(program).admin
    for name in ("Seats", desk.ids["Seats"]):
        assert other("GET", "/lead/", query=f"custom.{name}:5").status_code == 400
    other.post("/custom_field/lead/", {"name": "Seats", "type": "number"})
    other.post("/lead/", {"name": "Theirs", "custom.Seats": 5})
    assert [row["name"] for row in other.get("/lead/", query="Seats:5")["data"]] == ["Theirs"]
    assert desk.find("Seats:5") == {"acme"}


def test_a_field_that_is_always_null_leaves_its_name_to_a_custom_field(api: Api) -> None:
    """Leads have a `source` in the API that Clinch has nothing for, and many call a field so."""
    refused = api("GET", "/lead/", query="source:fair")
    assert refused.status_code == 400
    api.post("/custom_field/lead/", {"name": "Source", "type": "text"})
    lead = api.post("/lead/", {"name": "Harbour", "custom": {"Source": "Trade fair"}})
    api.post("/lead/", {"name": "Bright"})
    for query in ("Source:fair", 'source:"trade fair"', "has:source"):
        assert [found["id"] for found in api.get("/lead/", query=query)["data"]] == [lead["id"]]
    assert api.get(f"/lead/{lead['id']}/", _fields="source") == {"source": None}
