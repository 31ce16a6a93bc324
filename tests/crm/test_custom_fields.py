"""Custom fields over HTTP: their definitions, and the values that objects have in them."""

from typing import Any

import pytest
from harness import Api, Organization


def define(api: Api, type: str, name: str = "Field", kind: str = "lead", **rest: Any) -> str:
    made = api.post(f"/custom_field/{kind}/", {"name": name, "type": type, **rest})
    assert made["id"].startswith("cf_")
    return str(made["id"])


def test_a_definition_is_made_changed_and_deleted(api: Api) -> None:
    made = api.post(
        "/custom_field/lead/",
        {"name": "Industry", "type": "choices", "choices": ["IT", "Cars", "IT"]},
    )
    assert made["choices"] == ["IT", "Cars"]
    assert (made["accepts_multiple_values"], made["is_shared"]) == (False, False)
    assert (made["editable_with_roles"], made["description"]) == ([], None)
    for path in ("/custom_field/lead/", "/custom_fields/lead/"):
        assert api.get(path)["data"] == [made]
    assert api.get("/custom_field/contact/")["data"] == []
    changed = api.put(f"/custom_fields/lead/{made['id']}/", {"name": "Trade"})
    assert (changed["name"], changed["choices"]) == ("Trade", ["IT", "Cars"])
    api.delete(f"/custom_field/lead/{made['id']}/")
    assert api.get("/custom_field/lead/")["data"] == []


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({"name": "x"}, {"type": "This field is required."}),
        ({"name": "x", "type": "dropdown"}, {"type": "Not a valid choice."}),
        ({"name": "x", "type": "choices"}, {"choices": "This field is required."}),
        (
            {"name": "x", "type": "text", "accepts_multiple_values": True},
            {"accepts_multiple_values": "This type has one value only."},
        ),
        ({"name": "Taken", "type": "text"}, {"name": "This value is already in use."}),
        (
            {"name": "x", "type": "text", "editable_with_roles": ["king"]},
            {"editable_with_roles": "Not a valid choice."},
        ),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(
    api: Api, body: dict[str, Any], problems: dict[str, str]
) -> None:
    define(api, "text", "Taken")
    refused = api("POST", "/custom_field/lead/", body)
    assert (refused.status_code, refused.json()["field-errors"]) == (400, problems)
    assert len(api.get("/custom_field/lead/")["data"]) == 1


@pytest.mark.parametrize(
    ("type", "sent", "stored"),
    [
        ("text", "Trade fair", "Trade fair"),
        ("hidden", "x", "x"),
        ("number", 12.5, 12.5),
        ("number", "12", 12),
        ("date", "2026-03-05", "2026-03-05"),
        ("date", "2026-03-05T23:30:00-08:00", "2026-03-05"),
        ("datetime", "2026-06-27T22:00:00-08:00", "2026-06-28T06:00:00+00:00"),
        ("choices", "IT", "IT"),
        ("choices", " IT ", "IT"),
        ("user", "Sam Reed", "ME"),
        ("user", "ME", "ME"),
    ],
)
def test_values_of_every_type_are_kept(api: Api, type: str, sent: Any, stored: Any) -> None:
    field = define(api, type, "Some Field", choices=["IT"] if type == "choices" else None)
    sent, stored = (api.user_id if value == "ME" else value for value in (sent, stored))
    lead = api.post("/lead/", {f"custom.{field}": sent})
    assert lead[f"custom.{field}"] == stored
    assert lead["custom"] == {"Some Field": stored}
    assert api.get(f"/lead/{lead['id']}/") == lead
    cleared = api.put(f"/lead/{lead['id']}/", {f"custom.{field}": None})
    assert f"custom.{field}" not in cleared
    assert cleared["custom"] == {}


