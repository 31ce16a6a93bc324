"""Who sees only the leads that they are assigned to, and tries to see the others."""

from dataclasses import dataclass
from typing import Any

import pytest
from harness import Api, Organization, make_organization, rows_of

from clinch.program import declarations
from clinch.resources.actor import Actor, Visibility

SECRET = "Secretly"


@dataclass
class Territory:
    """A rep who is assigned to the lead `mine` by the field `owner`, and what they may not see."""

    organization: Organization
    rep: Api
    owner: str
    mine: dict[str, Any]
    hidden: dict[str, Any]
    """A lead of somebody else."""
    below: dict[str, dict[str, Any]]
    """Its contact, opportunity and task, and a task of no lead that is somebody else's."""

    @property
    def admin(self) -> Api:
        return self.organization.admin

    def ids(self) -> set[str]:
        return {self.hidden["id"], *(made["id"] for made in self.below.values())}

    def told(self, text: str) -> bool:
        return SECRET in text or any(id in text for id in self.ids())


def make_lead(api: Api, name: str, **custom: Any) -> dict[str, Any]:
    body = {"name": name, "contacts": [{"name": f"{name} Ada"}]}
    made: dict[str, Any] = api.post("/lead/", body | {f"custom.{k}": v for k, v in custom.items()})
    return made


def make_field(api: Api, name: str, *, multiple: bool = False) -> str:
    body = {"name": name, "type": "user", "accepts_multiple_values": multiple}
    return str(api.post("/custom_field/lead/", body)["id"])


@pytest.fixture
def territory(organization: Organization) -> Territory:
    admin = organization.admin
    owner = make_field(admin, "Owner")
    rep = organization.limited(owner)
    mine = make_lead(admin, "Harbour Tools", **{owner: rep.user_id})
    hidden = make_lead(admin, f"{SECRET} Foods", **{owner: admin.user_id})
    of_lead = {"lead_id": hidden["id"], "contact_id": hidden["contact_ids"][0]}
    below = {
        "contact": admin.get(f"/contact/{hidden['contact_ids'][0]}/"),
        "opportunity": admin.post("/opportunity/", {**of_lead, "note": f"{SECRET} won"}),
        "task": admin.post("/task/", {**of_lead, "text": f"{SECRET} call"}),
    }
    return Territory(organization, rep, owner, mine, hidden, below)


def test_lists_and_their_totals_have_only_ones_own(territory: Territory) -> None:
    api, mine = territory.rep, territory.mine
    deal = api.post("/opportunity/", {"lead_id": mine["id"], "value": 500})
    task = api.post("/task/", {"lead_id": mine["id"], "text": "Call"})
    leads = api.get("/lead/")
    assert ([lead["id"] for lead in leads["data"]], leads["total_results"]) == ([mine["id"]], 1)
    assert api.get("/lead/", _limit=0)["total_results"] == 1
    assert [c["id"] for c in api.get("/contact/")["data"]] == mine["contact_ids"]
    deals = api.get("/opportunity/")
    assert [d["id"] for d in deals["data"]] == [deal["id"]]
    assert (deals["total_results"], deals["total_value_one_time"]) == (1, 500)
    assert [t["id"] for t in api.get("/task/", _type="all")["data"]] == [task["id"]]
    assert territory.admin.get("/lead/")["total_results"] == 2


def test_an_object_of_a_hidden_lead_is_as_one_that_is_not_there(territory: Territory) -> None:
    before = rows_of(territory.organization)
    objects = {"lead": territory.hidden, **territory.below}
    for path, made in objects.items():
        for method, body in (("GET", None), ("PUT", {"name": "x", "note": "x"}), ("DELETE", None)):
            answer = territory.rep(method, f"/{path}/{made['id']}/", body)
            unknown = territory.rep(method, f"/{path}/unknown_1/", body)
            assert (answer.status_code, answer.text) == (404, unknown.text)
    assert rows_of(territory.organization) == before


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        ("/contact/", "lead_id", "lead"),
        ("/opportunity/", "lead_id", "lead"),
        ("/opportunity/", "contact_id", "contact"),
        ("/task/", "lead_id", "lead"),
        ("/task/", "contact_id", "contact"),
    ],
)
def test_a_hidden_object_is_named_as_one_that_does_not_exist(
    territory: Territory, path: str, name: str, kind: str
) -> None:
    before = rows_of(territory.organization)
    id = {"lead": territory.hidden, **territory.below}[kind]["id"]
    body = {"lead_id": territory.mine["id"], "text": "x", name: id}
    answer = territory.rep("POST", path, body)
    assert answer.status_code == 400
    assert answer.json()["field-errors"] == {kind: "Object does not exist."}
    mine = territory.rep.get("/contact/")["data"][0]
    if path == "/contact/":
        answer = territory.rep("PUT", f"/contact/{mine['id']}/", {"lead_id": id})
        assert answer.json()["field-errors"] == {"lead": "Object does not exist."}
    assert rows_of(territory.organization) == before


