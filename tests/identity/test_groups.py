"""Groups: their members, and lists that are filtered by them."""

from typing import Any

import pytest
from harness import Api, Organization, rows_of


@pytest.fixture
def group(api: Api) -> str:
    return str(api.post("/group/", {"name": "Closers"})["id"])


def members(api: Api, group: str) -> list[str]:
    return [member["user_id"] for member in api.get(f"/group/{group}/")["members"]]


def test_a_group_is_made_renamed_and_deleted(organization: Organization) -> None:
    api = organization.admin
    answer = api("POST", "/group/", {"name": "Closers"})
    made = answer.json()
    assert (answer.status_code, made["name"], made["members"]) == (201, "Closers", [])
    assert made["organization_id"] == organization.system.organization
    assert api.put(f"/group/{made['id']}/", {"name": "Openers"})["name"] == "Openers"
    assert api.get(f"/group/{made['id']}/", _fields="name,members") == {
        "name": "Openers",
        "members": [],
    }
    [listed] = api.get("/group/")["data"]
    assert listed["id"] == made["id"]
    assert "members" not in listed
    assert api.get("/group/", _fields="id,members")["data"] == [{"id": made["id"]}]
    answer = api("DELETE", f"/group/{made['id']}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get("/group/")["data"] == []


def test_users_join_and_leave_as_often_as_they_are_told(
    organization: Organization, group: str
) -> None:
    api, rep = organization.admin, organization.member("user")
    for _ in range(2):
        answer = api("POST", f"/group/{group}/member/", {"user_id": rep.user_id})
        assert (answer.status_code, answer.json()) == (201, {"user_id": rep.user_id})
    api.post(f"/group/{group}/member/", {"user_id": api.user_id})
    assert members(api, group) == [rep.user_id, api.user_id]
    for _ in range(2):
        answer = api("DELETE", f"/group/{group}/member/{rep.user_id}/")
        assert (answer.status_code, answer.content) == (204, b"")
    assert members(api, group) == [api.user_id]
    events = api.get("/event/", object_id=group, object_type="group")["data"]
    assert [event["action"] for event in events] == ["updated", "created"]
    assert events[0]["changed_fields"][-1:] == ["members"]
    assert events[0]["data"]["members"] == [{"user_id": api.user_id}]
    assert events[0]["previous_data"]["members"] == []


def test_a_body_does_not_bring_members(organization: Organization, group: str) -> None:
    api = organization.admin
    named = {"joins": api.user_id, "members": [api.user_id]}
    api.put(f"/group/{group}/", {"name": "Closers", **named})
    api.post("/group/", {"name": "Others", **named})
    assert members(api, group) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problem"),
    [
        ("POST", "/group/", {}, 400, {"name": "This field is required."}),
        ("POST", "/group/", {"name": "CLOSERS"}, 400, {"name": "This value is already in use."}),
        ("POST", "/group/{group}/member/", {}, 400, {"user": "This field is required."}),
        (
            "POST",
            "/group/{group}/member/",
            {"user_id": 5},
            400,
            {"user": "Value must be of str type."},
        ),
        (
            "POST",
            "/group/{group}/member/",
            {"user_id": "a\0"},
            400,
            {"user": "Object does not exist."},
        ),
        (
            "POST",
            "/group/{group}/member/",
            {"user_id": "user_unknown"},
            400,
            {"user": "Object does not exist."},
        ),
        ("POST", "/group/group_unknown/member/", {"user_id": "user_unknown"}, 404, None),
        ("DELETE", "/group/group_unknown/member/user_unknown/", None, 404, None),
        ("DELETE", "/group/%00/member/user_unknown/", None, 404, None),
    ],
)
def test_what_does_not_fit_is_refused(
    organization: Organization,
    group: str,
    method: str,
    path: str,
    body: Any,
    status: int,
    problem: Any,
) -> None:
    before = rows_of(organization)
    answer = organization.admin(method, path.format(group=group), body)
    assert answer.status_code == status, answer.text
    assert problem is None or answer.json()["field-errors"] == problem
    assert rows_of(organization) == before


def test_a_group_stands_for_its_members_in_filters(organization: Organization, group: str) -> None:
    api = organization.admin
    in_group, alone, out = (organization.member("user") for _ in range(3))
    api.post(f"/group/{group}/member/", {"user_id": in_group.user_id})
    lead = api.post("/lead/", {"name": "Harbour Tools"})
    deals = {
        user.user_id: api.post("/opportunity/", {"lead_id": lead["id"], "user_id": user.user_id})
        for user in (in_group, alone, out)
    }

    def owners(**query: str) -> set[str]:
        found = api.get("/opportunity/", **query)
        assert found["total_results"] == len(found["data"])
        return {deal["user_id"] for deal in found["data"]}

    assert owners(user_id__in=group) == {in_group.user_id}
    assert owners(user_id=group) == {in_group.user_id}
    assert owners(user_id__in=f"{group},{alone.user_id}") == {in_group.user_id, alone.user_id}
    assert owners(user_id__in="group_unknown") == set()
    assert owners() == set(deals)
    task = api.post(
        "/task/", {"lead_id": lead["id"], "text": "Call", "assigned_to": in_group.user_id}
    )
    found = api.get("/task/", assigned_to__in=f"{group},{out.user_id}")["data"]
    assert [one["id"] for one in found] == [task["id"]]


def test_a_deleted_group_leaves_its_users(organization: Organization, group: str) -> None:
    api = organization.admin
    api.post(f"/group/{group}/member/", {"user_id": api.user_id})
    api.delete(f"/group/{group}/")
    assert api.get("/me/")["id"] == api.user_id
    assert api.get("/opportunity/", user_id__in=group)["data"] == []
