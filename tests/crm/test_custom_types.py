"""Types of custom activities and custom objects over HTTP, and the fields that they have."""

from typing import Any

import pytest
from harness import Api, Organization, rows_of

TYPES = {
    "custom_activity": {"name": "Signup"},
    "custom_object_type": {"name": "Vessel", "name_plural": "Vessels"},
}
FIELDS = {
    "custom_activity": ("activity", "custom_activity_type"),
    "custom_object_type": ("custom_object_type", "custom_object_type"),
}
WRONG_ORDERS = [
    ({}, "Value must be of list type."),
    *(
        ([entry], "Object does not exist.")
        for entry in ("x", 5, {}, {"id": 5}, {"id": "cf_unknown"}, {"id": "\0"})
    ),
]
each = pytest.mark.parametrize("path", TYPES)


def make_type(api: Api, path: str = "custom_object_type", **rest: Any) -> str:
    return str(api.post(f"/{path}/", TYPES[path] | rest)["id"])


def define(api: Api, path: str, type_id: str, name: str, type: str = "text", **rest: Any) -> str:
    kind, owner = FIELDS[path]
    body = {"name": name, "type": type, f"{owner}_id": type_id, **rest}
    return str(api.post(f"/custom_field/{kind}/", body)["id"])


@each
def test_a_type_is_made_changed_and_deleted(api: Api, path: str) -> None:
    answer = api("POST", f"/{path}/", TYPES[path] | {"fields": [{"id": "cf_x"}]})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/{path}/{made['id']}/"
    assert made["id"].startswith("actitype_" if path == "custom_activity" else "cotype_")
    assert (made["description"], made["api_create_only"], made["is_archived"]) == (
        None,
        False,
        False,
    )
    assert (made["editable_with_roles"], made["fields"]) == ([], [])
    assert "+" not in made["date_created"]
    assert api.get(f"/{path}/")["data"] == [made]
    changes = {"name": "New", "is_archived": True, "editable_with_roles": ["admin"]}
    changed = api.put(f"/{path}/{made['id']}/", changes)
    assert {key: changed[key] for key in changes} == changes
    assert api("DELETE", f"/{path}/{made['id']}/").status_code == 204
    assert api.get(f"/{path}/")["data"] == []


@pytest.mark.parametrize(
    ("path", "body", "problems"),
    [
        ("custom_activity", {}, {"name": "This field is required."}),
        (
            "custom_object_type",
            {},
            {"name": "This field is required.", "name_plural": "This field is required."},
        ),
        (
            "custom_activity",
            {"name": "x", "editable_with_roles": ["king"]},
            {"editable_with_roles": "Not a valid choice."},
        ),
        (
            "custom_activity",
            {"name": "x", "api_create_only": 1, "is_archived": "no"},
            {
                "api_create_only": "Value must be of bool type.",
                "is_archived": "Value must be of bool type.",
            },
        ),
    ],
)
def test_a_type_that_makes_no_sense_is_refused(
    organization: Organization, path: str, body: dict[str, Any], problems: dict[str, str]
) -> None:
    before = rows_of(organization)
    refused = organization.admin("POST", f"/{path}/", body)
    assert (refused.status_code, refused.json()["field-errors"]) == (400, problems)
    assert rows_of(organization) == before


@each
def test_a_type_shows_its_fields(api: Api, path: str) -> None:
    of_type, other = make_type(api, path), make_type(api, path)
    name = define(api, path, of_type, "Name", required=True)
    size = define(api, path, of_type, "Size", "choices", choices=["S", "M"])
    define(api, path, other, "Name")
    kind, owner = FIELDS[path]
    field = api.get(f"/custom_field/{kind}/{name}/")
    assert (field[f"{owner}_id"], field["required"]) == (of_type, True)
    fields = api.get(f"/{path}/{of_type}/")["fields"]
    assert [entry["id"] for entry in fields] == [name, size]
    wanted = ("name", "type", "required", "choices", "is_shared", "editable_with_roles")
    assert [[entry[key] for key in wanted] for entry in fields] == [
        ["Name", "text", True, None, False, []],
        ["Size", "choices", False, ["S", "M"], False, []],
    ]
    assert len(api.get(f"/custom_fields/{kind}/")["data"]) == 3