def test_filters_and_queries_do_not_find_what_is_hidden(territory: Territory) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        (path, {"query": query})
        for path in ("/lead/", "/contact/", "/opportunity/", "/task/")
        for query in (SECRET, f'name:"{SECRET}"', "not name:x", "sort:-created", "created < 2100")
    ]
    asked += [
        (path, {name: territory.hidden["id"]})
        for path in ("/contact/", "/opportunity/", "/task/")
        for name in ("lead_id", "lead_id__in")
    ]
    asked += [("/task/", {"id__in": territory.below["task"]["id"], "_type": "all"})]
    for path, query in asked:
        for fields in (None, "_all"):
            answer = territory.rep("GET", path, **query, _fields=fields)
            assert answer.status_code in (200, 400)
            assert not territory.told(answer.text.replace(str(query), "")), (path, query)
    assert territory.admin.get("/lead/", query=SECRET)["total_results"] == 1


def test_a_bulk_change_passes_by_what_is_hidden(territory: Territory) -> None:
    id = territory.below["task"]["id"]
    assert territory.rep.put("/task/", {"is_complete": True}, id__in=id)["count"] == 0
    assert territory.rep.put("/task/", {"is_complete": True}, _type="all")["count"] == 0
    assert territory.admin.get(f"/task/{id}/")["is_complete"] is False


def test_events_tell_nothing_of_what_is_hidden(territory: Territory) -> None:
    territory.admin.put(f"/lead/{territory.hidden['id']}/", {"description": "x"})
    told = territory.rep("GET", "/event/")
    assert told.status_code == 200
    assert territory.mine["id"] in told.text
    assert not territory.told(told.text)
    hidden = territory.hidden["id"]
    for filters in ({"lead_id": hidden}, {"object_id": hidden, "object_type": "lead"}):
        assert territory.rep.get("/event/", **filters)["data"] == []
    events = territory.admin.get("/event/", lead_id=territory.hidden["id"])["data"]
    assert events
    for event in events:
        assert territory.rep("GET", f"/event/{event['id']}/").status_code == 404


def test_what_was_ones_own_is_told_when_it_is_deleted(territory: Territory) -> None:
    lead, hidden = territory.mine["id"], territory.hidden["id"]
    territory.admin.delete(f"/lead/{lead}/")
    territory.admin.delete(f"/lead/{hidden}/")
    events = territory.rep.get("/event/", object_type="lead")["data"]
    told = [(event["object_id"], event["action"]) for event in events]
    assert told == [(lead, "deleted"), (lead, "created")]


def test_what_was_given_away_before_it_was_deleted_is_not_told(territory: Territory) -> None:
    admin, rep, owner = territory.admin, territory.rep, territory.owner
    lead = make_lead(admin, "Given away", **{owner: rep.user_id})
    assert rep.get("/event/", object_type="lead", object_id=lead["id"])["data"]
    admin.put(f"/lead/{lead['id']}/", {f"custom.{owner}": admin.user_id, "name": SECRET})
    admin.delete(f"/lead/{lead['id']}/")
    assert rep.get("/event/", object_type="lead", object_id=lead["id"])["data"] == []


