"""What all activities have in common: the list of every type, and what they do to their lead."""

import pytest
from harness import Api, Organization, rows_of

from clinch.crm.activities.activity import Activity

BASE = {
    *("id", "_type", "organization_id", "lead_id", "contact_id", "user_id", "user_name", "users"),
    *("created_by", "created_by_name", "updated_by", "updated_by_name"),
    *("date_created", "date_updated", "activity_at"),
}


@pytest.fixture
def lead(api: Api) -> str:
    return str(api.post("/lead/", {"name": "Harbour Tools", "contacts": [{"name": "Bo"}]})["id"])


def types(page: dict[str, object]) -> list[str]:
    data = page["data"]
    assert isinstance(data, list)
    return [entry["_type"] for entry in data]


def test_each_activity_is_listed_as_its_own_type_answers_it(api: Api, lead: str) -> None:
    api.post("/activity/note/", {"lead_id": lead, "note": "Spoke to reception"})
    api.post("/activity/call/", {"lead_id": lead, "duration": 12, "direction": "outbound"})
    listed = api.get("/activity/", lead_id=lead)
    assert listed["has_more"] is False
    assert types(listed) == ["Call", "Note", "Created"]
    for entry, path in zip(listed["data"], ("call", "note", "created"), strict=True):
        assert entry == api.get(f"/activity/{path}/{entry['id']}/")
        assert entry == api.get(f"/activity/{path}/", lead_id=lead)["data"][0]
        assert entry.keys() >= BASE


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"_type": "Note"}, 1),
        ({"_type": "Call,Note"}, 1),
        ({"_type__in": "Call, Custom"}, 0),
        ({"_type": "actitype_x"}, 0),
    ],
)
def test_a_list_of_one_type_has_nothing_of_another(
    api: Api, lead: str, query: dict[str, str], found: int
) -> None:
    api.post("/activity/note/", {"lead_id": lead, "note": "Spoke to reception"})
    assert len(api.get("/activity/note/", **query)["data"]) == found
    assert len(api.get("/activity/note/", lead_id=lead, **query)["data"]) == found


@pytest.mark.parametrize("users", [["user_x"], None, "x", 3, {}])
def test_who_took_part_is_passed_over_where_it_is_sent(api: Api, lead: str, users: object) -> None:
    note = api.post("/activity/note/", {"lead_id": lead, "note": "x", "users": users})
    call = api.post("/activity/call/", {"lead_id": lead})
    changed = api.put(f"/activity/call/{call['id']}/", {"users": users})
    assert (note["users"], changed) == ([], call)


def test_fields_are_those_of_any_type(api: Api, lead: str) -> None:
    api.post("/activity/note/", {"lead_id": lead, "note": "Hello"})
    found = api.get("/activity/", lead_id=lead, _fields="note,_type,import_id")["data"]
    assert found == [{"_type": "Note", "note": "Hello"}, {"_type": "Created", "import_id": None}]


def test_activities_are_found_by_type_time_and_people(api: Api, lead: str) -> None:
    old = api.post(
        "/activity/note/", {"lead_id": lead, "note": "1", "date_created": "2020-02-01T10:00:00Z"}
    )
    new = api.post("/activity/call/", {"lead_id": lead})
    assert types(api.get("/activity/", _type="Note,Call")) == ["Call", "Note"]
    assert types(api.get("/activity/", _type__in="Note")) == ["Note"]
    assert types(api.get("/activity/", lead_id=f"{lead},lead_x", _type="Call")) == ["Call"]
    before = api.get("/activity/", date_created__lt="2021-01-01")["data"]
    assert [entry["id"] for entry in before] == [old["id"]]
    assert api.get("/activity/", id__in=new["id"])["data"][0]["id"] == new["id"]
    assert types(api.get("/activity/", user_id=api.user_id, lead_id=lead)) == [
        *("Call", "Created", "Note")
    ]
    assert api.get("/activity/", organization_id="orga_other")["data"] == []


def test_dates_bound_the_order_of_the_list_alone(api: Api, lead: str) -> None:
    for query in (
        {"activity_at__gt": "2020-01-01"},
        {"_order_by": "-activity_at", "lead_id": lead, "date_created__gt": "2020-01-01"},
        {"_order_by": "-activity_at"},
    ):
        assert api("GET", "/activity/", **query).status_code == 400
    found = api.get(
        "/activity/", lead_id=lead, _order_by="-activity_at", activity_at__gt="2020-01-01"
    )
    assert types(found) == ["Created"]