@each
def test_fields_of_a_type_keep_their_type_and_name(organization: Organization, path: str) -> None:
    api = organization.admin
    of_type, other = make_type(api, path), make_type(api, path)
    field = define(api, path, of_type, "Name")
    kind, owner = FIELDS[path]
    before = rows_of(organization)
    body = {"name": "x", "type": "number", f"{owner}_id": other}
    refused = api("PUT", f"/custom_field/{kind}/{field}/", body)
    assert refused.json()["field-errors"] == {
        "type": "Value cannot be changed.",
        owner: "Value cannot be changed.",
    }
    for body, problems in (
        ({"name": "x", "type": "text"}, {owner: "This field is required."}),
        (
            {"name": "x", "type": "text", f"{owner}_id": "type_unknown"},
            {owner: "Object does not exist."},
        ),
        (
            {"name": "Name", "type": "text", f"{owner}_id": of_type},
            {"name": "This value is already in use."},
        ),
    ):
        refused = api("POST", f"/custom_field/{kind}/", body)
        assert (refused.status_code, refused.json()["field-errors"]) == (400, problems)
    assert rows_of(organization) == before


def test_fields_of_objects_are_made_and_deleted_as_newer_resources_are(api: Api) -> None:
    body = {"name": "Name", "type": "text", "custom_object_type_id": make_type(api)}
    answer = api("POST", "/custom_field/custom_object_type/", body)
    path = f"/custom_field/custom_object_type/{answer.json()['id']}/"
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1{path}")
    assert api("DELETE", path).status_code == 204
    body = {
        "name": "Name",
        "type": "text",
        "custom_activity_type_id": make_type(api, "custom_activity"),
    }
    answer = api("POST", "/custom_field/activity/", body)
    assert answer.status_code == 200
    deleted = api("DELETE", f"/custom_field/activity/{answer.json()['id']}/")
    assert (deleted.status_code, deleted.json()) == (200, {})


def test_an_update_of_an_activity_type_puts_its_fields_in_order(api: Api) -> None:
    path, of_type = "custom_activity", make_type(api, "custom_activity")
    ids = [define(api, path, of_type, name) for name in ("One", "Two", "Three")]

    def after(*listed: Any) -> list[str]:
        changed = api.put(f"/custom_activity/{of_type}/", {"fields": list(listed)})
        assert api.get(f"/custom_activity/{of_type}/") == changed
        return [field["id"] for field in changed["fields"]]

    assert after({"id": ids[2]}, {"id": ids[0]}) == [ids[2], ids[0], ids[1]]
    assert after() == [ids[2], ids[0], ids[1]]
    before = api.get(f"/custom_activity/{of_type}/")
    for wrong, problem in WRONG_ORDERS:
        refused = api("PUT", f"/custom_activity/{of_type}/", {"name": "x", "fields": wrong})
        assert (refused.status_code, refused.json()["field-errors"]) == (400, {"fields": problem})
    assert api.get(f"/custom_activity/{of_type}/") == before


def test_the_fields_of_an_object_type_are_ordered_by_the_schema_alone(api: Api) -> None:
    of_type = make_type(api)
    ids = [define(api, "custom_object_type", of_type, name) for name in ("One", "Two")]
    listed = {"fields": [{"id": ids[1]}]}
    assert [f["id"] for f in api.put(f"/custom_object_type/{of_type}/", listed)["fields"]] == ids
    path = f"/custom_field_schema/custom_object/{of_type}/"
    assert [field["id"] for field in api.put(path, listed)["fields"]] == ids[::-1]
    kept = api.get(f"/custom_object_type/{of_type}/")
    assert [field["id"] for field in kept["fields"]] == ids[::-1]


@pytest.mark.parametrize(
    ("word", "path"), [("activity", "custom_activity"), ("custom_object", "custom_object_type")]
)
def test_a_type_has_a_schema(organization: Organization, word: str, path: str) -> None:
    api, of_type = organization.admin, make_type(organization.admin, path)
    ids = [define(api, path, of_type, name) for name in ("One", "Two")]
    address = f"/custom_field_schema/{word}/{of_type}/"
    schema = api.get(address)
    assert (schema["name"], schema["object_type"]) == (TYPES[path]["name"], word)
    assert schema[f"{FIELDS[path][1]}_id"] == of_type
    ordered = api.put(address, {"fields": [{"id": ids[1]}]})
    assert [field["id"] for field in ordered["fields"]] == ids[::-1]
    before = rows_of(organization)
    user = organization.member("user")
    assert user.get(address) == ordered
    before = rows_of(organization)
    assert user("PUT", address, {"fields": [{"id": ids[0]}]}).status_code == 403
    for wrong in ("actitype_none", "%00", "a/b"):
        assert api("GET", f"/custom_field_schema/{word}/{wrong}/").status_code == 404
        assert (
            api("PUT", f"/custom_field_schema/{word}/{wrong}/", {"fields": []}).status_code == 404
        )
    for order, problem in WRONG_ORDERS:
        refused = api("PUT", address, {"fields": order})
        assert (refused.status_code, refused.json()["field-errors"]) == (400, {"fields": problem})
    for nothing in ({}, {"fields": None}):
        assert api.put(address, nothing) == ordered
    assert rows_of(organization) == before
    assert api("GET", f"/custom_field_schema/{word}/").status_code == 404


