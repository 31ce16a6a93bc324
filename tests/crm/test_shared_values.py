"""Values of shared fields that are changed or taken away: what becomes of them in store, and that
searching finds them where the objects have the field."""

import json
from typing import Any

import pytest
from crm.test_custom_values import ask, events, forget_cursor, measured, run, stored
from harness import TEST, Api, Organization, make_organization

from clinch.crm.leads import Lead
from clinch.resources.write.change import Change

KINDS = ("lead", "contact", "opportunity", "account")


def share(api: Api, *places: str, **rest: Any) -> str:
    """A shared field with associations at these places: a kind, or a kind of types and an id."""
    made = api.post("/custom_field/shared/", {"name": "Tier", "type": "number", **rest})
    for place in places:
        associate(api, made["id"], place)
    return str(made["id"])


def associate(api: Api, field: str, place: str, **rest: Any) -> None:
    object_type, _, type_id = place.partition("/")
    body = {"object_type": object_type, f"{object_type}_id": type_id or None, **rest}
    api.post(f"/custom_field/shared/{field}/association/", body)


def part(api: Api, field: str, place: str) -> None:
    api.delete(f"/custom_field/shared/{field}/association/{place}/")


def make_each(api: Api, custom: dict[str, Any]) -> dict[str, str]:
    """One object of each kind, with these values: their ids."""
    bodies = {kind: {"name": "Acme", **custom} for kind in KINDS} | {"opportunity": custom}
    return {kind: api.post(f"/{kind}/", bodies[kind])["id"] for kind in KINDS}


def make_vessels(api: Api, *fields: str) -> tuple[str, str]:
    """A type of custom objects that has the shared fields, and a lead for its objects."""
    type_id = str(api.post("/custom_object_type/", {"name": "V", "name_plural": "Vs"})["id"])
    for field in fields:
        associate(api, field, f"custom_object_type/{type_id}")
    return type_id, str(api.post("/lead/", {"name": "Harbour"})["id"])


