"""API keys over HTTP: what managers read of all of them, and everybody of their own."""

import pytest
from harness import Api, Organization, make_organization

NOT_FOUND = {"error": "Empty query: ApiKey matching query does not exist."}


def key_id(api: Api) -> str:
    return api.key.partition(".")[0]


def listed(api: Api) -> set[str]:
    return {key["id"] for key in api.get("/api_key/")["data"]}


def test_managers_read_all_keys_and_others_their_own(organization: Organization) -> None:
    admin, rep = organization.admin, organization.member("user")
    ids = key_id(admin), key_id(rep)
    assert listed(admin) == set(ids)
    assert admin.get(f"/api_key/{ids[1]}/")["user_id"] == rep.user_id
    assert listed(rep) == {ids[1]}
    own = rep.get(f"/api_key/{ids[1]}/")
    assert (own["user_id"], own["organization_id"]) == (
        rep.user_id,
        organization.system.organization,
    )
    assert rep.get(f"/api_key/{ids[1]}/", _fields="id") == {"id": ids[1]}
    assert rep.get("/api_key/", user_id=admin.user_id)["data"] == []
    answer = rep("GET", f"/api_key/{ids[0]}/")
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert rep("DELETE", f"/api_key/{ids[1]}/").status_code == 403


@pytest.mark.parametrize("role", ["admin", "user"])
def test_a_key_is_found_by_itself_by_those_it_is_of(organization: Organization, role: str) -> None:
    api = organization.member(role)
    assert api.get(f"/api_key/{api.key}/") == api.get(f"/api_key/{key_id(api)}/")
    foreign = make_organization(organization.program).admin
    id, _, secret = organization.admin.key.partition(".")
    mine = key_id(api)
    for key in (
        f"{id}.{secret}",
        f"{id}.x",
        foreign.key,
        f"{mine}.{secret}",
        f"{mine}.",
        f".{secret}",
    ):
        answer = api("GET", f"/api_key/{key}/")
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