def test_a_type_tells_which_fields_refer_to_its_objects(api: Api) -> None:
    vessel, harbour = make_type(api), make_type(api, name="Harbour")
    body: dict[str, Any] = {
        "name": "Vessels",
        "type": "custom_object",
        "referenced_custom_type_id": vessel,
        "accepts_multiple_values": True,
        "back_reference_is_visible": True,
    }
    ids = [
        api.post("/custom_field/lead/", body)["id"],
        define(api, "custom_object_type", harbour, **body),
        api.post("/custom_field/shared/", body)["id"],
    ]
    found = api.get(f"/custom_object_type/{vessel}/")["back_reference_fields"]
    assert [entry["id"] for entry in found] == ids
    assert {entry["referenced_custom_type_id"] for entry in found} == {vessel}
    assert [entry["is_shared"] for entry in found] == [False, False, True]
    assert api.get(f"/custom_object_type/{harbour}/")["back_reference_fields"] == []


@pytest.mark.parametrize(
    ("type_id", "problem"),
    [(None, "This field is required."), ("cotype_none", "Object does not exist.")],
)
def test_a_field_of_objects_names_their_type(
    organization: Organization, type_id: str | None, problem: str
) -> None:
    before = rows_of(organization)
    body = {"name": "x", "type": "custom_object", "referenced_custom_type_id": type_id}
    refused = organization.admin("POST", "/custom_field/lead/", body)
    assert refused.json()["field-errors"] == {"referenced_custom_type": problem}
    assert rows_of(organization) == before


def test_a_type_that_goes_takes_its_fields_and_objects_along(api: Api) -> None:
    of_type, other = make_type(api), make_type(api)
    field = define(api, "custom_object_type", of_type, "Name")
    referring = define(
        api,
        "custom_object_type",
        other,
        "Vessel",
        "custom_object",
        referenced_custom_type_id=of_type,
    )
    shared = api.post("/custom_field/shared/", {"name": "Owner", "type": "text"})["id"]
    for object_type, body in (
        ("lead", {}),
        ("custom_object_type", {"custom_object_type_id": of_type}),
    ):
        body = {"object_type": object_type, **body}
        api.post(f"/custom_field/shared/{shared}/association/", body)
    lead = api.post("/lead/", {"name": "Harbour Tools"})["id"]
    body = {
        "lead_id": lead,
        "name": "Anna",
        "custom_object_type_id": of_type,
        f"custom.{field}": "x",
    }
    vessel = api.post("/custom_object/", body)["id"]
    assert api("DELETE", f"/custom_object_type/{of_type}/").status_code == 204
    for path in (
        f"/custom_object/{vessel}/",
        f"/custom_field/custom_object_type/{field}/",
        f"/custom_field/custom_object_type/{referring}/",
    ):
        assert api("GET", path).status_code == 404
    left = api.get(f"/custom_field/shared/{shared}/")["associations"]
    assert [entry["object_type"] for entry in left] == ["lead"]


@each
def test_types_are_for_who_may_customize(organization: Organization, path: str) -> None:
    user, of_type = organization.member("user"), make_type(organization.admin, path)
    before = rows_of(organization)
    assert user("POST", f"/{path}/", TYPES[path]).status_code == 403
    assert user("PUT", f"/{path}/{of_type}/", {"name": "x"}).status_code == 403
    assert user("DELETE", f"/{path}/{of_type}/").status_code == 403
    assert rows_of(organization) == before
    assert user.get(f"/{path}/{of_type}/")["name"] == TYPES[path]["name"]


def test_events_name_types_and_fields_in_the_words_of_the_api(api: Api) -> None:
    activity, vessel = make_type(api, "custom_activity"), make_type(api)
    fields = [
        define(api, "custom_activity", activity, "A"),
        define(api, "custom_object_type", vessel, "B"),
        api.post("/custom_field/shared/", {"name": "C", "type": "text"})["id"],
    ]
    told = {event["object_id"]: event["object_type"] for event in api.get("/event/")["data"]}
    assert [told[id] for id in (activity, vessel, *fields)] == [
        "custom_activity_type",
        "custom_object_type",
        "custom_fields.activity",
        "custom_fields.custom_object",
        "custom_fields.shared",
    ]
