"""Custom objects over HTTP: what belongs to a lead, with the fields of its type."""

from dataclasses import dataclass
from typing import Any

import pytest
import requests
from harness import TEST, Api, Organization, document, rows_of

from clinch.crm.custom_objects import CustomObject
from clinch.identity.users import NewUser, create_user
from clinch.resources.write.change import Change

REQUIRED = "This field is required."


@dataclass
class Vessels:
    """A type with two fields, of which the first is required, and a lead to have its objects."""

    api: Api
    type_id: str
    flag: str
    size: str
    lead: str

    def body(self, **rest: Any) -> dict[str, Any]:
        return self.bare(self.type_id) | {f"custom.{self.flag}": "NO"} | rest

    def bare(self, type_id: str) -> dict[str, Any]:
        """An object without values."""
        return {"lead_id": self.lead, "custom_object_type_id": type_id, "name": "Anna"}

    def make(self, **rest: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.api.post("/custom_object/", self.body(**rest))
        return made

    def refused(self, body: dict[str, Any]) -> Any:
        answer = self.api("POST", "/custom_object/", body)
        assert answer.status_code == 400
        return answer.json()["field-errors"]


def define(api: Api, type_id: str, name: str, type: str, **rest: Any) -> str:
    body = {"name": name, "type": type, "custom_object_type_id": type_id, **rest}
    return str(api.post("/custom_field/custom_object_type/", body)["id"])


def make_type(api: Api, **rest: Any) -> str:
    body = {"name": "Vessel", "name_plural": "Vessels", **rest}
    return str(api.post("/custom_object_type/", body)["id"])


@pytest.fixture
def vessels(api: Api) -> Vessels:
    type_id = make_type(api)
    flag = define(api, type_id, "Flag", "choices", choices=["NO", "GB"], required=True)
    size = define(api, type_id, "Size", "number")
    return Vessels(api, type_id, flag, size, api.post("/lead/", {"name": "Harbour Tools"})["id"])


def test_an_object_is_made_changed_and_deleted(vessels: Vessels) -> None:
    api, size = vessels.api, f"custom.{vessels.size}"
    answer = api("POST", "/custom_object/", vessels.body(**{size: 40}))
    made = answer.json()
    path = f"/custom_object/{made['id']}/"
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1{path}")
    assert made["id"].startswith("custobj_")
    assert set(made) == {
        "id",
        "organization_id",
        "lead_id",
        "custom_object_type_id",
        "name",
        f"custom.{vessels.flag}",
        size,
        "created_by",
        "updated_by",
        "date_created",
        "date_updated",
    }
    assert (made["name"], made[size], made[f"custom.{vessels.flag}"]) == ("Anna", 40, "NO")
    assert made["date_created"].endswith("+00:00")
    other = api.post("/lead/", {"name": "Other"})["id"]
    changed = api.put(path, {"name": "Berta", size: None, "lead_id": other})
    assert (changed["name"], changed["lead_id"]) == ("Berta", vessels.lead)
    assert size not in changed
    assert api.get(path) == changed
    deleted = api("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert api("GET", path).status_code == 404


def test_a_list_is_of_one_lead(vessels: Vessels) -> None:
    api = vessels.api
    refused = api("GET", "/custom_object/")
    assert (refused.status_code, refused.json()["field-errors"]) == (400, {"lead_id": REQUIRED})
    assert api("GET", "/custom_object/?lead_id=").status_code == 400
    operation = document()["paths"]["/custom_object/"]["get"]
    needed = [one["name"] for one in operation["parameters"] if one.get("required")]
    assert needed == ["lead_id"]
    boat = make_type(api, name="Boat")
    elsewhere = api.post("/lead/", {"name": "Other"})["id"]
    one, two = vessels.make(), api.post("/custom_object/", vessels.bare(boat))
    vessels.make(lead_id=elsewhere)
    found = api.get("/custom_object/", lead_id=vessels.lead)
    assert found == {"data": [one, two], "has_more": False}
    boats = api.get("/custom_object/", lead_id=vessels.lead, custom_object_type_id=boat)
    assert boats["data"] == [two]
    assert api.get("/custom_object/", lead_id="lead_none")["data"] == []


def test_an_object_needs_a_lead_a_type_and_a_name(
    vessels: Vessels, organization: Organization
) -> None:
    before = rows_of(organization)
    assert vessels.refused({}) == {"name": REQUIRED}
    assert vessels.refused({"name": "x"}) == {"lead": REQUIRED, "custom_object_type": REQUIRED}
    body = {"name": "x", "lead_id": "lead_none", "custom_object_type_id": "cotype_none"}
    unknown = "Object does not exist."
    assert vessels.refused(body) == {"lead": unknown, "custom_object_type": unknown}
    assert rows_of(organization) == before


def test_an_object_has_all_values_that_are_required(
    vessels: Vessels, organization: Organization
) -> None:
    flag = f"custom.{vessels.flag}"
    before = rows_of(organization)
    assert vessels.refused(vessels.body(**{flag: None})) == {flag: REQUIRED}
    assert rows_of(organization) == before
    made = vessels.make(**{flag: "GB"})
    path = f"/custom_object/{made['id']}/"
    before = rows_of(organization)
    refused = vessels.api("PUT", path, {"name": "x", flag: None})
    assert refused.json()["field-errors"] == {flag: REQUIRED}
    assert rows_of(organization) == before
    later = define(vessels.api, vessels.type_id, "Port", "text", required=True)
    assert vessels.api.put(path, {"name": "Clara"})["name"] == "Clara"
    assert vessels.refused(vessels.body()) == {f"custom.{later}": REQUIRED}


def test_an_object_has_the_fields_of_its_type_alone(vessels: Vessels) -> None:
    api = vessels.api
    boat = make_type(api, name="Boat")
    other = define(api, boat, "Flag", "text")
    assert vessels.refused(vessels.body(**{f"custom.{other}": "x"})) == {
        f"custom.{other}": "Unknown custom field."
    }
    made = api.post("/custom_object/", vessels.bare(boat) | {"custom.Flag": "any"})
    assert made[f"custom.{other}"] == "any"
    assert vessels.refused(vessels.body(**{"custom.Flag": "any"})) == {
        "custom.Flag": "Not a valid choice."
    }
    path = f"/custom_object/{made['id']}/"
    refused = api("PUT", path, {f"custom.{vessels.size}": 1})
    assert refused.json()["field-errors"] == {f"custom.{vessels.size}": "Unknown custom field."}
    assert api.get(path) == made
    assert api.get(path, _fields=f"custom.{other}") == {f"custom.{other}": "any"}


def test_objects_of_several_types_are_written_together(
    vessels: Vessels, organization: Organization
) -> None:
    """Each by the fields of its own type, be they regular or shared."""
    api, program = vessels.api, organization.program
    boat = make_type(api, name="Boat")
    shared = api.post("/custom_field/shared/", {"name": "Port", "type": "text"})["id"]
    for type_id, required in ((vessels.type_id, True), (boat, False)):
        body = {"object_type": "custom_object_type", "custom_object_type_id": type_id}
        path = f"/custom_field/shared/{shared}/association/"
        api.post(path, body | {"required": required})
    objects = [
        vessels.body(**{f"custom.{shared}": "Oslo"}),
        vessels.bare(boat),
        vessels.bare(boat) | {"custom.Port": "Bergen"},
    ]
    changes = [Change.create(CustomObject, body) for body in objects]
    program.run(program.store.write(organization.system, changes, TEST))
    found = api.get("/custom_object/", lead_id=vessels.lead)["data"]
    assert [made.get(f"custom.{shared}") for made in found] == ["Oslo", None, "Bergen"]


def test_an_archived_type_gets_no_more_objects(
    vessels: Vessels, organization: Organization
) -> None:
    made = vessels.make()
    vessels.api.put(f"/custom_object_type/{vessels.type_id}/", {"is_archived": True})
    before = rows_of(organization)
    assert vessels.refused(vessels.body()) == {"custom_object_type": "This type is archived."}
    assert rows_of(organization) == before
    path = f"/custom_object/{made['id']}/"
    assert vessels.api.put(path, {"name": "Berta"})["name"] == "Berta"
    vessels.api.delete(path)


def test_only_the_roles_of_a_type_work_on_its_objects(
    vessels: Vessels, organization: Organization
) -> None:
    made, user = vessels.make(), organization.member("user")
    body = {"editable_with_roles": ["admin"]}
    vessels.api.put(f"/custom_object_type/{vessels.type_id}/", body)
    before = rows_of(organization)
    path = f"/custom_object/{made['id']}/"
    for answer in (
        user("POST", "/custom_object/", vessels.body()),
        user("PUT", path, {"name": "x"}),
        user("DELETE", path),
    ):
        assert answer.status_code == 403
        assert answer.json() == {"error": "Your role may not edit objects of this type."}
    assert rows_of(organization) == before
    assert user.get(path) == made
    assert vessels.api.put(path, {"name": "Berta"})["name"] == "Berta"
    user.delete(f"/lead/{vessels.lead}/")
    assert vessels.api("GET", path).status_code == 404


def test_a_type_may_be_for_api_clients_alone(vessels: Vessels, organization: Organization) -> None:
    address = f"rosa.{organization.system.organization}@harbour.example"
    new = NewUser(address, "Rosa", "Lind", "user", "correct horse")
    program = organization.program
    program.run(create_user(program.store, organization.system, new, TEST))
    vessels.api.put(f"/custom_object_type/{vessels.type_id}/", {"api_create_only": True})
    path = f"{program.url}/api/v1/custom_object/"
    made = vessels.make()
    with requests.Session() as page:
        signed_in = {"email": address, "password": "correct horse"}
        page.post(f"{program.url}/session/", json=signed_in, timeout=30)
        before = rows_of(organization)
        refused = page.post(path, json=vessels.body(), timeout=30)
        assert rows_of(organization) == before
        changed = page.put(f"{path}{made['id']}/", json={"name": "Berta"}, timeout=30)
    assert refused.status_code == 403
    assert refused.json() == {"error": "Objects of this type are made by API clients only."}
    assert changed.json()["name"] == "Berta"


def test_a_lead_takes_its_objects_along(vessels: Vessels) -> None:
    made = vessels.make()
    vessels.api.delete(f"/lead/{vessels.lead}/")
    assert vessels.api("GET", f"/custom_object/{made['id']}/").status_code == 404


def test_a_value_is_an_object_of_the_lead_and_of_the_right_type(vessels: Vessels) -> None:
    api = vessels.api
    boat = make_type(api, name="Boat")
    own, of_other_type = vessels.make(), api.post("/custom_object/", vessels.bare(boat))
    elsewhere = vessels.make(lead_id=api.post("/lead/", {"name": "Other"})["id"])
    body = {
        "name": "Vessel",
        "type": "custom_object",
        "referenced_custom_type_id": vessels.type_id,
        "accepts_multiple_values": True,
    }
    field = f"custom.{api.post('/custom_field/lead/', body)['id']}"
    path = f"/lead/{vessels.lead}/"
    lead = api.put(path, {field: own["id"]})
    assert lead[field] == [own["id"]]
    for wrong in (of_other_type, elsewhere, {"id": "custobj_none"}):
        refused = api("PUT", path, {f"{field}.add": wrong["id"]})
        assert refused.json()["field-errors"] == {f"{field}.add": "Object does not exist."}
    assert api.get(path) == lead


def test_events_tell_of_objects(vessels: Vessels) -> None:
    made = vessels.make()
    vessels.api.put(f"/custom_object/{made['id']}/", {f"custom.{vessels.size}": 4})
    query = {"object_type": "custom_object", "object_id": made["id"]}
    updated, created = vessels.api.get("/event/", **query)["data"]
    assert (updated["action"], updated["lead_id"]) == ("updated", vessels.lead)
    assert updated["changed_fields"] == [f"custom.{vessels.size}", "date_updated"]
    assert updated["data"][f"custom.{vessels.size}"] == 4
    assert created["data"][f"custom.{vessels.flag}"] == "NO"