@pytest.mark.parametrize("key", ["created_by", "created_by_id"])
def test_an_activity_from_elsewhere_says_who_made_it(
    organization: Organization, lead: str, key: str
) -> None:
    api, other = organization.admin, organization.member("user").user_id
    body = {"lead_id": lead, "note": "From the old CRM", "direction": "outbound"}
    for path in ("note", "call"):
        made = api.post(f"/activity/{path}/", body | {key: other})
        assert (made["created_by"], made["updated_by"]) == (other, api.user_id)
        assert api.put(f"/activity/{path}/{made['id']}/", {key: api.user_id})["created_by"] == other
    before = rows_of(organization)
    refused = api("POST", "/activity/note/", body | {key: "user_nobody"})
    assert refused.json()["field-errors"] == {"created_by": "Object does not exist."}
    assert rows_of(organization) == before


def test_a_list_of_one_type_is_bounded_by_either_date(api: Api, lead: str) -> None:
    for at in ("2026-03-01", "2026-03-05", "2026-03-09"):
        api.post("/activity/note/", {"lead_id": lead, "note": at, "activity_at": f"{at}T10:00:00Z"})
        api.post(
            "/activity/meeting/", {"lead_id": lead, "starts_at": f"{at}T10:00:00Z", "duration": 60}
        )

    def found(path: str = "note", **query: str) -> list[str]:
        data = api.get(f"/activity/{path}/", **query)["data"]
        return [entry["activity_at"][:10] for entry in data]

    bounds = {"activity_at__gt": "2026-03-02", "activity_at__lte": "2026-03-06"}
    for path in ("note", "meeting"):
        assert found(path, **bounds) == ["2026-03-05"]
        assert found(path, activity_at__gte="2026-03-05", _order_by="-activity_at") == [
            *("2026-03-09", "2026-03-05")
        ]
    assert found(activity_at__gte="2026-03-05", date_created__gt="2030-01-01") == []
    assert found(_order_by="-activity_at", date_created__gt="2020-01-01")[0] == "2026-03-09"
    refused = api("GET", "/activity/note/", activity_at__gt="soon")
    assert refused.json() == {"error": "activity_at__gt: Invalid ISO 8601 datetime."}


def test_a_lead_counts_its_activities_and_says_when_the_last_was(api: Api, lead: str) -> None:
    summary = "num_notes,num_calls,num_outgoing_calls,last_call_date,last_communication_date"
    at = "2026-03-04T10:00:00+00:00"
    call = api.post(
        "/activity/call/", {"lead_id": lead, "direction": "outbound", "activity_at": at}
    )
    api.post("/activity/note/", {"lead_id": lead, "note": "x"})
    assert api.get(f"/lead/{lead}/", _fields=summary) == {
        "num_notes": 1,
        "num_calls": 1,
        "num_outgoing_calls": 1,
        "last_call_date": "2026-03-04T10:00:00.000000+00:00",
        "last_communication_date": "2026-03-04T10:00:00.000000+00:00",
    }
    api.delete(f"/activity/call/{call['id']}/")
    assert api.get(f"/lead/{lead}/", _fields=summary) == {
        "num_notes": 1,
        "num_calls": 0,
        "num_outgoing_calls": 0,
        "last_call_date": None,
        "last_communication_date": None,
    }


def test_an_activity_moves_the_time_of_its_lead_without_an_event_of_it(api: Api, lead: str) -> None:
    before = api.get(f"/lead/{lead}/")["date_updated"]
    api.post("/activity/note/", {"lead_id": lead, "note": "x"})
    assert api.get(f"/lead/{lead}/")["date_updated"] > before
    events = api.get("/event/", object_type="lead", object_id=lead)["data"]
    assert [event["action"] for event in events] == ["created"]


def test_a_lead_that_is_deleted_takes_its_activities_along(api: Api, lead: str) -> None:
    note = api.post("/activity/note/", {"lead_id": lead, "note": "bye"})
    api.delete(f"/lead/{lead}/")
    assert api("GET", f"/activity/note/{note['id']}/").status_code == 404
    gone = api.get("/event/", object_type="activity.note", action="deleted")["data"]
    assert [event["previous_data"]["note"] for event in gone] == ["bye"]


def test_a_contact_that_is_deleted_is_let_go_of(api: Api, lead: str) -> None:
    contact = api.get(f"/lead/{lead}/")["contacts"][0]["id"]
    note = api.post("/activity/note/", {"lead_id": lead, "contact_id": contact, "note": "x"})
    assert note["contact_id"] == contact
    api.delete(f"/contact/{contact}/")
    assert api.get(f"/activity/note/{note['id']}/")["contact_id"] is None


