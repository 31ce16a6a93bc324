"""Two leads made one: what moves, what the one that stays takes over, what the log says."""

from typing import Any

import pytest
from harness import Api, Organization, rows_of

MISSING = {"errors": ["Source lead does not exist."]}


@pytest.fixture
def field(api: Api) -> str:
    made: str = api.post("/custom_field/lead/", {"name": "Source", "type": "text"})["id"]
    return made


def merge(api: Api, source: str, destination: str, **query: Any) -> Any:
    body = {"source": source, "destination": destination}
    return api.post("/lead/merge/", body, **query)


def full_lead(api: Api, field: str) -> dict[str, Any]:
    """A lead with one of each thing that belongs to one."""
    lead: dict[str, Any] = api.post(
        "/lead/",
        {
            "name": "Harbour (double)",
            "url": "harbour.example",
            "description": "From the fair",
            "contacts": [{"name": "Ada Moss", "emails": [{"email": "ada@harbour.example"}]}],
            f"custom.{field}": "Fair",
        },
    )
    of_lead = {"lead_id": lead["id"]}
    [contact] = lead["contacts"]
    api.post("/opportunity/", of_lead | {"value": 70_000, "contact_id": contact["id"]})
    api.post("/task/", of_lead | {"text": "Call back", "contact_id": contact["id"]})
    api.post("/activity/note/", of_lead | {"note": "Spoke to reception"})
    api.post("/activity/call/", of_lead | {"direction": "inbound", "contact_id": contact["id"]})
    boat = api.post("/custom_object_type/", {"name": "Boat", "name_plural": "Boats"})["id"]
    api.post("/custom_object/", of_lead | {"custom_object_type_id": boat, "name": "Tern"})
    return lead


def test_all_that_belongs_to_the_source_is_the_destinations(api: Api, field: str) -> None:
    source = full_lead(api, field)
    destination = api.post("/lead/", {"name": "Harbour", "contacts": [{"name": "Bo Lind"}]})
    assert merge(api, source["id"], destination["id"]) == {"status": "ok"}
    gone = api("GET", f"/lead/{source['id']}/")
    assert gone.status_code == 404
    left = api.get(f"/lead/{destination['id']}/", _fields="_all")
    assert {one["name"] for one in left["contacts"]} == {"Ada Moss", "Bo Lind"}
    assert [one["value"] for one in left["opportunities"]] == [70_000]
    assert [one["text"] for one in left["tasks"]] == ["Call back"]
    counts = ("num_opportunities", "num_tasks", "num_notes", "num_calls", "num_incoming_calls")
    assert [left[name] for name in counts] == [1, 1, 1, 1, 1]
    assert left["active_opportunity_value"] == 70_000
    objects = api.get("/custom_object/", lead_id=destination["id"])["data"]
    assert [one["name"] for one in objects] == ["Tern"]
    found = api.get("/lead/", query="ada@harbour.example")["data"]
    assert [lead["id"] for lead in found] == [destination["id"]]
    assert api.get("/lead/")["total_results"] == 1


def test_the_destination_keeps_its_values_and_takes_those_it_lacks(api: Api, field: str) -> None:
    source = full_lead(api, field)
    other = api.post("/custom_field/lead/", {"name": "Region", "type": "text"})["id"]
    api.put(f"/lead/{source['id']}/", {"status": "Customer", f"custom.{other}": "North"})
    destination = api.post(
        "/lead/", {"name": "Harbour", "description": "A port", f"custom.{other}": "South"}
    )
    merge(api, source["id"], destination["id"])
    left = api.get(f"/lead/{destination['id']}/")
    assert (left["name"], left["description"]) == ("Harbour", "A port")
    assert left["url"] == "http://harbour.example"
    assert left["status_id"] == destination["status_id"]
    assert (left[f"custom.{field}"], left[f"custom.{other}"]) == ("Fair", "South")


