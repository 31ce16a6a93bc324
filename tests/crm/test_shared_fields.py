"""Shared custom fields over HTTP: their associations, and their values on all that has them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness import Api, Organization, rows_of

REQUIRED = "This field is required."
NO_CHOICE = "Not a valid choice."


def make_type(api: Api, path: str = "custom_object_type") -> str:
    return str(api.post(f"/{path}/", {"name": "Vessel", "name_plural": "Vessels"})["id"])


def share(api: Api, *objects: dict[str, Any], name: str = "Owner", **rest: Any) -> str:
    """A shared field with these associations."""
    made = api.post("/custom_field/shared/", {"name": name, "type": "text", **rest})
    for body in objects:
        associate(api, made["id"], **body)
    return str(made["id"])


def associate(api: Api, field: str, object_type: str = "lead", **rest: Any) -> Any:
    body = {"object_type": object_type, **rest}
    return api.post(f"/custom_field/shared/{field}/association/", body)


LEAD = {"object_type": "lead"}


def test_a_shared_field_is_made_changed_and_deleted(api: Api) -> None:
    body = {"name": "Owner", "type": "choices", "choices": ["a"], "accepts_multiple_values": True}
    made = api.post("/custom_field/shared/", body)
    assert (made["is_shared"], made["associations"]) == (True, [])
    assert "editable_with_roles" not in made
    assert made["id"].startswith("cf_")
    for path in ("/custom_field/shared/", "/custom_fields/shared/"):
        assert api.get(path)["data"] == [made]
    path = f"/custom_field/shared/{made['id']}/"
    changed = api.put(path, {"choices": ["a", "b"], "accepts_multiple_values": False})
    assert (changed["choices"], changed["accepts_multiple_values"]) == (["a", "b"], True)
    refused = api("PUT", path, {"name": "x", "type": "user"})
    assert refused.json()["field-errors"] == {"type": "Value cannot be changed."}
    assert api.get(path) == changed
    associate(api, made["id"])
    deleted = api("DELETE", path)
    assert (deleted.status_code, deleted.json()) == (200, {})
    assert api.get("/custom_field/shared/")["data"] == []


@pytest.mark.parametrize("root", ["custom_field", "custom_fields"])
def test_associations_are_made_changed_and_deleted(api: Api, root: str) -> None:
    activity, vessel, field = make_type(api, "custom_activity"), make_type(api), share(api)
    places = {
        "lead": {},
        "contact": {},
        "opportunity": {},
        "custom_activity_type": {"custom_activity_type_id": activity},
        "custom_object_type": {"custom_object_type_id": vessel},
    }
    made = []
    for object_type, type_id in places.items():
        body = {"object_type": object_type, "editable_with_roles": ["admin"], **type_id}
        answer = api("POST", f"/{root}/shared/{field}/association/", body)
        path = "/".join([f"shared/{field}/association", object_type, *type_id.values()])
        assert answer.headers["location"] == f"/api/v1/custom_field/{path}/"
        assert (answer.status_code, answer.json()) == (201, body | {"required": False})
        assert api.get(f"/{root}/{path}/") == answer.json()
        made.append(answer.json())
        changes = {"required": True, "editable_with_roles": [], "object_type": "lead"}
        made[-1] |= {"required": True, "editable_with_roles": []}
        assert api.put(f"/{root}/{path}/", changes) == made[-1]
    assert api.get(f"/custom_field/shared/{field}/")["associations"] == made
    deleted = api("DELETE", f"/{root}/shared/{field}/association/custom_object_type/{vessel}/")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert api.get(f"/custom_field/shared/{field}/")["associations"] == made[:-1]


def test_activity_types_are_associated_as_older_clients_do(api: Api) -> None:
    activity, field = make_type(api, "custom_activity"), share(api)
    body = {"custom_activity_type_id": activity, "required": True}
    made = api("POST", f"/custom_field/shared/{field}/custom_activity_type", body)
    assert made.status_code == 201
    assert made.json() == body | {"object_type": "custom_activity_type", "editable_with_roles": []}
    [entry] = api.get(f"/custom_activity/{activity}/")["fields"]
    assert (entry["id"], entry["is_shared"], entry["required"]) == (field, True, True)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"object_type": REQUIRED}),
        ({"object_type": "task"}, {"object_type": NO_CHOICE}),
        ({"object_type": "lead"}, {"object_type": "This value is already in use."}),
        ({"object_type": "custom_object_type"}, {"custom_object_type": REQUIRED}),
        ({"object_type": "custom_activity_type"}, {"custom_activity_type": REQUIRED}),
        (
            {"object_type": "custom_object_type", "custom_object_type_id": "cotype_none"},
            {"custom_object_type": "Object does not exist."},
        ),
        (
            {"object_type": "contact", "editable_with_roles": ["king"]},
            {"editable_with_roles": NO_CHOICE},
        ),
        (
            {"object_type": "contact", "required": 1, "editable_with_roles": {}},
            {
                "required": "Value must be of bool type.",
                "editable_with_roles": "Value must be of list type.",
            },
        ),
    ],
)
def test_an_association_that_makes_no_sense_is_refused(
    organization: Organization, body: dict[str, Any], problems: dict[str, str]
) -> None:
    field = share(organization.admin, LEAD)
    before = rows_of(organization)
    refused = organization.admin("POST", f"/custom_field/shared/{field}/association/", body)
    assert (refused.status_code, refused.json()["field-errors"]) == (400, problems)
    assert rows_of(organization) == before


def test_what_is_not_associated_is_not_found(organization: Organization) -> None:
    api = organization.admin
    vessel = make_type(api)
    field = share(api, LEAD, {"object_type": "custom_object_type", "custom_object_type_id": vessel})
    before = rows_of(organization)
    root = "/custom_field/shared"
    for place in (
        f"{field}/association/contact/",
        f"{field}/association/task/",
        f"{field}/association/%00/",
        f"{field}/association/lead/{vessel}/",
        f"{field}/association/custom_object_type/",
        f"{field}/association/custom_object_type/cotype_none/",
        f"{field}/association/custom_object_type/%00/",
        f"{field}/association/custom_activity_type/{vessel}/",
        "cf_none/association/lead/",
    ):
        for method, body in (("GET", None), ("PUT", {"required": True}), ("DELETE", None)):
            assert api(method, f"{root}/{place}", body).status_code == 404
    for unknown in ("cf_none", "%00"):
        answer = api("POST", f"{root}/{unknown}/association/", LEAD)
        assert answer.status_code == 404
        assert answer.json() == {
            "error": "Empty query: SharedCustomField matching query does not exist."
        }
    assert rows_of(organization) == before


def test_values_of_a_shared_field_are_on_every_associated_object(api: Api) -> None:
    vessel = make_type(api)
    field = share(
        api,
        LEAD,
        {"object_type": "contact"},
        {"object_type": "opportunity"},
        {"object_type": "custom_object_type", "custom_object_type_id": vessel},
    )
    key, by_name = f"custom.{field}", {"custom.Owner": "Ada"}
    lead = api.post("/lead/", {key: "Ada", "contacts": [{"name": "Bo", **by_name}]})
    assert (lead[key], lead["custom"]) == ("Ada", {"Owner": "Ada"})
    assert lead["contacts"][0][key] == "Ada"
    deal = api.post("/opportunity/", {"lead_id": lead["id"], **by_name})
    assert deal["custom"] == {"Owner": "Ada"}
    body = {"lead_id": lead["id"], "custom_object_type_id": vessel, "name": "Anna", **by_name}
    anna = api.post("/custom_object/", body)
    assert anna[key] == "Ada"
    assert api.put(f"/custom_object/{anna['id']}/", {key: None}).get(key) is None
    assert api.get(f"/lead/{lead['id']}/")["opportunities"][0][key] == "Ada"
    api.put(f"/custom_field/shared/{field}/", {"name": "Keeper"})
    assert api.get(f"/lead/{lead['id']}/")["custom"] == {"Keeper": "Ada"}
    assert api.get(f"/lead/{lead['id']}/", _fields=key) == {key: "Ada"}


def test_a_shared_field_is_unknown_where_it_is_not_associated(api: Api) -> None:
    one, other = make_type(api), make_type(api)
    field = share(api, {"object_type": "custom_object_type", "custom_object_type_id": one})
    lead = api.post("/lead/", {"name": "Harbour"})
    unknown = {f"custom.{field}": "Unknown custom field."}
    refused = api("PUT", f"/lead/{lead['id']}/", {f"custom.{field}": "Ada"})
    assert refused.json()["field-errors"] == unknown
    body = {"lead_id": lead["id"], "custom_object_type_id": other, "name": "Anna"}
    refused = api("POST", "/custom_object/", body | {f"custom.{field}": "Ada"})
    assert refused.json()["field-errors"] == unknown
    assert api.get(f"/lead/{lead['id']}/") == lead


def test_values_leave_the_answers_with_the_association(api: Api) -> None:
    field = share(api, LEAD, {"object_type": "contact"})
    body = {f"custom.{field}": "Ada", "contacts": [{f"custom.{field}": "Bo"}]}
    lead = api.post("/lead/", body)
    api.delete(f"/custom_field/shared/{field}/association/lead/")
    after = api.get(f"/lead/{lead['id']}/")
    assert (after["custom"], f"custom.{field}" in after) == ({}, False)
    assert after["contacts"][0][f"custom.{field}"] == "Bo"
    api.delete(f"/custom_field/shared/{field}/")
    assert api.get(f"/lead/{lead['id']}/")["contacts"][0]["custom"] == {}


def test_roles_are_those_of_the_association(organization: Organization) -> None:
    admin, user = organization.admin, organization.member("user")
    contact = {"object_type": "contact", "editable_with_roles": ["admin"]}
    key = f"custom.{share(admin, LEAD, contact)}"
    lead = admin.post("/lead/", {"contacts": [{"name": "Ada"}]})
    assert user.put(f"/lead/{lead['id']}/", {key: "x"})[key] == "x"
    before = rows_of(organization)
    refused = user("PUT", f"/contact/{lead['contact_ids'][0]}/", {key: "x"})
    assert refused.json()["field-errors"] == {
        key: "You do not have permission to change this field."
    }
    assert rows_of(organization) == before
    assert admin.put(f"/contact/{lead['contact_ids'][0]}/", {key: "x"})[key] == "x"


def test_what_is_required_is_said_by_the_association(api: Api) -> None:
    strict, free = make_type(api), make_type(api)
    field = share(
        api,
        {"object_type": "custom_object_type", "custom_object_type_id": strict, "required": True},
        {"object_type": "custom_object_type", "custom_object_type_id": free},
    )
    lead = api.post("/lead/", {"name": "Harbour"})["id"]
    body = {"lead_id": lead, "name": "Anna"}
    refused = api("POST", "/custom_object/", body | {"custom_object_type_id": strict})
    assert refused.json()["field-errors"] == {f"custom.{field}": REQUIRED}
    assert api.get("/custom_object/", lead_id=lead)["data"] == []
    api.post("/custom_object/", body | {"custom_object_type_id": free})
    api.delete(f"/custom_field/shared/{field}/association/custom_object_type/{strict}/")
    api.post("/custom_object/", body | {"custom_object_type_id": strict})
    assert len(api.get("/custom_object/", lead_id=lead)["data"]) == 2


def test_a_schema_has_shared_fields_in_its_own_order(api: Api) -> None:
    first = api.post("/custom_field/lead/", {"name": "First", "type": "text"})["id"]
    roles = {"editable_with_roles": ["admin"]}
    field = share(api, LEAD | roles, {"object_type": "contact"})
    last = api.post("/custom_field/lead/", {"name": "Last", "type": "text"})["id"]
    other = api.post("/custom_field/contact/", {"name": "Other", "type": "text"})["id"]

    def order(kind: str) -> list[str]:
        fields = api.get(f"/custom_field_schema/{kind}/")["fields"]
        return [entry["id"] for entry in fields]

    assert order("lead") == [first, field, last]
    [_, entry, _] = api.get("/custom_field_schema/lead/")["fields"]
    shared = api.get(f"/custom_field/shared/{field}/")
    assert entry == shared | {"editable_with_roles": ["admin"], "required": False}
    listed = {"fields": [{"id": last}, {"id": field}]}
    tried = api.put("/custom_field_schema/lead/", listed, _dry_run="true")
    assert [entry["id"] for entry in tried["fields"]] == [last, field, first]
    assert order("lead") == [first, field, last]
    put = api.put("/custom_field_schema/lead/", listed)
    assert [entry["id"] for entry in put["fields"]] == order("lead") == [last, field, first]
    assert order("contact") == [field, other]
    assert api.get("/custom_field/lead/")["data"][0]["id"] == last


def test_no_object_has_two_fields_of_one_name(organization: Organization) -> None:
    api, vessel = organization.admin, make_type(organization.admin)
    of_vessels = {"object_type": "custom_object_type", "custom_object_type_id": vessel}
    owner, free = share(api, LEAD, of_vessels), share(api, name="Keeper")
    keeper = api.post("/custom_field/lead/", {"name": "Keeper", "type": "text"})["id"]
    of_type = {"name": "Owner", "type": "text", "custom_object_type_id": vessel}
    before = rows_of(organization)
    in_use = "This value is already in use."
    for method, path, body, problem in (
        ("POST", "/custom_field/lead/", {"name": "Owner", "type": "text"}, "name"),
        ("POST", "/custom_field/custom_object_type/", of_type, "name"),
        ("PUT", f"/custom_field/lead/{keeper}/", {"name": "Owner"}, "name"),
        ("POST", "/custom_field/shared/", {"name": "Owner", "type": "text"}, "name"),
        ("POST", f"/custom_field/shared/{free}/association/", LEAD, "custom_field"),
    ):
        refused = api(method, path, body)
        assert (refused.status_code, refused.json()["field-errors"]) == (400, {problem: in_use})
    assert rows_of(organization) == before
    api.post("/custom_field/contact/", {"name": "Owner", "type": "text"})
    associate(api, free, "contact")
    refused = api("PUT", f"/custom_field/shared/{free}/", {"name": "Owner"})
    assert refused.json()["field-errors"] == {"name": in_use}
    other = api.post("/custom_field/lead/", {"name": "Other", "type": "text"})["id"]
    refused = api("PUT", f"/custom_field/shared/{owner}/", {"name": "Other"})
    assert refused.json()["field-errors"] == {"name": in_use}
    api.put(f"/custom_field/lead/{other}/", {"name": "Other", "description": "x"})
    api.put(f"/custom_field/shared/{owner}/", {"name": "Owner", "description": "x"})


def test_writers_who_meet_give_no_object_two_fields_of_one_name(api: Api) -> None:
    """Each alone would be right; the later one is told of the other."""
    for number in range(5):
        field, renamed = share(api, name=f"Owner {number}"), share(api, LEAD, name=f"Old {number}")
        kept = api.post("/custom_field/lead/", {"name": f"Kept {number}", "type": "text"})["id"]
        for name, requests in (
            (
                f"Owner {number}",
                (
                    ("POST", f"/custom_field/shared/{field}/association/", LEAD),
                    ("POST", "/custom_field/lead/", {"name": f"Owner {number}", "type": "text"}),
                ),
            ),
            (
                f"Berth {number}",
                (
                    ("PUT", f"/custom_field/shared/{renamed}/", {"name": f"Berth {number}"}),
                    ("PUT", f"/custom_field/lead/{kept}/", {"name": f"Berth {number}"}),
                ),
            ),
        ):
            with ThreadPoolExecutor(2) as threads:
                answers = list(threads.map(lambda request: api(*request), requests))
            assert {answer.status_code for answer in answers} & {200, 201}
            assert [answer.status_code for answer in answers].count(400) == 1
            names = [entry["name"] for entry in api.get("/custom_field_schema/lead/")["fields"]]
            assert names.count(name) == 1


def test_associations_are_for_who_may_customize(organization: Organization) -> None:
    user, field = organization.member("user"), share(organization.admin, LEAD)
    before = rows_of(organization)
    root = f"/custom_field/shared/{field}/association"
    assert user("POST", f"{root}/", {"object_type": "contact"}).status_code == 403
    assert user("PUT", f"{root}/lead/", {"required": True}).status_code == 403
    assert user("DELETE", f"{root}/lead/").status_code == 403
    assert rows_of(organization) == before
    assert user.get(f"{root}/lead/")["object_type"] == "lead"


def test_an_association_can_be_tried(organization: Organization) -> None:
    api, field = organization.admin, share(organization.admin, LEAD)
    before = rows_of(organization)
    root, tried = f"/custom_field/shared/{field}/association", {"_dry_run": "true"}
    made = api("POST", f"{root}/", {"object_type": "contact"}, **tried)
    assert (made.status_code, made.json()["object_type"]) == (201, "contact")
    assert api("PUT", f"{root}/lead/", {"required": True}, **tried).json()["required"] is True
    assert api("DELETE", f"{root}/lead/", **tried).status_code == 204
    assert rows_of(organization) == before


def test_a_shared_field_tells_of_its_associations_in_events(api: Api) -> None:
    field = share(api)
    associate(api, field)
    query = {"object_type": "custom_fields.shared", "object_id": field}
    updated, created = api.get("/event/", **query)["data"]
    assert (updated["action"], created["action"]) == ("updated", "created")
    assert updated["changed_fields"] == ["associations", "date_updated"]
    assert [entry["object_type"] for entry in updated["data"]["associations"]] == ["lead"]
