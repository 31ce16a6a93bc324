"""Memberships: joining, changing roles, leaving, and the last admin."""

import secrets
import threading
from typing import Any

import pytest
from harness import Api, Organization, make_organization, rows_of

KEPT = "The last admin of an organization can be neither removed nor demoted."


def address() -> str:
    return f"new.{secrets.token_hex(4)}@harbour.example"


def membership_id(api: Api) -> str:
    return str(api.get("/me/")["memberships"][0]["id"])


def people(organization: Organization, **query: str) -> dict[str, Any]:
    path = f"/organization/{organization.system.organization}/"
    found: dict[str, Any] = organization.admin.get(path, **query)
    return found


def test_a_person_is_taken_in_by_address(organization: Organization) -> None:
    api, email = organization.admin, address()
    made = api.post("/membership/", {"email": email, "role_id": "user"})
    assert made["id"].startswith("memb_")
    assert (made["user_email"], made["role_id"], made["role"]) == (email, "user", "user")
    assert "view_all_leads" in made["permissions_granted"]
    assert (made["auto_record_calls"], made["track_email_opens"]) == ("unset", True)
    assert api.get(f"/user/{made['user_id']}/")["email"] == email
    assert made["id"] in [one["id"] for one in people(organization)["memberships"]]
    again = api.post("/membership/", {"email": email.upper(), "role_id": "user"})
    assert (again["id"], again["role_id"]) == (made["id"], "user")


def test_who_is_in_already_is_not_taken_in_in_another_role(organization: Organization) -> None:
    api, email = organization.admin, address()
    api.post("/membership/", {"email": email, "role_id": "user"})
    before = rows_of(organization)
    for role in ("superuser", "restricteduser"):
        answer = api("POST", "/membership/", {"email": email, "role_id": role})
        problem = "This person belongs to the organization already, in another role."
        assert (answer.status_code, answer.json()["field-errors"]) == (400, {"role": problem})
    assert rows_of(organization) == before


def test_who_is_in_another_organization_joins_with_the_same_user(
    organization: Organization,
) -> None:
    other, email = make_organization(organization.program), address()
    here = organization.admin.post("/membership/", {"email": email, "role_id": "user"})
    there = other.admin.post("/membership/", {"email": email, "role_id": "superuser"})
    assert here["user_id"] == there["user_id"]
    assert here["id"] != there["id"]
    assert people(organization)["user_count"] == people(other)["user_count"] == 2


def test_an_organization_names_whom_it_takes_in(organization: Organization) -> None:
    other, email = make_organization(organization.program), address()
    body = {"email": email, "role_id": "user", "first_name": "Nora", "last_name": "Quay"}
    made = organization.admin.post("/membership/", body, _fields="user_id,user_full_name")
    assert made == {"user_id": made["user_id"], "user_full_name": "Nora Quay"}
    renamed = organization.admin.post("/membership/", body | {"first_name": "Ann"})
    assert renamed["user_full_name"] == "Nora Quay"
    # What the one calls somebody is nothing that the other learns.
    there = other.admin.post("/membership/", {"email": email, "role_id": "user"})
    assert (there["user_id"], there["user_full_name"]) == (made["user_id"], "")


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({}, 400, {"email": "This field is required.", "role": "This field is required."}),
        ({"email": "bad", "role_id": "user"}, 400, {"email": "Invalid email address."}),
        ({"email": 5, "role_id": "user"}, 400, {"email": "Value must be of str type."}),
        ({"email": "a@b.example", "role_id": "boss"}, 400, {"role": "Object does not exist."}),
        ({"email": "a@b.example", "role_id": "\0"}, 400, {"role": "Object does not exist."}),
        ({"email": "a@b.example", "role_id": 5}, 400, {"role": "Value must be of str type."}),
        (
            {"email": "a@b.example", "role_id": "user", "first_name": 5, "last_name": "n" * 201},
            400,
            {
                "first_name": "Value must be of str type.",
                "last_name": "The value must be no longer than 200 characters.",
            },
        ),
        ({"email": "a@b.example", "role_id": "admin"}, 403, None),
    ],
)
def test_who_does_not_fit_is_not_taken_in(
    organization: Organization, body: Any, status: int, problem: Any
) -> None:
    before = rows_of(organization)
    answer = organization.admin("POST", "/membership/", body)
    assert answer.status_code == status
    assert problem is None or answer.json()["field-errors"] == problem
    assert rows_of(organization) == before