def test_the_history_tells_of_the_merge(api: Api) -> None:
    source = api.post("/lead/", {"contacts": [{"emails": [{"email": "bo@port.example"}]}]})
    destination = api.post("/lead/", {"name": "Port"})
    merge(api, source["id"], destination["id"])
    [told] = api.get("/activity/lead_merge/", lead_id=destination["id"])["data"]
    assert {key: told[key] for key in told if "lead" in key or "display" in key} == {
        "lead_id": destination["id"],
        "source_lead_id": source["id"],
        "source_display_name": "bo@port.example",
        "destination_lead_id": destination["id"],
        "destination_display_name": "Port",
    }
    assert (told["_type"], told["merge_status"]) == ("LeadMerge", "completed")
    assert told["error_message"] is None


def test_every_event_of_the_merge_names_both_leads(api: Api, field: str) -> None:
    source = full_lead(api, field)
    destination = api.post("/lead/", {"name": "Harbour"})
    [latest, *_] = api.get("/event/")["data"]
    assert "merge_source_lead_id" not in latest["meta"]
    merge(api, source["id"], destination["id"])
    [merged] = api.get("/event/", object_type="lead", action="merged")["data"]
    assert merged["object_id"] == merged["lead_id"] == merged["data"]["id"] == destination["id"]
    events = api.get("/event/", request_id=merged["request_id"])["data"]
    leads = {
        "merge_source_lead_id": source["id"],
        "merge_destination_lead_id": destination["id"],
    }
    assert all(leads.items() <= event["meta"].items() for event in events)
    told = {(event["object_type"], event["action"]) for event in events}
    assert told >= {
        ("lead", "deleted"),
        ("lead", "updated"),
        ("contact", "updated"),
        ("opportunity", "updated"),
        ("task.lead", "updated"),
        ("activity.note", "updated"),
        ("custom_object", "updated"),
        ("activity.lead_merge", "created"),
    }
    [moved] = [event for event in events if event["object_type"] == "contact"]
    assert moved["previous_data"]["lead_id"] == source["id"]


def test_what_cannot_be_merged_changes_nothing(organization: Organization) -> None:
    api = organization.admin
    lead, other = (api.post("/lead/", {"name": name})["id"] for name in ("Harbour", "Port"))
    before = rows_of(organization)
    for source, destination, status, body in (
        ("lead_unknown", lead, 404, MISSING),
        (lead, "lead_unknown", 404, MISSING),
        (lead, lead, 400, {"error": "A lead cannot be merged into itself."}),
        (None, lead, 400, {"errors": [], "field-errors": {"source": "This field is required."}}),
        (lead, 7, 400, {"errors": [], "field-errors": {"destination": _TEXT}}),
        (lead, "\x00", 400, {"errors": [], "field-errors": {"destination": _NONE}}),
    ):
        answer = api("POST", "/lead/merge/", {"source": source, "destination": destination})
        assert (answer.status_code, answer.json()) == (status, body)
    assert merge(api, lead, other, _dry_run="true") == {"status": "ok"}
    assert rows_of(organization) == before


_TEXT = "Value must be of str type."
_NONE = "Object does not exist."


def test_a_merge_takes_a_right_of_its_own_and_leads_that_one_sees(
    organization: Organization,
) -> None:
    api = organization.admin
    lead, other = (api.post("/lead/", {"name": name})["id"] for name in ("Harbour", "Port"))
    owner = api.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    restricted = organization.member("restricteduser")
    limited = organization.limited(owner)
    api.put(f"/lead/{other}/", {f"custom.{owner}": limited.user_id})
    before = rows_of(organization)
    body = {"source": lead, "destination": other}
    assert restricted("POST", "/lead/merge/", body).status_code == 403
    hidden = limited("POST", "/lead/merge/", body)
    assert (hidden.status_code, hidden.json()) == (404, MISSING)
    assert rows_of(organization) == before
    api.put(f"/lead/{lead}/", {f"custom.{owner}": limited.user_id})
    assert merge(limited, lead, other) == {"status": "ok"}
