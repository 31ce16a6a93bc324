"""What it takes to change or delete one's own objects, and those of others."""

from typing import Any

import pytest
from harness import Api, Organization, rows_of

OWN = {"task": "delete_own_tasks", "opportunity": "delete_own_opportunities"}
OTHERS = {"task": "manage_others_tasks", "opportunity": "manage_others_opportunities"}
OWNER = {"task": "assigned_to", "opportunity": "user_id"}

KINDS = ("task", "opportunity")


def worker(organization: Organization, *permissions: str) -> Api:
    """A user who may see all leads, and what is given."""
    body = {"name": "Worker", "permissions": ["view_all_leads", *permissions]}
    role = organization.admin.post("/role/", body)
    return organization.member(role["id"])


def make(api: Api, kind: str, owner: str | None) -> dict[str, Any]:
    lead = api.post("/lead/", {"name": "Harbour Tools"})
    body = {"lead_id": lead["id"], "text": "Call", OWNER[kind]: owner}
    made: dict[str, Any] = api.post(f"/{kind}/", body)
    return made


def refused(organization: Organization, api: Api, method: str, path: str, permission: str) -> None:
    before = rows_of(organization)
    answer = api(method, path, {"note": "x", "text": "x"} if method == "PUT" else None)
    text = f"You need the permission {permission} to do this."
    assert (answer.status_code, answer.json()) == (403, {"error": text})
    assert rows_of(organization) == before


@pytest.mark.parametrize("kind", KINDS)
def test_ones_own_is_changed_by_everybody_and_deleted_by_permission(
    organization: Organization, kind: str
) -> None:
    without, allowed = worker(organization), worker(organization, OWN[kind])
    made = make(without, kind, without.user_id)
    without.put(f"/{kind}/{made['id']}/", {"note": "x", "text": "x"})
    refused(organization, without, "DELETE", f"/{kind}/{made['id']}/", OWN[kind])
    made = make(organization.admin, kind, allowed.user_id)
    allowed.delete(f"/{kind}/{made['id']}/")
    assert organization.admin("GET", f"/{kind}/{made['id']}/").status_code == 404


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_anothers_takes_another_permission(organization: Organization, kind: str) -> None:
    admin = organization.admin
    without, allowed = worker(organization, OWN[kind]), worker(organization, OTHERS[kind])
    made = make(admin, kind, admin.user_id)
    for method in ("PUT", "DELETE"):
        refused(organization, without, method, f"/{kind}/{made['id']}/", OTHERS[kind])
    assert without("GET", f"/{kind}/{made['id']}/").status_code == 200
    allowed.put(f"/{kind}/{made['id']}/", {"note": "x", "text": "x"})
    allowed.delete(f"/{kind}/{made['id']}/")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_nobodys_is_whose_who_made_it(organization: Organization, kind: str) -> None:
    api = worker(organization)
    made = make(api, kind, None)
    api.put(f"/{kind}/{made['id']}/", {"note": "x", "text": "x"})
    made = make(organization.admin, kind, None)
    refused(organization, api, "PUT", f"/{kind}/{made['id']}/", OTHERS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_takes_anothers_by_making_it_their_own(
    organization: Organization, kind: str
) -> None:
    api, admin = worker(organization, OWN[kind]), organization.admin
    made = make(admin, kind, admin.user_id)
    before = rows_of(organization)
    body = {OWNER[kind]: api.user_id, "created_by": api.user_id}
    assert api("PUT", f"/{kind}/{made['id']}/", body).status_code == 403
    assert rows_of(organization) == before


def test_a_bulk_change_with_one_of_anothers_changes_none(organization: Organization) -> None:
    api = worker(organization)
    own = make(api, "task", api.user_id)
    make(organization.admin, "task", organization.admin.user_id)
    before = rows_of(organization)
    assert api("PUT", "/task/", {"is_complete": True}).status_code == 403
    assert rows_of(organization) == before
    assert api.put("/task/", {"is_complete": True}, id__in=own["id"])["count"] == 1


def test_who_may_delete_a_lead_deletes_what_others_have_on_it(organization: Organization) -> None:
    api = worker(organization, "delete_leads")
    made = make(organization.admin, "task", organization.admin.user_id)
    make_deal = {"lead_id": made["lead_id"]}
    organization.admin.post("/opportunity/", make_deal)
    api.delete(f"/lead/{made['lead_id']}/")
    assert organization.admin.get("/task/", _type="all")["data"] == []
