"""Roles: the built-in ones, those of one's own, and what becomes of their holders."""

import asyncio
from typing import Any

import pytest
from harness import TEST, Api, Organization, rows_of

from clinch.crm.custom_fields import LeadCustomField
from clinch.identity.roles import PERMISSIONS, Role
from clinch.resources.write.change import Change

BUILT_IN = "Built-in roles cannot be changed or deleted."


def fields(**problems: str) -> dict[str, Any]:
    return {"errors": [], "field-errors": problems}


def assigning_field(api: Api, type: str = "user") -> str:
    return str(api.post("/custom_field/lead/", {"name": f"By {type}", "type": type})["id"])


def test_the_built_in_roles_are_known_by_their_words(organization: Organization) -> None:
    page = organization.member("user").get("/role/", _skip=0)
    assert page["has_more"] is False
    found = {role["id"]: role for role in page["data"]}
    assert {id: role["name"] for id, role in found.items()} == {
        "admin": "Admin",
        "superuser": "Super User",
        "user": "User",
        "restricteduser": "Restricted User",
    }
    for id, role in found.items():
        assert role["editable"] is False
        assert role["permissions"] == sorted(PERMISSIONS[id])
        assert role["date_created"].startswith("0001-01-01T00:00:00")
        assert role["date_updated"] == role["date_created"]
        assert role["organization_id"] == organization.system.organization
    assert organization.admin.get("/role/user/") == found["user"]


def test_a_role_of_ones_own_is_made_changed_and_deleted(api: Api) -> None:
    field = assigning_field(api)
    body = {
        "name": "Account Manager",
        "permissions": ["export", "bulk_edit"],
        "visibility_user_lcf_ids": [field],
        "visibility_user_lcf_behavior": "require_assignment",
    }
    answer = api("POST", "/role/", body)
    role = answer.json()
    assert answer.status_code == 201
    assert role["id"].startswith("role_")
    assert role == role | body | {"permissions": ["bulk_edit", "export"], "editable": True}
    assert api.get(f"/role/{role['id']}/") == role
    changed = api.put(f"/role/{role['id']}/", {"name": "Closer"})
    assert (changed["name"], changed["permissions"]) == ("Closer", ["bulk_edit", "export"])
    assert api("DELETE", f"/role/{role['id']}/").json() == {}
    assert len(api.get("/role/")["data"]) == 4


@pytest.mark.parametrize("role", PERMISSIONS)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_built_in_roles_stay_as_they_are(
    organization: Organization, role: str, method: str
) -> None:
    before = rows_of(organization)
    body = {"name": "x", "permissions": ["view_all_leads"]} if method == "PUT" else None
    answer = organization.admin(method, f"/role/{role}/", body)
    assert (answer.status_code, answer.json()) == (400, {"error": BUILT_IN})
    assert rows_of(organization) == before


NEEDLESS = "This field must be empty for a role that may view all leads."
MISSING = "This field is required for a role that may not view all leads."


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (
            {},
            fields(name="This field is required.", permissions="This field is required."),
        ),
        ({"permissions": "export"}, fields(permissions="Value must be of list type.")),
        ({"permissions": [5]}, fields(permissions="Value must be of str type.")),
        ({"permissions": ["rule_the_world"]}, fields(permissions="Not a valid choice.")),
        ({"permissions": ["a\0"]}, None),
        (
            {"permissions": ["export"]},
            fields(visibility_user_lcf_ids=MISSING, visibility_user_lcf_behavior=MISSING),
        ),
        (
            {"visibility_user_lcf_behavior": "require_assignment"},
            fields(visibility_user_lcf_behavior=NEEDLESS),
        ),
        ({"visibility_user_lcf_ids": ["{user}"]}, fields(visibility_user_lcf_ids=NEEDLESS)),
        ({"visibility_user_lcf_behavior": "x"}, None),
        (
            {
                "permissions": [],
                "visibility_user_lcf_ids": [],
                "visibility_user_lcf_behavior": "allow_unassigned",
            },
            fields(visibility_user_lcf_ids=MISSING),
        ),
        (
            {
                "permissions": [],
                "visibility_user_lcf_ids": ["cf_unknown"],
                "visibility_user_lcf_behavior": "allow_unassigned",
            },
            fields(visibility_user_lcf_ids="Object does not exist."),
        ),
        (
            {
                "permissions": [],
                "visibility_user_lcf_ids": ["{text}"],
                "visibility_user_lcf_behavior": "allow_unassigned",
            },
            fields(visibility_user_lcf_ids="Only custom fields of type user assign leads."),
        ),
    ],
)
def test_a_role_that_does_not_fit_is_refused(
    organization: Organization, body: dict[str, Any], problems: dict[str, Any] | None
) -> None:
    api = organization.admin
    known = {f"{{{type}}}": assigning_field(api, type) for type in ("user", "text")}
    if body:
        body = {"name": "x", "permissions": ["view_all_leads"], **body}
    if "visibility_user_lcf_ids" in body:
        ids = [known.get(id, id) for id in body["visibility_user_lcf_ids"]]
        body = body | {"visibility_user_lcf_ids": ids}
    before = rows_of(organization)
    answer = api("POST", "/role/", body)
    assert answer.status_code == 400
    assert problems is None or answer.json() == problems
    assert rows_of(organization) == before