def test_what_has_gone_to_a_hidden_lead_is_not_shown_where_it_was(territory: Territory) -> None:
    """A deal may go on naming a contact that has moved to another lead."""
    [contact] = territory.mine["contact_ids"]
    body = {"lead_id": territory.mine["id"], "contact_id": contact, "text": "Call"}
    deal = territory.rep.post("/opportunity/", body)
    task = territory.rep.post("/task/", body)
    moved = {"lead_id": territory.hidden["id"], "name": f"{SECRET} Bo"}
    territory.admin.put(f"/contact/{contact}/", moved)
    assert territory.rep("GET", f"/contact/{contact}/").status_code == 404
    for path in (f"/opportunity/{deal['id']}/", f"/task/{task['id']}/", "/opportunity/"):
        answer = territory.rep("GET", path)
        assert answer.status_code == 200
        assert SECRET not in answer.text
    assert territory.admin.get(f"/task/{task['id']}/")["contact_name"] == f"{SECRET} Bo"
    assert not territory.told(territory.rep("GET", "/event/").text)


def test_a_task_of_no_lead_is_seen_by_whom_it_is_for(territory: Territory) -> None:
    """Requests make none; the program does, for what comes in from nobody known."""
    store = territory.organization.program.store
    tasks = {}
    for name, user_id in (("own", territory.rep.user_id), ("hidden", territory.admin.user_id)):
        made = territory.admin.post(
            "/task/", {"lead_id": territory.mine["id"], "text": name, "assigned_to": user_id}
        )
        tasks[name] = made["id"]

    async def detach() -> None:
        async with store.database.owner() as transaction:
            await transaction.execute(
                "update task set lead_id = null where id = any($1)", list(tasks.values())
            )

    territory.organization.program.run(detach())
    found = territory.rep.get("/task/")["data"]
    assert [task["id"] for task in found] == [tasks["own"]]
    assert territory.rep.get(f"/task/{tasks['own']}/")["text"] == "own"
    assert territory.rep("GET", f"/task/{tasks['hidden']}/").status_code == 404


def test_a_new_lead_is_ones_own_unless_it_is_given_to_another(territory: Territory) -> None:
    api = territory.rep
    made = api.post("/lead/", {"name": "Silver Labs"})
    assert made[f"custom.{territory.owner}"] == api.user_id
    assert api.get(f"/lead/{made['id']}/")["name"] == "Silver Labs"
    contact = api.post("/contact/", {"name": "Bo"})
    assert api.get(f"/lead/{contact['lead_id']}/")["contact_ids"] == [contact["id"]]
    given = api.post("/lead/", {"name": "x", "custom": {"Owner": territory.admin.user_id}})
    assert given[f"custom.{territory.owner}"] == territory.admin.user_id
    assert api("GET", f"/lead/{given['id']}/").status_code == 404


def test_a_lead_that_is_given_away_is_gone_at_once(territory: Territory) -> None:
    lead, field = territory.mine["id"], f"custom.{territory.owner}"
    answer = territory.rep.put(f"/lead/{lead}/", {field: territory.admin.user_id})
    assert answer["name"] == "Harbour Tools"
    assert territory.rep("GET", f"/lead/{lead}/").status_code == 404
    assert territory.rep.get("/contact/")["data"] == []
    territory.admin.put(f"/lead/{lead}/", {field: territory.rep.user_id})
    assert territory.rep.get(f"/lead/{lead}/")["contact_ids"]


def test_any_of_several_fields_and_any_of_their_values_assigns(
    organization: Organization,
) -> None:
    admin = organization.admin
    owner, team = make_field(admin, "Owner"), make_field(admin, "Team", multiple=True)
    rep = organization.limited(owner, team)
    other = admin.user_id
    shown = [
        make_lead(admin, "One", **{owner: rep.user_id}),
        make_lead(admin, "Two", **{owner: other, team: [other, rep.user_id]}),
    ]
    make_lead(admin, "Three", **{owner: other, team: [other]})
    make_lead(admin, "Four")
    assert {lead["id"] for lead in rep.get("/lead/")["data"]} == {lead["id"] for lead in shown}


