"""Custom activities over HTTP: what happened with a lead, with the fields of its type."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from crm.activities.test_activities import BASE, types
from crm.test_custom_values import ask, run, stored, until_one_waits
from harness import TEST, Api, Organization, make_organization, rows_of

from clinch.crm.activities.custom_activities import CustomActivity
from clinch.crm.custom_types import CustomActivityType
from clinch.resources.write.change import Change

REQUIRED = "This field is required."
URL = "/activity/custom/"


@dataclass
class Visits:
    """A type with three fields, of which the first is required, and a lead that is visited."""

    organization: Organization
    type_id: str
    place: str
    berths: str
    report: str
    lead: str

    @property
    def api(self) -> Api:
        return self.organization.admin

    def bare(self, **rest: Any) -> dict[str, Any]:
        """An activity without values."""
        return {"lead_id": self.lead, "custom_activity_type_id": self.type_id} | rest

    def body(self, **rest: Any) -> dict[str, Any]:
        return self.bare(**{f"custom.{self.place}": "North"} | rest)

    def make(self, **rest: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.api.post(URL, self.body(**rest))
        return made

    def refused(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """The problems of a request that is refused, and changes nothing."""
        before = rows_of(self.organization)
        answer = self.api(method, path, body)
        assert answer.status_code == 400, answer.text
        assert rows_of(self.organization) == before
        return answer.json()["field-errors"]


def make_type(api: Api, name: str = "Visit", **rest: Any) -> str:
    return str(api.post("/custom_activity/", {"name": name, **rest})["id"])


def define(api: Api, type_id: str, name: str, type: str, **rest: Any) -> str:
    body = {"name": name, "type": type, "custom_activity_type_id": type_id, **rest}
    return str(api.post("/custom_field/activity/", body)["id"])


@pytest.fixture
def visits(organization: Organization) -> Visits:
    api = organization.admin
    type_id = make_type(api)
    return Visits(
        organization,
        type_id,
        define(api, type_id, "Place", "choices", choices=["North", "South"], required=True),
        define(api, type_id, "Berths", "number"),
        define(api, type_id, "Report", "textarea"),
        api.post("/lead/", {"name": "Harbour Tools", "contacts": [{"name": "Bo"}]})["id"],
    )


def test_an_activity_is_made_changed_and_deleted(visits: Visits) -> None:
    api, place, berths = visits.api, f"custom.{visits.place}", f"custom.{visits.berths}"
    made = visits.make(**{berths: 3})
    own = {
        "_type": "CustomActivity",
        "lead_id": visits.lead,
        "contact_id": None,
        "user_id": api.user_id,
        "user_name": "Sam Reed",
        "users": [],
        "activity_at": made["date_created"],
        "custom_activity_type_id": visits.type_id,
        "status": "published",
        "last_published_at": made["date_created"],
        "pinned": False,
        "pinned_at": None,
        "mentions": [],
        "mentions_updated_at": None,
        "source": "api",
        place: "North",
        berths: 3,
    }
    assert made.keys() == BASE | own.keys()
    assert made | own == made
    path = f"{URL}{made['id']}/"
    assert api.get(path) == made
    body = {berths: None, "pinned": True, "activity_at": "2026-03-01T09:00:00Z"}
    changed = api.put(path, body | {"lead_id": "lead_x", "custom_activity_type_id": "actitype_x"})
    assert (changed["pinned"], changed["pinned_at"]) == (True, changed["date_updated"])
    assert changed["activity_at"] == "2026-03-01T09:00:00.000000+00:00"
    assert (changed["lead_id"], changed["custom_activity_type_id"]) == (
        visits.lead,
        visits.type_id,
    )
    assert berths not in changed
    assert api.get(path) == changed
    deleted = api("DELETE", path)
    assert (deleted.status_code, deleted.json()) == (200, {})
    assert api("GET", path).status_code == 404


def test_values_are_named_by_id_or_name_and_added_to(visits: Visits) -> None:
    api = visits.api
    many = define(
        api, visits.type_id, "Seen", "choices", choices=["a", "b"], accepts_multiple_values=True
    )
    made = api.post(URL, visits.bare() | {"custom.Place": "South", "custom": {"Berths": 2}})
    assert (made[f"custom.{visits.place}"], made[f"custom.{visits.berths}"]) == ("South", 2)
    path = f"{URL}{made['id']}/"
    assert api.put(path, {f"custom.{many}": "a"})[f"custom.{many}"] == ["a"]
    assert api.put(path, {f"custom.{many}.add": "b"})[f"custom.{many}"] == ["a", "b"]
    assert api.put(path, {f"custom.{many}.remove": "a"})[f"custom.{many}"] == ["b"]
    assert visits.refused("PUT", path, {f"custom.{visits.place}": "West"}) == {
        f"custom.{visits.place}": "Not a valid choice."
    }
    assert visits.refused("PUT", path, {"custom.cf_none": 1}) == {
        "custom.cf_none": "Unknown custom field."
    }
    assert api.get(path, _fields=f"id,custom.{many}") == {
        "id": made["id"],
        f"custom.{many}": ["b"],
    }


def test_a_draft_may_lack_what_is_required_until_it_is_published(visits: Visits) -> None:
    api, place = visits.api, f"custom.{visits.place}"
    assert visits.refused("POST", URL, visits.bare()) == {place: REQUIRED}
    draft = api.post(URL, visits.bare(status="draft"))
    assert (draft["status"], draft["last_published_at"]) == ("draft", None)
    path = f"{URL}{draft['id']}/"
    assert api.put(path, {f"custom.{visits.berths}": 4})["status"] == "draft"
    assert visits.refused("PUT", path, {"status": "published"}) == {place: REQUIRED}
    published = api.put(path, {"status": "published", place: "South"})
    assert published["last_published_at"] == published["date_updated"]
    assert visits.refused("PUT", path, {place: None}) == {place: REQUIRED}
    again = api.put(path, {f"custom.{visits.berths}": 5})
    assert again["last_published_at"] == published["last_published_at"]
    back = api.put(path, {"status": "draft", place: None})
    assert (back["status"], place in back) == ("draft", False)
    assert back["last_published_at"] == published["last_published_at"]
    assert visits.refused("PUT", path, {"status": "gone"}) == {"status": "Not a valid choice."}


def test_what_was_published_before_a_field_was_required_can_be_changed(visits: Visits) -> None:
    made = visits.make()
    later = define(visits.api, visits.type_id, "Weather", "text", required=True)
    path = f"{URL}{made['id']}/"
    assert visits.api.put(path, {f"custom.{visits.berths}": 1})["status"] == "published"
    visits.api.put(path, {"status": "draft"})
    assert visits.refused("PUT", path, {"status": "published"}) == {f"custom.{later}": REQUIRED}


def test_an_activity_needs_a_lead_and_a_type(visits: Visits) -> None:
    assert visits.refused("POST", URL, {}) == {
        "lead": REQUIRED,
        "custom_activity_type": REQUIRED,
    }
    unknown = {"lead_id": "lead_x", "custom_activity_type_id": "actitype_x"}
    assert visits.refused("POST", URL, unknown) == {
        "lead": "Object does not exist.",
        "custom_activity_type": "Object does not exist.",
    }


def test_an_activity_has_the_fields_of_its_type_alone(visits: Visits) -> None:
    other = make_type(visits.api, "Tasting")
    body = {"lead_id": visits.lead, "custom_activity_type_id": other}
    key = f"custom.{visits.place}"
    assert visits.refused("POST", URL, body | {key: "North"}) == {key: "Unknown custom field."}
    assert visits.api.post(URL, body)["custom_activity_type_id"] == other


def test_they_are_listed_by_type_for_one_lead(visits: Visits) -> None:
    api, other = visits.api, make_type(visits.api, "Tasting")
    visit = visits.make(**{f"custom.{visits.berths}": 3})
    tasting = api.post(URL, {"lead_id": visits.lead, "custom_activity_type_id": other})
    assert api.get(URL)["data"] == [tasting, visit]
    assert api.get(URL, lead_id="lead_x")["data"] == []
    for word, ids in ((other, [tasting["id"]]), ("Note", [])):
        assert [entry["id"] for entry in api.get(URL, _type=word)["data"]] == ids
    by_type = {"custom_activity_type_id": visits.type_id}
    assert api.get(URL, lead_id=visits.lead, **by_type)["data"] == [visit]
    both = f"{visits.type_id},{other}"
    found = api.get(URL, lead_id=visits.lead, custom_activity_type_id__in=both)
    assert found["data"] == [tasting, visit]
    for name in ("custom_activity_type_id", "custom_activity_type_id__in"):
        refused = api("GET", URL, **{name: visits.type_id})
        assert refused.status_code == 400
        assert refused.json() == {"error": "custom_activity_type_id needs lead_id."}

    assert api.get("/activity/", lead_id=visits.lead, _type="Custom")["data"] == [tasting, visit]
    assert api.get("/activity/", _type=f"Note,{visits.type_id}")["data"] == [visit]
    assert api.get("/activity/", _type__in=visits.type_id, lead_id="lead_x")["data"] == []
    assert types(api.get("/activity/", lead_id=visits.lead)) == [
        *("CustomActivity", "CustomActivity", "Created")
    ]
    fields = f"_type,custom.{visits.berths}"
    assert api.get("/activity/", lead_id=visits.lead, _fields=fields)["data"] == [
        {"_type": "CustomActivity"},
        {"_type": "CustomActivity", f"custom.{visits.berths}": 3},
        {"_type": "Created"},
    ]


def test_an_archived_type_gets_no_more_activities(visits: Visits) -> None:
    made = visits.make()
    visits.api.put(f"/custom_activity/{visits.type_id}/", {"is_archived": True})
    assert visits.refused("POST", URL, visits.body()) == {
        "custom_activity_type": "This type is archived."
    }
    assert visits.api.put(f"{URL}{made['id']}/", {"pinned": True})["pinned"] is True


def test_a_type_says_whose_roles_work_on_its_activities(visits: Visits) -> None:
    made = visits.make()
    roles = {"editable_with_roles": ["admin"]}
    visits.api.put(f"/custom_activity/{visits.type_id}/", roles)
    member = visits.organization.member("superuser")
    before = rows_of(visits.organization)
    path = f"{URL}{made['id']}/"
    for method, at in (("POST", URL), ("PUT", path), ("DELETE", path)):
        assert member(method, at, visits.body()).status_code == 403
    assert rows_of(visits.organization) == before
    assert member.get(path) == made
    visits.api.delete(path)


def test_others_activities_take_a_permission(visits: Visits) -> None:
    made = visits.make()
    member = visits.organization.member("restricteduser")
    path = f"{URL}{made['id']}/"
    before = rows_of(visits.organization)
    for method in ("PUT", "DELETE"):
        assert member(method, path, {"pinned": True}).status_code == 403
    assert rows_of(visits.organization) == before
    own = member.post(URL, visits.body())
    member.delete(f"{URL}{own['id']}/")


def test_a_text_tells_whom_it_mentions(visits: Visits) -> None:
    key = f"custom.{visits.report}"
    span = f'<span data-type="mention" data-id="{visits.api.user_id}" class="mention">@Sam</span>'
    made = visits.make(**{key: f"{span} was there"})
    assert (made["mentions"], made["mentions_updated_at"]) == (
        [visits.api.user_id],
        made["date_created"],
    )
    changed = visits.api.put(f"{URL}{made['id']}/", {key: "nobody"})
    assert (changed["mentions"], changed["mentions_updated_at"]) == ([], changed["date_updated"])


def test_a_shared_field_is_one_of_the_type_that_it_is_associated_with(visits: Visits) -> None:
    api = visits.api
    shared = api.post("/custom_field/shared/", {"name": "Owner", "type": "user"})["id"]
    key = f"custom.{shared}"
    assert visits.refused("POST", URL, visits.body(**{key: api.user_id})) == {
        key: "Unknown custom field."
    }
    of_type = {"custom_activity_type_id": visits.type_id, "required": True}
    association = {"object_type": "custom_activity_type"} | of_type
    api.post(f"/custom_field/shared/{shared}/association/", association)
    assert visits.refused("POST", URL, visits.body()) == {key: REQUIRED}
    made = visits.make(**{key: "Sam Reed"})
    assert made[key] == api.user_id
    path = f"/custom_field/shared/{shared}/association/custom_activity_type/{visits.type_id}/"
    api.delete(path)
    assert key not in api.get(f"{URL}{made['id']}/")


def test_a_contact_among_the_values_is_one_of_the_same_lead(visits: Visits) -> None:
    api = visits.api
    met = f"custom.{define(api, visits.type_id, 'Met', 'contact')}"
    [own] = api.get(f"/lead/{visits.lead}/")["contact_ids"]
    other = api.post("/contact/", {"name": "Ada"})["id"]
    assert visits.make(**{met: own})[met] == own
    assert visits.refused("POST", URL, visits.body(**{met: other})) == {
        met: "Object does not exist."
    }


def test_a_choice_that_is_gone_takes_its_values_with_it(visits: Visits) -> None:
    """Though the field is required: nobody may be kept from changing it by what is stored."""
    api = visits.api
    north, south = visits.make(), visits.make(**{f"custom.{visits.place}": "South"})
    api.put(f"/custom_field/activity/{visits.place}/", {"choices": ["South"]})
    run(visits.organization)
    assert stored(visits.organization, north["id"], "activity") == {}
    assert stored(visits.organization, south["id"], "activity") == {visits.place: "South"}


def test_numbers_are_kept_as_rows_until_their_field_goes(visits: Visits) -> None:
    count = "select count(*) from custom_value where organization_id = $1"
    made = visits.make(**{f"custom.{visits.berths}": 3})
    assert ask(visits.organization, count) == 1
    visits.api.delete(f"/custom_field/activity/{visits.berths}/")
    run(visits.organization)
    assert ask(visits.organization, count) == 0
    assert stored(visits.organization, made["id"], "activity") == {visits.place: "North"}


def test_a_type_takes_its_activities_along(visits: Visits) -> None:
    api, other = visits.api, make_type(visits.api, "Tasting")
    made = visits.make(**{f"custom.{visits.berths}": 3})
    kept = api.post(URL, {"lead_id": visits.lead, "custom_activity_type_id": other})
    before = api.get(f"/lead/{visits.lead}/")["date_updated"]
    api.delete(f"/custom_activity/{visits.type_id}/")
    assert api.get(URL)["data"] == [kept]
    assert api("GET", f"{URL}{made['id']}/").status_code == 404
    assert api.get(f"/lead/{visits.lead}/")["date_updated"] > before
    [gone] = api.get("/event/", object_type="activity.custom_activity", action="deleted")["data"]
    assert (gone["object_id"], gone["lead_id"]) == (made["id"], visits.lead)


def test_no_activity_outlives_its_type(visits: Visits) -> None:
    """One is made while its type is deleted, which has looked already for what it has."""
    organization = visits.organization
    store, actor = organization.program.store, organization.actor()
    make = Change.create(CustomActivity, visits.body())
    delete = Change.delete(CustomActivityType, visits.type_id)

    async def race() -> None:
        async with store.database.tenant(actor.tenant) as transaction:
            await store.writes.write_within(transaction, actor, [make], TEST, answer=False)
            deleting = asyncio.create_task(store.write(actor, [delete], TEST, answer=False))
            await until_one_waits(store)
        await deleting

    organization.program.run(race())
    assert visits.api.get(URL)["data"] == []
    assert visits.api.get("/custom_activity/")["data"] == []


def test_a_hidden_leads_activities_are_not_there(visits: Visits) -> None:
    admin = visits.api
    owner = admin.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    admin.put(f"/lead/{visits.lead}/", {f"custom.{owner}": admin.user_id})
    made, rep = visits.make(), visits.organization.limited(owner)
    path = f"{URL}{made['id']}/"
    before = rows_of(visits.organization)
    for method in ("GET", "PUT", "DELETE"):
        assert rep(method, path, {"pinned": True}).status_code == 404
    by_type = {"lead_id": visits.lead, "custom_activity_type_id": visits.type_id}
    assert rep.get(URL, **by_type)["data"] == []
    assert rep.get("/activity/", _type=visits.type_id)["data"] == []
    assert rep("POST", URL, visits.body()).json()["field-errors"] == {
        "lead": "Object does not exist."
    }
    assert rows_of(visits.organization) == before


def test_a_change_is_told_by_the_names_of_its_fields(visits: Visits) -> None:
    made = visits.make()
    visits.api.put(f"{URL}{made['id']}/", {f"custom.{visits.berths}": 7})
    query = {"object_type": "activity.custom_activity", "object_id": made["id"]}
    updated, created = visits.api.get("/event/", **query)["data"]
    assert created["data"][f"custom.{visits.place}"] == "North"
    assert updated["data"][f"custom.{visits.berths}"] == 7
    assert f"custom.{visits.berths}" in updated["changed_fields"]


def test_another_organization_has_nothing_of_it(visits: Visits) -> None:
    made = visits.make()
    stranger = make_organization(visits.organization.program).admin
    assert stranger("GET", f"{URL}{made['id']}/").status_code == 404
    refused = stranger("POST", URL, visits.body())
    assert refused.json()["field-errors"].keys() == {"lead", "custom_activity_type"}