def make_vessel(api: Api, type_id: str, lead: str, **custom: Any) -> str:
    body = {"lead_id": lead, "custom_object_type_id": type_id, "name": "Anna", **custom}
    return str(api.post("/custom_object/", body)["id"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_associated_any_more_loses_its_values(
    organization: Organization, kind: str
) -> None:
    api = organization.admin
    field, kept = share(api, *KINDS), share(api, *KINDS, name="Kept")
    ids = make_each(api, {f"custom.{field}": 1, f"custom.{kept}": 2})
    part(api, field, kind)
    assert stored(organization, ids[kind], kind) == {field: 1, kept: 2}
    run(organization)
    for one, id in ids.items():
        values = {kept: 2} if one == kind else {field: 1, kept: 2}
        assert stored(organization, id, one) == values
    assert measured(organization) == 7
    associate(api, field, kind)
    assert api.get(f"/{kind}/{ids[kind]}/")["custom"] == {"Kept": 2}


def test_objects_of_a_type_lose_them_and_those_of_another_do_not(
    organization: Organization,
) -> None:
    api = organization.admin
    field = share(api)
    one, lead = make_vessels(api, field)
    two, _ = make_vessels(api, field)
    vessels = [make_vessel(api, type_id, lead, **{f"custom.{field}": 7}) for type_id in (one, two)]
    part(api, field, f"custom_object_type/{one}")
    run(organization)
    assert [stored(organization, id, "custom_object") for id in vessels] == [{}, {field: 7}]


def test_a_deleted_field_leaves_nothing_anywhere(organization: Organization) -> None:
    api = organization.admin
    field = share(api, *KINDS)
    ids = make_each(api, {f"custom.{field}": 1})
    type_id, lead = make_vessels(api, field)
    vessel = make_vessel(api, type_id, lead, **{f"custom.{field}": 7})
    api.delete(f"/custom_field/shared/{field}/")
    run(organization)
    assert [stored(organization, id, kind) for kind, id in ids.items()] == [{}] * 4
    assert stored(organization, vessel, "custom_object") == {}
    assert measured(organization) == 0


def test_the_log_tells_of_it_once_and_why(organization: Organization) -> None:
    api = organization.admin
    field = share(api, "lead", "contact")
    lead = api.post("/lead/", {f"custom.{field}": 1})["id"]
    part(api, field, "lead")
    run(organization)
    sql = (
        "select json_build_array(user_id, source, reason, changed) from event"
        " where organization_id = $1 and object_id = $2 order by seq desc limit 1"
    )
    assert json.loads(ask(organization, sql, lead)) == [
        None,
        "custom_field",
        "the shared field was taken from these objects",
        [f"custom.{field}", "date_updated"],
    ]
    count = events(organization)
    forget_cursor(organization)
    run(organization)
    assert events(organization) == count


def test_many_lose_them_in_batches(organization: Organization) -> None:
    api, program, actor = organization.admin, organization.program, organization.actor()
    field = share(api, "lead")
    many = [Change.create(Lead, {f"custom.{field}": number}) for number in range(250)]
    program.run(program.store.write(actor, many, TEST, answer=False))
    assert measured(organization) == 250
    part(api, field, "lead")
    run(organization)
    assert measured(organization) == 0
    left = "select count(*) from lead where organization_id = $1 and custom <> '{}'"
    assert ask(organization, left) == 0


def test_values_stay_where_the_field_was_given_back_before(organization: Organization) -> None:
    api = organization.admin
    field = share(api, "lead")
    lead = api.post("/lead/", {f"custom.{field}": 1})["id"]
    part(api, field, "lead")
    associate(api, field, "lead")
    run(organization)
    assert stored(organization, lead) == {field: 1}


def test_a_choice_that_is_gone_takes_shared_values_with_it(organization: Organization) -> None:
    api = organization.admin
    field = share(api, "lead", type="choices", choices=["a", "b"])
    type_id, lead = make_vessels(api)
    associate(api, field, f"custom_object_type/{type_id}", required=True)
    leads = [api.post("/lead/", {f"custom.{field}": choice})["id"] for choice in "ab"]
    vessel = make_vessel(api, type_id, lead, **{f"custom.{field}": "a"})
    api.put(f"/custom_field/shared/{field}/", {"choices": ["b", "c"]})
    run(organization)
    assert [stored(organization, id) for id in leads] == [{}, {field: "b"}]
    # That it must have a value does not keep one that is no choice.
    assert stored(organization, vessel, "custom_object") == {}


def found(api: Api, kind: str, query: str) -> list[str]:
    return [row["id"] for row in api.get(f"/{kind}/", query=query)["data"]]


@pytest.mark.parametrize("kind", ["lead", "contact", "opportunity"])
def test_what_has_the_field_is_found_by_it(organization: Organization, kind: str) -> None:
    api = organization.admin
    field = share(api, "lead", "contact", "opportunity", name="Tier")
    ids = [make_one(api, kind, {f"custom.{field}": number}) for number in (3, 9)]
    for query in ("Tier > 5", "tier:9", f"custom.{field}:9", "custom.Tier >= 9"):
        assert found(api, kind, query) == [ids[1]]
    assert set(found(api, kind, "has:Tier")) == set(ids)


def make_one(api: Api, kind: str, custom: dict[str, Any]) -> str:
    return str(api.post(f"/{kind}/", {"name": "x", **custom})["id"])


def test_what_has_it_not_knows_no_such_name(organization: Organization) -> None:
    api = organization.admin
    field = share(api, "contact")
    api.post("/lead/", {"name": "x", "contacts": [{"name": "Ada", f"custom.{field}": 9}]})
    for name in ("Tier", f"custom.{field}"):
        answer = api("GET", "/lead/", query=f"{name}:9")
        assert (answer.status_code, name in answer.text) == (400, True)
    assert len(found(api, "lead", "contact(Tier:9)")) == 1
    part(api, field, "contact")
    assert api("GET", "/contact/", query="Tier:9").status_code == 400


def test_a_field_of_another_organization_is_not_known(
    organization: Organization,
) -> None:
    share(make_organization(organization.program, "Quay Sales").admin, "lead")
    assert organization.admin("GET", "/lead/", query="Tier:9").status_code == 400