def test_a_contact_of_another_lead_is_refused(api: Api, lead: str) -> None:
    other = api.post("/contact/", {"name": "Ada"})["id"]
    body = {"lead_id": lead, "contact_id": other, "note": "x"}
    refused = api("POST", "/activity/note/", body)
    assert refused.status_code == 400
    assert "contact" in refused.json()["field-errors"]
    assert types(api.get("/activity/", lead_id=lead)) == ["Created"]


OF_A_CONTACT: list[tuple[str, dict[str, object]]] = [
    ("/activity/note/", {"note": "x"}),
    ("/activity/call/", {}),
    ("/activity/email/", {"status": "sent", "to": ["bo@client.test"]}),
    ("/activity/sms/", {"status": "draft"}),
    ("/opportunity/", {}),
    ("/task/", {"text": "Call back", "date": "2026-05-04"}),
]


@pytest.mark.parametrize(("path", "body"), OF_A_CONTACT)
def test_what_comes_to_another_lead_leaves_the_contact_of_the_old_one(
    api: Api, lead: str, path: str, body: dict[str, object]
) -> None:
    contact = api.get(f"/lead/{lead}/")["contact_ids"][0]
    there = api.post("/lead/", {"contacts": [{"name": "Cy"}]})
    made = api.post(path, body | {"lead_id": lead, "contact_id": contact})
    url = f"{path}{made['id']}/"
    assert api.put(url, {"lead_id": lead})["contact_id"] == contact
    refused = api("PUT", url, {"lead_id": there["id"], "contact_id": contact})
    assert (refused.status_code, *refused.json()["field-errors"]) == (400, "contact")
    assert api.get(url)["contact_id"] == contact
    moved = api.put(url, {"lead_id": there["id"]})
    assert (moved["lead_id"], moved["contact_id"]) == (there["id"], None)
    named = {"lead_id": lead, "contact_id": contact}
    assert api.put(url, named).items() >= named.items()


@pytest.mark.parametrize(("path", "body"), OF_A_CONTACT)
def test_a_contact_that_went_to_another_lead_may_be_sent_back_with_the_whole(
    api: Api, lead: str, path: str, body: dict[str, object]
) -> None:
    contact = api.get(f"/lead/{lead}/")["contact_ids"][0]
    there = api.post("/lead/", {})["id"]
    made = api.post(path, body | {"lead_id": lead, "contact_id": contact})
    api.put(f"/contact/{contact}/", {"lead_id": there})
    url = f"{path}{made['id']}/"
    read = api.get(url)
    assert read["contact_id"] == contact
    assert api.put(url, read) == read
    assert api.put(url, {"lead_id": lead})["contact_id"] == contact
    came = api.put(url, {"lead_id": there})
    assert (came["lead_id"], came["contact_id"]) == (there, contact)


def test_an_activity_answers_by_its_own_type_alone(api: Api, lead: str) -> None:
    note = api.post("/activity/note/", {"lead_id": lead, "note": "x"})
    for method in ("GET", "PUT", "DELETE"):
        assert api(method, f"/activity/call/{note['id']}/", {}).status_code == 404
    assert api.get(f"/activity/note/{note['id']}/") == note


def test_two_organizations_do_not_meet(organization: Organization, lead: str) -> None:
    page = organization.admin.get("/activity/")
    assert {entry["organization_id"] for entry in page["data"]} == {
        organization.system.organization
    }


def test_letting_go_of_a_contact_that_went_elsewhere_moves_the_time_of_the_lead(
    api: Api, lead: str
) -> None:
    contact = api.get(f"/lead/{lead}/")["contacts"][0]["id"]
    api.post("/activity/note/", {"lead_id": lead, "contact_id": contact, "note": "x"})
    other = api.post("/lead/", {"name": "North Foods"})["id"]
    api.put(f"/contact/{contact}/", {"lead_id": other})
    before = api.get(f"/lead/{lead}/")["date_updated"]
    api.delete(f"/contact/{contact}/")
    [note] = api.get("/activity/note/", lead_id=lead)["data"]
    assert note["contact_id"] is None
    assert api.get(f"/lead/{lead}/")["date_updated"] == note["date_updated"] > before


def test_every_type_keeps_the_rules_of_all() -> None:
    assert len(Activity.variants) > 5
    for variant in Activity.variants.values():
        assert set(Activity.before) <= set(variant.before), variant
        assert set(Activity.loads) <= set(variant.loads), variant