@pytest.mark.parametrize(
    ("type", "sent", "problem"),
    [
        ("text", 1, "Value must be of str type."),
        ("text", {"a": 1}, "Value must be of str type."),
        ("number", "many", "Value must be of int or float type."),
        ("number", True, "Value must be of int or float type."),
        ("date", "soon", "Invalid ISO 8601 datetime."),
        ("date", "2026-03-05, if all goes well", "Invalid ISO 8601 datetime."),
        ("date", "2026-03-05T25:00:00Z", "Invalid ISO 8601 datetime."),
        ("datetime", "soon", "Invalid ISO 8601 datetime."),
        ("choices", "Boats", "Not a valid choice."),
        ("user", "Nobody Atall", "Object does not exist."),
        ("contact", "cont_none", "Object does not exist."),
    ],
)
def test_values_of_another_type_are_refused(api: Api, type: str, sent: Any, problem: str) -> None:
    field = define(api, type, choices=["IT"] if type == "choices" else None)
    lead = api.post("/lead/", {"name": "Harbour Tools"})
    refused = api("PUT", f"/lead/{lead['id']}/", {"name": "x", f"custom.{field}": sent})
    assert refused.json()["field-errors"] == {f"custom.{field}": problem}
    assert api.get(f"/lead/{lead['id']}/") == lead


def test_a_mistake_of_a_nested_object_is_told_in_its_place(api: Api) -> None:
    field = define(api, "number", kind="contact")
    contacts = [{"name": "Ada"}, {"name": "Bo", f"custom.{field}": "many"}]
    refused = api("POST", "/lead/", {"name": "Harbour", "contacts": contacts})
    problem = {f"custom.{field}": "Value must be of int or float type."}
    of_second = {"1": {"errors": [], "field-errors": problem}}
    assert refused.status_code == 400
    assert refused.json() == {"errors": [], "field-errors": {"contacts": {"errors": of_second}}}
    assert api.get("/lead/")["data"] == []


def test_fields_are_also_known_by_name(api: Api) -> None:
    field = define(api, "text", "Lead Source")
    lead = api.post("/lead/", {"custom": {"Lead Source": "fair"}})
    assert lead[f"custom.{field}"] == "fair"
    path = f"/lead/{lead['id']}/"
    assert api.put(path, {"custom.Lead Source": "web"})["custom"] == {"Lead Source": "web"}
    assert api.put(path, {"custom": {}})["custom"] == {"Lead Source": "web"}
    refused = api("PUT", path, {"custom.Unknown": "x", "custom": {"Other": 1}})
    assert refused.json()["field-errors"] == {
        "custom.Unknown": "Unknown custom field.",
        "custom.Other": "Unknown custom field.",
    }
    whole = api.get(path)
    assert api.put(path, whole)["custom"] == {"Lead Source": "web"}


def test_lists_are_replaced_added_to_and_taken_from(api: Api) -> None:
    field = define(api, "choices", "Tags", choices=["a", "b", "c"], accepts_multiple_values=True)
    lead = api.post("/lead/", {f"custom.{field}": "a"})
    assert lead[f"custom.{field}"] == ["a"]
    path = f"/lead/{lead['id']}/"

    def after(**change: Any) -> Any:
        body = {f"custom.{field}{key}": value for key, value in change.items()}
        return api.put(path, body).get(f"custom.{field}")

    assert after(**{".add": "b"}) == ["a", "b"]
    assert after(**{".add": "b"}) == ["a", "b"]
    assert after(**{".remove": "a"}) == ["b"]
    assert after(**{".remove": "c"}) == ["b"]
    assert after(**{"": ["c", "a"]}) == ["c", "a"]
    assert after(**{".remove": ["c", "a"]}) is None
    refused = api("PUT", path, {f"custom.{field}.add": "z"})
    assert refused.json()["field-errors"] == {f"custom.{field}.add": "Not a valid choice."}
    assert after(**{"": ["c", "a"]}) == ["c", "a"]
    assert after(**{".remove": ["z", "c"]}) == ["a"]
    refused = api("PUT", path, {f"custom.{field}.remove": {"a": 1}})
    problem = {f"custom.{field}.remove": "Value must be of str type."}
    assert refused.json()["field-errors"] == problem
    assert after() == ["a"]