def test_a_role_in_use_stays(organization: Organization) -> None:
    api = organization.admin
    role = api.post("/role/", {"name": "Closer", "permissions": ["view_all_leads"]})
    closer = organization.member(role["id"])
    before = rows_of(organization)
    assert api("DELETE", f"/role/{role['id']}/").status_code == 400
    assert rows_of(organization) == before
    membership = closer.get("/me/")["memberships"][0]["id"]
    api.put(f"/membership/{membership}/", {"role_id": "user"})
    api.delete(f"/role/{role['id']}/")


def test_what_a_role_may_do_changes_for_its_holders_with_their_next_request(
    organization: Organization,
) -> None:
    admin = organization.admin
    role = admin.post("/role/", {"name": "Closer", "permissions": ["view_all_leads"]})
    api = organization.member(role["id"])
    assert api("POST", "/status/lead/", {"label": "New"}).status_code == 403
    more = ["view_all_leads", "manage_customizations"]
    admin.put(f"/role/{role['id']}/", {"permissions": more})
    assert api("POST", "/status/lead/", {"label": "New"}).status_code == 200
    assert api.get("/me/")["memberships"][0]["permissions_granted"] == sorted(more)
    admin.put(f"/role/{role['id']}/", {"permissions": ["view_all_leads"]})
    assert api("POST", "/status/lead/", {"label": "Newer"}).status_code == 403


def test_a_field_that_assigns_leads_stays_below_a_role(organization: Organization) -> None:
    api = organization.admin
    field = assigning_field(api)
    organization.limited(field)
    before = rows_of(organization)
    assert api("PUT", f"/custom_field/lead/{field}/", {"type": "text"}).status_code == 400
    answer = api("DELETE", f"/custom_field/lead/{field}/")
    text = 'The role "Limited" uses this field to assign leads.'
    assert (answer.status_code, answer.json()) == (400, {"error": text})
    assert rows_of(organization) == before


@pytest.mark.parametrize(
    ("role_first", "change", "problem"),
    [
        (True, "delete", "uses this field to assign leads"),
        (True, "retype", "uses this field to assign leads"),
        (False, "delete", "Object does not exist."),
        (False, "retype", "Only custom fields of type user assign leads."),
    ],
)
def test_it_stays_below_one_that_is_just_being_made(
    organization: Organization, role_first: bool, change: str, problem: str
) -> None:
    field = assigning_field(organization.admin)
    store, actor = organization.program.store, organization.actor()
    role = {
        "name": "Limited",
        "permissions": [],
        "visibility_user_lcf_ids": [field],
        "visibility_user_lcf_behavior": "allow_unassigned",
    }
    changes = [
        Change.create(Role, role),
        Change.delete(LeadCustomField, field)
        if change == "delete"
        else Change.update(LeadCustomField, field, {"type": "text"}),
    ]
    first, second = changes if role_first else reversed(changes)

    async def race() -> str:
        async with store.database.tenant(actor.tenant) as transaction:
            await store.writes.write_within(transaction, actor, [first], TEST, answer=False)
            other = asyncio.create_task(store.write(actor, [second], TEST))
            await asyncio.sleep(0.3)
            assert not other.done()
        try:
            await other
        except Exception as error:
            return str(error)
        return "both were done"

    assert problem in organization.program.run(race())
    roles = organization.admin.get("/role/")["data"]
    assert [role["name"] == "Limited" for role in roles].count(True) == role_first
    kept = organization.admin("GET", f"/custom_field/lead/{field}/")
    assert (kept.json().get("type") == "user") == role_first
