"""Nobody gives out more rights than they have, by whichever way; roles of one's own count alike."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from harness import Api, Organization, rows_of
from identity.people import Person, login_rows, make_person, new_address, shown_error

MANAGES = ("manage_organization", "view_all_leads", "calling")
TOO_MUCH = {"error": "You cannot give somebody a role that has more rights than yours."}
TOO_MUCH_INVITED = {
    "error": "You cannot invite somebody to a role that has more rights than yours."
}
TOO_MUCH_WRITTEN = {"error": "You cannot give a role more rights than you have."}
TOO_MUCH_TAKEN = {"error": "You cannot take from somebody a role that has more rights than yours."}
MORE_THAN_ONES_OWN = {
    "error": "You cannot change the rights of a role that has more than you have."
}
STRONGER_KEY = {"error": "You cannot delete a key of somebody who has more rights than you."}
OUTDATED = "This invitation does not hold any more. Please ask for a new one."


def make_role(organization: Organization, *permissions: str, **rest: Any) -> str:
    body = {"name": "Own", "permissions": list(permissions), **rest}
    return str(organization.admin.post("/role/", body)["id"])


def manager(organization: Organization, *more: str) -> Api:
    """Who manages the organization and may do little else."""
    return organization.member(make_role(organization, *MANAGES, *more))


def membership_id(api: Api) -> str:
    return str(api.get("/me/")["memberships"][0]["id"])


def invite(api: Api, role: str, email: str = "") -> requests.Response:
    return api("POST", "/invitation/", {"email": email or new_address(), "role_id": role})


def take_in(api: Api, role: str) -> requests.Response:
    return api("POST", "/membership/", {"email": new_address(), "role_id": role})


def state(organization: Organization) -> Any:
    return rows_of(organization), login_rows(organization.program)


def join(person: Person, link: str) -> requests.Response:
    sent = {"first_name": "Rosa", "last_name": "Lind", "password": person.password}
    return person.follow(link, **sent)


def test_one_is_invited_to_a_role_of_ones_own(organization: Organization) -> None:
    role = make_role(organization, "view_all_leads", "export")
    person = Person(organization.program, new_address())
    made = invite(organization.admin, role, person.email)
    assert (made.status_code, made.json()["role_id"]) == (200, role)
    assert join(person, made.json()["link"]).status_code == 200
    person.sign_in()
    [membership] = person.ask("GET", "/api/v1/me/").json()["memberships"]
    assert membership["role_id"] == role
    assert membership["permissions_granted"] == ["export", "view_all_leads"]


@pytest.mark.parametrize("role", ["role_unknown", "owner", "{user}", "\0"])
def test_an_unknown_role_is_invited_to_by_nobody(organization: Organization, role: str) -> None:
    before = state(organization)
    answer = invite(organization.admin, role.format(user=organization.admin.user_id))
    assert answer.status_code == 400
    assert answer.json()["field-errors"] == {"role": "Object does not exist."}
    assert state(organization) == before


@pytest.mark.parametrize(
    ("give", "error"), [(invite, TOO_MUCH_INVITED), (take_in, TOO_MUCH)], ids=["invite", "take in"]
)
def test_roles_are_compared_by_their_rights(
    organization: Organization, give: Callable[[Api, str], requests.Response], error: Any
) -> None:
    api = manager(organization)
    more = make_role(organization, "view_all_leads", "export")
    before = state(organization)
    for role in ("superuser", "user", more):
        answer = give(api, role)
        assert (answer.status_code, answer.json()) == (403, error)
    assert state(organization) == before
    assert give(api, make_role(organization, "view_all_leads", "calling")).status_code == 200


def test_only_an_admin_makes_admins(organization: Organization) -> None:
    every = sorted(organization.admin.get("/role/admin/")["permissions"])
    api = organization.member(make_role(organization, *every))
    rep = organization.member("user")
    before = state(organization)
    assert invite(api, "admin").json() == TOO_MUCH_INVITED
    answer = api("PUT", f"/membership/{membership_id(rep)}/", {"role_id": "admin"})
    assert (answer.status_code, answer.json()) == (403, TOO_MUCH)
    assert state(organization) == before
    assert invite(api, "superuser").status_code == 200


def test_a_member_gets_no_more_than_the_one_has_who_gives_it(organization: Organization) -> None:
    api, own = manager(organization), make_role(organization, "view_all_leads")
    rep = organization.member(make_role(organization, "view_all_leads", "calling"))
    me, id = membership_id(api), membership_id(rep)
    before = state(organization)
    for one in (me, id):
        answer = api("PUT", f"/membership/{one}/", {"role_id": "user"})
        assert (answer.status_code, answer.json()) == (403, TOO_MUCH)
    answer = api("PUT", "/membership/", {"role_id": "user"}, id__in=f"{me},{id}")
    assert (answer.status_code, answer.json()) == (403, TOO_MUCH)
    assert state(organization) == before
    assert api.put(f"/membership/{id}/", {"role_id": own})["role_id"] == own
    strong = membership_id(organization.member("superuser"))
    changed = api.put(f"/membership/{strong}/", {"track_email_opens": False})
    assert (changed["track_email_opens"], changed["role_id"]) == (False, "superuser")


def test_who_comes_back_gets_no_more_either(organization: Organization) -> None:
    gone = organization.member("superuser")
    email, id = gone.get("/me/")["email"], membership_id(gone)
    organization.admin.delete(f"/membership/{id}/")
    api = manager(organization)
    before = state(organization)
    answer = api("POST", "/membership/", {"email": email, "role_id": "superuser"})
    assert (answer.status_code, answer.json()) == (403, TOO_MUCH)
    assert state(organization) == before
    assert gone("GET", "/me/").status_code == 401


def test_nobody_writes_more_into_a_role_than_they_have(organization: Organization) -> None:
    api = manager(organization)
    mine = api.get("/me/")["memberships"][0]["role_id"]
    other = make_role(organization, "view_all_leads", "export")
    before = state(organization)
    for method, path, permissions in (
        ("POST", "/role/", ["view_all_leads", "export"]),
        ("PUT", f"/role/{mine}/", [*MANAGES, "export"]),
        ("PUT", f"/role/{other}/", ["view_all_leads", "export", "calling"]),
    ):
        answer = api(method, path, {"name": "x", "permissions": permissions})
        assert (answer.status_code, answer.json()) == (403, TOO_MUCH_WRITTEN)
    assert state(organization) == before
    assert api.put(f"/role/{other}/", {"name": "Renamed"})["name"] == "Renamed"
    less = {"name": "Callers", "permissions": ["calling", "view_all_leads"]}
    callers = api.post("/role/", less)["id"]
    less["permissions"] = ["view_all_leads"]
    assert api.put(f"/role/{callers}/", less)["permissions"] == ["view_all_leads"]


def test_nobody_takes_from_a_role_what_they_lack(organization: Organization) -> None:
    api, other = manager(organization), make_role(organization, "view_all_leads", "export")
    before = state(organization)
    answer = api("PUT", f"/role/{other}/", {"permissions": ["view_all_leads"]})
    assert (answer.status_code, answer.json()) == (403, MORE_THAN_ONES_OWN)
    assert state(organization) == before


def test_nobody_takes_a_role_that_has_more_rights_than_theirs(organization: Organization) -> None:
    api, own = manager(organization), make_role(organization, "view_all_leads")
    strong = [membership_id(organization.member(role)) for role in ("admin", "superuser", "user")]
    weak = membership_id(organization.member(own))
    before = state(organization)
    for id in strong:
        for method, body in (("PUT", {"role_id": own}), ("DELETE", None)):
            answer = api(method, f"/membership/{id}/", body)
            assert (answer.status_code, answer.json()) == (403, TOO_MUCH_TAKEN)
    answer = api("PUT", "/membership/", {"role_id": own}, id__in=f"{weak},{strong[0]}")
    assert (answer.status_code, answer.json()) == (403, TOO_MUCH_TAKEN)
    assert state(organization) == before
    assert api("DELETE", f"/membership/{weak}/").status_code == 200
    assert organization.admin("DELETE", f"/membership/{strong[0]}/").status_code == 200


def test_who_leaves_by_themselves_needs_no_more_than_they_have(organization: Organization) -> None:
    api = manager(organization)
    assert api("DELETE", f"/membership/{membership_id(api)}/").status_code == 200
    assert api("GET", "/me/").status_code == 401


def test_nobody_deletes_a_key_of_who_has_more_rights(organization: Organization) -> None:
    api, strong = manager(organization), organization.member("superuser")
    weak = organization.member(make_role(organization, "view_all_leads"))
    before = state(organization)
    for owner in (organization.admin, strong):
        answer = api("DELETE", f"/api_key/{owner.key.partition('.')[0]}/")
        assert (answer.status_code, answer.json()) == (403, STRONGER_KEY)
    assert state(organization) == before
    assert strong("GET", "/me/").status_code == 200
    for owner, by in ((weak, api), (strong, organization.admin), (api, api)):
        assert by("DELETE", f"/api_key/{owner.key.partition('.')[0]}/").status_code == 200
        assert owner("GET", "/me/").status_code == 401


def test_a_key_of_who_has_left_is_deleted_like_any(organization: Organization) -> None:
    api, gone = manager(organization), organization.member("superuser")
    organization.admin.delete(f"/membership/{membership_id(gone)}/")
    assert api("DELETE", f"/api_key/{gone.key.partition('.')[0]}/").status_code == 200


def test_nobody_lets_others_see_more_leads_than_they_see(organization: Organization) -> None:
    admin = organization.admin
    one, two = (
        admin.post("/custom_field/lead/", {"name": name, "type": "user"})["id"]
        for name in ("Owner", "Second")
    )
    api = organization.limited(one, more=("manage_organization",))

    def role(*fields: str, behavior: str | None = "require_assignment") -> dict[str, Any]:
        return {
            "name": "x",
            "permissions": [] if fields else ["view_all_leads"],
            "visibility_user_lcf_ids": list(fields) or None,
            "visibility_user_lcf_behavior": behavior,
        }

    wider = [role(behavior=None), role(one, two), role(one, behavior="allow_unassigned")]
    ids = [admin.post("/role/", body)["id"] for body in wider]
    before = state(organization)
    for body, id in zip(wider, ids, strict=True):
        assert api("POST", "/role/", body).json() == TOO_MUCH_WRITTEN
        assert invite(api, id).json() == TOO_MUCH_INVITED
    assert state(organization) == before
    assert invite(api, api.post("/role/", role(one))["id"]).status_code == 200


def test_a_field_less_makes_more_leads_unassigned(organization: Organization) -> None:
    admin = organization.admin
    one, two = (
        admin.post("/custom_field/lead/", {"name": name, "type": "user"})["id"]
        for name in ("Owner", "Second")
    )
    api = organization.limited(one, two, unassigned=True, more=("manage_organization",))
    body = {"name": "x", "permissions": [], "visibility_user_lcf_behavior": "allow_unassigned"}
    before = state(organization)
    answer = api("POST", "/role/", body | {"visibility_user_lcf_ids": [one]})
    assert (answer.status_code, answer.json()) == (403, TOO_MUCH_WRITTEN)
    assert state(organization) == before
    answer = api("POST", "/role/", body | {"visibility_user_lcf_ids": [two, one]})
    assert answer.status_code == 201


def test_who_has_more_rights_is_not_reset(organization: Organization) -> None:
    api = manager(organization)
    strong = make_person(organization, make_role(organization, "view_all_leads", "export"))
    admin, weak = make_person(organization, "admin"), make_person(organization, "restricteduser")
    before = state(organization)
    for person in (strong, admin, weak):
        answer = api("POST", f"/user/{person.user_id}/password_reset/", {})
        assert answer.status_code == 403
        assert api("DELETE", f"/user/{person.user_id}/second_factor/").status_code == 403
    assert state(organization) == before
    fitting = make_person(organization, make_role(organization, "view_all_leads", "calling"))
    assert api("POST", f"/user/{fitting.user_id}/password_reset/", {}).status_code == 200


def test_a_link_to_a_password_ends_when_its_login_gets_more_rights(
    organization: Organization,
) -> None:
    api, role = manager(organization), make_role(organization, "view_all_leads")
    person = make_person(organization, role)
    link = str(api.post(f"/user/{person.user_id}/password_reset/", {})["link"])
    assert person.follow(link).status_code == 200
    more = {"permissions": ["view_all_leads", "export"]}
    organization.admin.put(f"/role/{role}/", more)
    before = state(organization)
    assert person.follow(link, password="battery", again="battery").status_code == 404
    assert state(organization) == before


@pytest.mark.parametrize("then", ["more", "gone", "less"])
def test_an_invitation_holds_while_who_made_it_could_make_it(
    organization: Organization, then: str
) -> None:
    admin, api = organization.admin, manager(organization)
    mine = api.get("/me/")["memberships"][0]["role_id"]
    role = make_role(organization, "view_all_leads", "calling")
    person = Person(organization.program, new_address())
    link = invite(api, role, person.email).json()["link"]
    assert person.follow(link).status_code == 200
    match then:
        case "more":
            permissions = ["view_all_leads", "calling", "export"]
            admin.put(f"/role/{role}/", {"permissions": permissions})
        case "gone":
            admin.delete(f"/role/{role}/")
        case "less":
            permissions = ["view_all_leads", "manage_organization"]
            admin.put(f"/role/{mine}/", {"permissions": permissions})
    before = state(organization)
    answer = join(person, link)
    assert (answer.status_code, shown_error(answer)) == (404, OUTDATED)
    assert state(organization) == before


def test_an_invitation_to_a_role_that_went_is_revoked_like_any(organization: Organization) -> None:
    role = make_role(organization, "view_all_leads")
    made = invite(organization.admin, role).json()
    organization.admin.delete(f"/role/{role}/")
    organization.admin.delete(f"/invitation/{made['id']}/")
    read = organization.admin.get(f"/invitation/{made['id']}/")
    assert (read["status"], read["role_id"]) == ("revoked", role)