def test_a_list_has_so_many_values_and_no_more(api: Api) -> None:
    choices = [f"c{number}" for number in range(1000)]
    field = define(api, "choices", choices=choices, accepts_multiple_values=True)
    path = f"/lead/{api.post('/lead/', {f'custom.{field}': choices})['id']}/"
    before = api.get(path)
    assert before[f"custom.{field}"] == choices
    for verb in ("", ".add", ".remove"):
        key = f"custom.{field}{verb}"
        refused = api("PUT", path, {"name": "x", key: ["c999"] * 1001})
        assert refused.json()["field-errors"] == {key: "List is too long."}
        assert api.get(path) == before
    api.put(f"/custom_field/lead/{field}/", {"choices": [*choices[1:], "new"]})
    refused = api("PUT", path, {f"custom.{field}.add": "new"})
    assert refused.json()["field-errors"] == {f"custom.{field}.add": "List is too long."}
    assert api.get(path) == before


def test_users_in_a_list_are_known_by_id_and_by_name(organization: Organization) -> None:
    api, rep = organization.admin, organization.member("user")
    field = f"custom.{define(api, 'user', 'Team', accepts_multiple_values=True)}"
    path = f"/lead/{api.post('/lead/', {field: 'Ada Moss'})['id']}/"

    def after(value: Any, verb: str = "") -> Any:
        return api.put(path, {f"{field}{verb}": value}).get(field)

    assert after(rep.user_id, ".add") == after("Ada Moss", ".add") == [rep.user_id]
    both = [rep.user_id, api.user_id]
    assert after(["Ada Moss", rep.user_id, "Sam Reed", api.user_id, "Ada Moss"]) == both
    assert after("Nobody Atall", ".remove") == both
    assert after("Ada Moss", ".remove") == [api.user_id]
    refused = api("PUT", path, {f"{field}.add": "Nobody Atall"})
    assert refused.json()["field-errors"] == {f"{field}.add": "Object does not exist."}


def test_a_contact_value_is_one_of_the_same_lead(api: Api) -> None:
    field = define(api, "contact", "Decider", "opportunity")
    lead = api.post("/lead/", {"contacts": [{"name": "Ada"}]})
    other = api.post("/contact/", {"name": "Bo"})
    body = {"lead_id": lead["id"], f"custom.{field}": lead["contact_ids"][0]}
    deal = api.post("/opportunity/", body)
    assert deal[f"custom.{field}"] == lead["contact_ids"][0]
    refused = api("PUT", f"/opportunity/{deal['id']}/", {f"custom.{field}": other["id"]})
    assert refused.json()["field-errors"] == {f"custom.{field}": "Object does not exist."}
    assert api.get(f"/opportunity/{deal['id']}/") == deal


def test_contacts_inside_a_lead_have_theirs(api: Api) -> None:
    field = define(api, "text", "Nickname", "contact")
    lead = api.post("/lead/", {"contacts": [{"name": "Ada", f"custom.{field}": "Addie"}]})
    assert lead["contacts"][0][f"custom.{field}"] == "Addie"
    bad = api("POST", "/lead/", {"contacts": [{"name": "Ada"}, {f"custom.{field}": 1}]})
    assert bad.status_code == 400


def test_the_fields_to_answer_are_named_one_by_one(api: Api) -> None:
    one, two = define(api, "text", "One"), define(api, "text", "Two")
    lead = api.post("/lead/", {"name": "x", f"custom.{one}": "1", f"custom.{two}": "2"})
    path = f"/lead/{lead['id']}/"
    assert api.get(path, _fields=f"id,custom.{two}") == {"id": lead["id"], f"custom.{two}": "2"}
    assert api.get(path, _fields=f"custom.{one}") == {f"custom.{one}": "1"}
    assert api.get(path, _fields="custom") == {
        f"custom.{one}": "1",
        f"custom.{two}": "2",
        "custom": {"One": "1", "Two": "2"},
    }
    assert api.get("/lead/", _fields="name")["data"] == [{"name": "x"}]