def test_a_dry_run_takes_nobody_in(organization: Organization) -> None:
    before, body = rows_of(organization), {"email": address(), "role_id": "user"}
    answer = organization.admin.post("/membership/", body, _dry_run="true")
    assert answer["user_email"] == body["email"]
    assert rows_of(organization) == before


def test_who_leaves_is_out_with_their_next_request_and_stays_known(
    organization: Organization,
) -> None:
    admin, rep = organization.admin, organization.member("user")
    email, id = rep.get("/me/")["email"], membership_id(rep)
    answer = admin("DELETE", f"/membership/{id}/")
    assert (answer.status_code, answer.json()) == (200, {})
    assert rep("GET", "/me/").status_code == 401
    assert admin.get(f"/user/{rep.user_id}/")["organizations"] == []
    assert rep.user_id in [user["id"] for user in admin.get("/user/")["data"]]
    assert [one["id"] for one in people(organization)["inactive_memberships"]] == [id]
    admin.delete(f"/membership/{id}/")
    back = admin.post("/membership/", {"email": email, "role_id": "superuser"})
    assert (back["id"], back["role_id"]) == (id, "superuser")
    assert rep.get("/me/")["organizations"][0]["id"] == organization.system.organization
    events = admin.get("/event/", object_type="membership")["data"]
    told = [event["action"] for event in events if event["object_id"] == id]
    stages = [action for action in told if action.endswith("activated")]
    assert stages == ["activated", "deactivated", "activated"]


def test_the_last_admin_stays(organization: Organization) -> None:
    admin = organization.admin
    id, before = membership_id(admin), rows_of(organization)
    for method, body in (("PUT", {"role_id": "user"}), ("DELETE", None)):
        answer = admin(method, f"/membership/{id}/", body)
        assert (answer.status_code, answer.json()) == (400, {"error": KEPT})
    answer = admin("PUT", "/membership/", {"role_id": "user"}, id__in=id)
    assert answer.status_code == 400
    assert rows_of(organization) == before
    other = organization.member("admin")
    both = f"{id},{membership_id(other)}"
    assert admin("PUT", "/membership/", {"role_id": "user"}, id__in=both).status_code == 400
    assert admin.put(f"/membership/{id}/", {"role_id": "user"})["role_id"] == "user"
    assert other("DELETE", f"/membership/{membership_id(other)}/").status_code == 400


def test_two_admins_do_not_remove_each_other_at_once(organization: Organization) -> None:
    for _ in range(5):
        admins = [organization.admin, organization.member("admin")]
        targets = [membership_id(admin) for admin in reversed(admins)]
        answers: list[int] = []

        def remove(api: Api, id: str, answers: list[int] = answers) -> None:
            answers.append(api("PUT", f"/membership/{id}/", {"role_id": "user"}).status_code)

        threads = [
            threading.Thread(target=remove, args=pair) for pair in zip(admins, targets, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = [api for api in admins if api.get("/me/")["memberships"][0]["role_id"] == "admin"]
        assert len(left) == 1, answers
        organization.admin = left[0]


def test_several_are_changed_at_once(organization: Organization) -> None:
    reps = [organization.member("user") for _ in range(3)]
    ids = [membership_id(rep) for rep in reps]
    body = {"role_id": "restricteduser", "auto_record_calls": "enabled"}
    asked = {**body, "_params": {"id__in": ",".join(ids[:2])}}
    assert organization.admin.put("/membership/", asked)["count"] == 2
    roles = [rep.get("/me/")["memberships"][0]["role_id"] for rep in reps]
    assert roles == ["restricteduser", "restricteduser", "user"]
    lead = reps[0].post("/lead/", {})
    assert reps[0]("DELETE", f"/lead/{lead['id']}/").status_code == 403


def test_all_are_never_changed_by_an_omission(organization: Organization) -> None:
    before = rows_of(organization)
    for query in ({}, {"id__in": ""}):
        answer = organization.admin("PUT", "/membership/", {"role_id": "user"}, **query)
        text = "Please name the memberships by id__in."
        assert (answer.status_code, answer.json()) == (400, {"error": text})
    assert rows_of(organization) == before


def test_what_a_membership_says_of_calls_and_mail_is_changed(api: Api) -> None:
    body = {
        "auto_record_calls": "disabled",
        "may_workflows_impersonate": True,
        "track_email_opens": False,
        "hangup_recording_url": "https://harbour.example/bye.mp3",
    }
    changed = api.put(f"/membership/{membership_id(api)}/", body)
    assert changed == changed | body
    assert changed["record_calls"] is False
