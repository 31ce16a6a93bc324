"""The organization, its people, and what a key sees of itself."""

from typing import Any

from harness import Api, Organization, rows_of


def path(organization: Organization) -> str:
    return f"/organization/{organization.system.organization}/"


def test_the_organization_of_a_key_is_listed(organization: Organization) -> None:
    page = organization.admin.get("/organization/")
    assert [found["id"] for found in page["data"]] == [organization.system.organization]
    one = organization.admin.get(path(organization))
    assert page["data"][0] == one
    assert (one["currency"], one["user_count"], one["status"]) == ("USD", 1, "active")
    assert one["opportunity_statuses"] == one["pipelines"][0]["statuses"]
    assert (one["lead_custom_fields"], one["inactive_memberships"]) == ([], [])


def test_a_membership_shows_its_user_or_has_them_inside(organization: Organization) -> None:
    api, gone = organization.admin, organization.member("user", "Bo", "Berg")
    api.delete(f"/membership/{gone.get('/me/')['memberships'][0]['id']}/")
    plain = api.get(path(organization))
    assert plain["memberships"][0]["user_full_name"] == "Sam Reed"
    assert plain["inactive_memberships"][0]["user_full_name"] == "Bo Berg"
    expand = "memberships__user,inactive_memberships__user"
    found = api.get(path(organization), _expand=expand)
    for key, user_id in (("memberships", api.user_id), ("inactive_memberships", gone.user_id)):
        [membership] = found[key]
        assert membership["user"] == api.get(f"/user/{user_id}/")
        assert membership["user_id"] == user_id
        assert "user_full_name" not in membership
    half = api.get(path(organization), _expand="memberships__user", _fields="memberships,name")
    assert set(half) == {"memberships", "name"}
    assert api.get(path(organization), _expand="memberships__user", _fields="id") == {
        "id": organization.system.organization
    }
    assert api.get(path(organization), _expand="nothing") == plain


def test_an_update_has_users_inside_like_a_read(organization: Organization) -> None:
    api, expand = organization.admin, "memberships__user"
    country = {"country": "DE"}  # with which every key is read anew
    tried = api.put(path(organization), country, _expand=expand, _dry_run="true")
    assert tried["country"] == "DE"
    assert tried["memberships"][0]["user"]["id"] == api.user_id
    assert api.get(path(organization))["country"] == "US"
    changed = api.put(path(organization), country, _expand=expand)
    assert changed == api.get(path(organization), _expand=expand)
    assert changed["memberships"][0]["user"] == api.get(f"/user/{api.user_id}/")
    only = api.put(path(organization), {"name": "Quay"}, _expand=expand, _fields="memberships")
    assert only == {"memberships": changed["memberships"]}
    before = rows_of(organization)
    answer = api("PUT", path(organization), {"name": 5}, _expand=expand)
    assert (answer.status_code, list(answer.json()["field-errors"])) == (400, ["name"])
    assert rows_of(organization) == before
    answer = organization.member("user")("PUT", path(organization), country, _expand=expand)
    assert answer.status_code == 403


def test_a_new_organization_has_the_usual_lead_statuses(organization: Organization) -> None:
    found = organization.admin.get(path(organization))["lead_statuses"]
    assert [status["label"] for status in found] == [
        *("Potential", "Bad Fit", "Qualified", "Customer"),
        *("Interested", "Canceled", "Not Interested"),
    ]


def test_lead_statuses_are_put_in_order(organization: Organization) -> None:
    api = organization.admin
    ids = [status["id"] for status in api.get("/status/lead/")["data"]]
    order = [ids[3], ids[1], *(id for id in ids if id not in (ids[3], ids[1]))]
    body = {"lead_statuses": [{"id": id} for id in order[:2]]}
    changed = api.put(path(organization), body)
    assert [status["id"] for status in changed["lead_statuses"]] == order
    assert api.post("/lead/", {})["status_id"] == order[0]


def test_an_order_of_statuses_that_are_not_there_is_refused(organization: Organization) -> None:
    before = rows_of(organization)
    listed: Any
    for listed in ("x", [5], [{}], [{"id": "stat_unknown"}], [{"id": 5}], [{"id": "\0"}]):
        body = {"name": "x", "lead_statuses": listed}
        answer = organization.admin("PUT", path(organization), body)
        assert answer.status_code == 400
        assert list(answer.json()["field-errors"]) == ["lead_statuses"]
    assert rows_of(organization) == before


def test_me_has_membership_and_organization_inside(organization: Organization, api: Api) -> None:
    organization.member("user")
    me = api.get("/me/")
    assert (me["id"], me["email_accounts"], me["phone_numbers"]) == (api.user_id, [], [])
    [membership], [found] = me["memberships"], me["organizations"]
    assert (membership["user_id"], membership["role_id"]) == (api.user_id, "admin")
    assert "manage_organization" in membership["permissions_granted"]
    assert found["id"] == membership["organization_id"] == organization.system.organization
    assert found["lead_statuses"]
    assert found["pipelines"][0]["statuses"]
    assert api.get("/me/", _fields="id,first_name") == {"id": api.user_id, "first_name": "Sam"}


def test_users_are_listed_by_their_names(organization: Organization) -> None:
    for first, last in (("Bo", "Berg"), ("Ada", "Berg"), ("Cleo", "Amos")):
        organization.member("user", first, last)

    def names(order: str) -> list[str]:
        users = organization.admin.get("/user/", _order_by=order)["data"]
        return [user["first_name"] for user in users]

    assert names("last_name,first_name") == ["Cleo", "Ada", "Bo", "Sam"]
    assert names("first_name,last_name") == ["Ada", "Bo", "Cleo", "Sam"]


def test_nobody_is_available_while_there_are_no_calls(organization: Organization) -> None:
    gone, rep = organization.member("user"), organization.member("user")
    organization.admin.delete(f"/membership/{gone.get('/me/')['memberships'][0]['id']}/")
    found = rep.get("/user/availability/", organization_id=organization.system.organization)
    assert [one["user_id"] for one in found["data"]] == [organization.admin.user_id, rep.user_id]
    channels: list[dict[str, Any]] = [
        {"type": type, "status": "offline", "active_calls": []}
        for type in ("mobile", "native", "web")
    ]
    assert all(one["availability"] == channels for one in found["data"])