def test_only_some_roles_may_change_a_value(organization: Organization) -> None:
    admin, user = organization.admin, organization.member("user")
    field = define(admin, "text", editable_with_roles=["admin"])
    lead = admin.post("/lead/", {f"custom.{field}": "kept"})
    path = f"/lead/{lead['id']}/"
    refused = user("PUT", path, {f"custom.{field}": "changed"})
    assert refused.json()["field-errors"] == {
        f"custom.{field}": "You do not have permission to change this field."
    }
    assert user.put(path, {f"custom.{field}": "kept", "name": "x"})["name"] == "x"
    assert admin.get(path)[f"custom.{field}"] == "kept"
    assert user("POST", "/custom_field/lead/", {"name": "x", "type": "text"}).status_code == 403


def test_a_deleted_field_leaves_the_answers_at_once(api: Api) -> None:
    field = define(api, "text", "Gone")
    lead = api.post("/lead/", {"name": "x", f"custom.{field}": "1"})
    api.delete(f"/custom_field/lead/{field}/")
    after = api.get(f"/lead/{lead['id']}/")
    assert (after["custom"], f"custom.{field}" in after) == ({}, False)


def test_a_renamed_field_is_renamed_everywhere(api: Api) -> None:
    field = define(api, "text", "Old")
    lead = api.post("/lead/", {f"custom.{field}": "1"})
    api.put(f"/custom_field/lead/{field}/", {"name": "New"})
    assert api.get(f"/lead/{lead['id']}/")["custom"] == {"New": "1"}


def test_the_schema_lists_and_orders_the_fields(api: Api) -> None:
    ids = [define(api, "text", name) for name in ("One", "Two", "Three")]
    schema = api.get("/custom_field_schema/lead/")
    assert (schema["name"], schema["object_type"]) == ("Lead", "lead")
    assert [field["id"] for field in schema["fields"]] == ids
    body = {"fields": [{"id": ids[2]}, {"id": ids[0]}]}
    ordered = api.put("/custom_field_schema/lead/", body)
    assert [field["id"] for field in ordered["fields"]] == [ids[2], ids[0], ids[1]]
    assert api.get("/custom_field_schema/lead/") == ordered
    api.put("/custom_field_schema/lead/", {"fields": [{"id": ids[1]}]}, _dry_run="true")
    assert api.get("/custom_field_schema/lead/") == ordered
    assert api("GET", "/custom_field_schema/boat/").status_code == 404
    for wrong, problem in (
        ("x", "Value must be of list type."),
        *(([entry], "Object does not exist.") for entry in ("x", {}, {"id": "cf_unknown"})),
    ):
        refused = api("PUT", "/custom_field_schema/lead/", {"fields": wrong})
        assert (refused.status_code, refused.json()["field-errors"]) == (400, {"fields": problem})
    for nothing in ({}, {"fields": None}):
        assert api.put("/custom_field_schema/lead/", nothing) == ordered
    assert api.get("/custom_field_schema/lead/") == ordered


def test_events_name_the_values_that_changed(organization: Organization) -> None:
    api = organization.admin
    one, two = define(api, "text", "One"), define(api, "text", "Two")
    lead = api.post("/lead/", {f"custom.{one}": "1", f"custom.{two}": "2"})
    api.put(f"/lead/{lead['id']}/", {f"custom.{one}": "changed"})

    async def changed() -> Any:
        async with organization.program.store.reading(organization.system) as transaction:
            return await transaction.value(
                "select changed from event where organization_id = $1 and object_id = $2"
                " order by seq desc limit 1",
                organization.system.organization_id,
                lead["id"],
            )

    assert organization.program.run(changed()) == [f"custom.{one}", "date_updated"]