def test_unassigned_leads_are_seen_where_the_role_says_so(organization: Organization) -> None:
    admin = organization.admin
    owner, team = make_field(admin, "Owner"), make_field(admin, "Team", multiple=True)
    rep = organization.limited(owner, team, unassigned=True)
    nobody = make_lead(admin, "Nobody")
    make_lead(admin, "Other", **{team: [admin.user_id]})
    assert [lead["id"] for lead in rep.get("/lead/")["data"]] == [nobody["id"]]
    made = rep.post("/lead/", {"name": "New"})
    assert f"custom.{owner}" not in made
    assert rep.get("/lead/")["total_results"] == 2
    admin.put(f"/lead/{nobody['id']}/", {f"custom.{owner}": admin.user_id})
    assert rep("GET", f"/lead/{nobody['id']}/").status_code == 404


def test_two_with_the_same_role_see_each_their_own(territory: Territory) -> None:
    role = territory.rep.get("/me/")["memberships"][0]["role_id"]
    other = territory.organization.member(role)
    theirs = make_lead(other, "Blue Labs")
    for _ in range(2):
        for api, lead in ((territory.rep, territory.mine), (other, theirs)):
            page = api.get("/lead/")
            assert [found["id"] for found in page["data"]] == [lead["id"]]
            assert page["total_results"] == 1
            assert api.get(f"/lead/{lead['id']}/")["contacts"][0]["id"] in lead["contact_ids"]


def test_whatever_refers_to_a_lead_is_hidden_with_it(organization: Organization) -> None:
    """A resource that is added later is so too, by its declaration."""
    declared = declarations()
    actor = organization.actor(permissions=frozenset(), visibility=Visibility(("cf_1",)))
    lead_bound = {"lead"}
    for resource in declared:
        if any(ref.target == "lead" for ref in resource.refs):
            lead_bound.add(resource.noun)
    assert {"contact", "opportunity", "task"} < lead_bound
    for resource in declared:
        hidden = declared.visible(resource, actor) is not None
        assert hidden or resource.noun not in lead_bound
    free = {"user", "role", "group", "lead_status", "pipeline", "organization"}
    assert all(declared.visible(declared[noun], actor) is None for noun in free)


def test_the_view_by_which_leads_are_found_is_the_tenants_own(territory: Territory) -> None:
    organization = territory.organization
    other = make_organization(organization.program)
    make_lead(other.admin, "North Foods")

    async def seen(actor: Actor) -> set[str]:
        async with organization.program.store.database.tenant(actor.tenant) as transaction:
            return {row[0] for row in await transaction.rows("select id from assigned_lead")}

    run = organization.program.run
    assert run(seen(organization.system)) == {territory.mine["id"], territory.hidden["id"]}
    assert len(run(seen(other.system))) == 1


def test_a_role_that_may_see_all_again_does_so_with_the_next_request(
    territory: Territory,
) -> None:
    role = territory.rep.get("/me/")["memberships"][0]["role_id"]
    found = territory.admin.get(f"/role/{role}/")
    territory.admin.put(
        f"/role/{role}/",
        {
            "permissions": [*found["permissions"], "view_all_leads"],
            "visibility_user_lcf_ids": [],
            "visibility_user_lcf_behavior": None,
        },
    )
    assert territory.rep.get("/lead/")["total_results"] == 2
    assert territory.rep.get(f"/lead/{territory.hidden['id']}/")["id"] == territory.hidden["id"]


def test_a_contact_that_went_out_of_sight_may_be_sent_back(organization: Organization) -> None:
    api = organization.admin
    field = api.post("/custom_field/lead/", {"name": "Owner", "type": "user"})["id"]
    rep = organization.limited(field)
    seen = api.post("/lead/", {"contacts": [{"name": "Bo"}], f"custom.{field}": rep.user_id})
    [contact] = seen["contact_ids"]
    note = rep.post("/activity/note/", {"lead_id": seen["id"], "contact_id": contact, "note": "x"})
    api.put(f"/contact/{contact}/", {"lead_id": api.post("/lead/", {})["id"]})
    path = f"/activity/note/{note['id']}/"
    assert rep.put(path, note) == rep.get(path)
    refused = rep("POST", "/activity/note/", note)
    assert (refused.status_code, *refused.json()["field-errors"]) == (400, "contact")
    mine = rep.post("/lead/", {f"custom.{field}": rep.user_id})["id"]
    assert rep.put(path, {"lead_id": mine})["contact_id"] is None
