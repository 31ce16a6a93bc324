"""Invitations: who may make them, what their links do, and when they do nothing."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from harness import TEST, Organization, make_organization, rows_of
from identity.people import (
    PASSWORD,
    Person,
    login_rows,
    make_person,
    new_address,
    shown_error,
    sql,
    turn_on,
)

from clinch.identity.invitations import Invitation
from clinch.identity.users import Membership
from clinch.resources.errors import Forbidden
from clinch.resources.write.change import Change

NAMES = {"first_name": "Rosa", "last_name": "Lind"}
NOT_OURS = "This link is not one of ours. Please check it."
OUTDATED = "This invitation does not hold any more. Please ask for a new one."


def invite(organization: Organization, email: str, role: str = "user") -> dict[str, Any]:
    body = {"email": email, "role_id": role}
    made: dict[str, Any] = organization.admin.post("/invitation/", body)
    return made


def newcomer(organization: Organization) -> Person:
    return Person(organization.program, new_address())


def join(person: Person, invitation: dict[str, Any], **rest: str) -> requests.Response:
    sent = {**NAMES, "password": person.password, **rest}
    return person.follow(invitation["link"], **sent)


def membership_of(organization: Organization, email: str) -> dict[str, Any] | None:
    path = f"/organization/{organization.system.organization}/"
    people = organization.admin.get(path, _fields="memberships,inactive_memberships")
    found = [
        membership | {"active": key == "memberships"}
        for key in ("memberships", "inactive_memberships")
        for membership in people[key]
        if membership["user_email"] == email
    ]
    return found[0] if found else None


def set_active(organization: Organization, email: str, active: bool) -> None:
    member = membership_of(organization, email)
    assert member is not None
    change = Change.update(Membership, member["id"], {"active": active}, trusted=True)
    store = organization.program.store
    organization.program.run(store.write(organization.system, [change], TEST))


def unchanged(organization: Organization, before: Any = None) -> Any:
    now = rows_of(organization), login_rows(organization.program)
    assert before is None or now == before
    return now


# Making and revoking


def test_the_link_is_told_once(organization: Organization) -> None:
    email = new_address()
    made = invite(organization, email, "superuser")
    assert made["link"].startswith(f"{organization.program.url}/invitation/{made['id']}.")
    assert (made["email"], made["role_id"], made["status"]) == (email, "superuser", "pending")
    assert made["created_by"] == organization.admin.user_id
    for read in (
        organization.admin.get(f"/invitation/{made['id']}/"),
        *organization.admin.get("/invitation/", email=email)["data"],
    ):
        assert read == made | {"link": None}
    secret = made["link"].rpartition(".")[2]
    assert secret not in str(unchanged(organization))
    assert secret not in organization.admin("GET", "/event/").text


def test_the_link_is_left_out_where_it_was_not_asked_for(organization: Organization) -> None:
    body = {"email": new_address()}
    assert set(organization.admin.post("/invitation/", body, _fields="id")) == {"id"}


def test_a_dry_run_invites_nobody(organization: Organization) -> None:
    before = unchanged(organization)
    answer = organization.admin.post("/invitation/", {"email": new_address()}, _dry_run="true")
    unchanged(organization, before)
    page = requests.get(answer["link"], timeout=30)
    assert (page.status_code, shown_error(page)) == (404, NOT_OURS)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"email": "This field is required."}),
        ({"email": "rosa"}, {"email": "Invalid email address."}),
        ({"email": 1}, {"email": "Value must be of str type."}),
        (
            {"email": "rosa@harbour.example", "role_id": "owner"},
            {"role": "Object does not exist."},
        ),
    ],
)
def test_what_is_no_invitation_is_refused(
    organization: Organization, body: dict[str, Any], problems: dict[str, str]
) -> None:
    before = unchanged(organization)
    answer = organization.admin("POST", "/invitation/", body)
    assert (answer.status_code, answer.json()["field-errors"]) == (400, problems)
    unchanged(organization, before)


def test_a_member_is_not_invited(organization: Organization) -> None:
    person = make_person(organization)
    before = unchanged(organization)
    answer = organization.admin("POST", "/invitation/", {"email": person.email.upper()})
    text = "This person belongs to the organization already."
    assert (answer.status_code, answer.json()["field-errors"]) == (400, {"email": text})
    unchanged(organization, before)


def test_an_invitation_tells_nothing_of_other_organizations(organization: Organization) -> None:
    known = make_person(make_organization(organization.program, "Quay Sales"))
    answers = [invite(organization, email) for email in (known.email, new_address())]
    own = ("id", "email", "link", "date_created", "date_updated", "expires_at")
    assert len({str({k: v for k, v in a.items() if k not in own}) for a in answers}) == 1
    pages = [
        requests.get(answer["link"], timeout=30).text.replace(answer["email"], "")
        for answer in answers
    ]
    assert pages[0] == pages[1]


def test_nobody_says_when_and_by_whom_it_was_made(organization: Organization) -> None:
    body = {
        "email": new_address(),
        "date_created": "2030-01-01T00:00:00Z",
        "created_by": organization.member("admin").user_id,
        "expires_at": "2040-01-01T00:00:00Z",
        "status": "accepted",
    }
    made = organization.admin.post("/invitation/", body)
    assert made["created_by"] == organization.admin.user_id
    assert made["date_created"] < "2030"
    assert made["expires_at"] < "2040"
    assert made["status"] == "pending"


def test_nobody_invites_to_more_than_they_have(organization: Organization) -> None:
    some = organization.actor(permissions=frozenset({"manage_organization", "calling"}))
    before = unchanged(organization)
    store = organization.program.store
    for role in ("admin", "superuser", "user"):
        body = {"email": new_address(), "role_id": role}
        with pytest.raises(Forbidden):
            organization.program.run(store.write(some, [Change.create(Invitation, body)], TEST))
    unchanged(organization, before)


def test_a_revoked_one_leads_nowhere_and_stays_to_be_read(organization: Organization) -> None:
    person = newcomer(organization)
    made = invite(organization, person.email)
    assert organization.admin("DELETE", f"/invitation/{made['id']}/").status_code == 200
    assert organization.admin.get(f"/invitation/{made['id']}/")["status"] == "revoked"
    before = unchanged(organization)
    answer = join(person, made)
    assert (answer.status_code, shown_error(answer)) == (
        404,
        "This invitation was revoked already.",
    )
    again = organization.admin("DELETE", f"/invitation/{made['id']}/")
    assert (again.status_code, again.json()) == (
        400,
        {"error": "The invitation was revoked already."},
    )
    unchanged(organization, before)
    query = {"object_type": "invitation", "object_id": made["id"]}
    events = organization.admin.get("/event/", **query)["data"]
    assert [event["action"] for event in events] == ["updated", "created"]
    assert made["link"].rpartition(".")[2] not in str(events)


# Accepting


def test_a_new_person_sets_names_and_a_password(organization: Organization) -> None:
    person = newcomer(organization)
    made = invite(organization, person.email, "superuser")
    page = person.follow(made["link"])
    assert (page.status_code, person.email in page.text) == (200, True)
    assert join(person, made).status_code == 200
    assert person.sign_in().status_code == 201
    me = person.ask("GET", "/api/v1/me/").json()
    assert (me["first_name"], me["last_name"], me["email"]) == ("Rosa", "Lind", person.email)
    assert me["memberships"][0]["role_id"] == "superuser"
    read = organization.admin.get(f"/invitation/{made['id']}/")
    assert (read["status"], read["user_id"]) == ("accepted", me["id"])
    assert read["user_name"] == "Rosa Lind"


def test_one_is_accepted_once(organization: Organization) -> None:
    person = newcomer(organization)
    made = invite(organization, person.email)
    join(person, made)
    before = unchanged(organization)
    for answer in (join(person, made), person.follow(made["link"])):
        assert answer.status_code == 404
        assert shown_error(answer) == "This invitation was accepted already."
    answer = organization.admin("DELETE", f"/invitation/{made['id']}/")
    assert answer.json() == {"error": "The invitation was accepted already."}
    unchanged(organization, before)


@pytest.mark.parametrize("known", [False, True])
def test_one_is_accepted_once_by_many_at_the_same_time(
    organization: Organization, known: bool
) -> None:
    quay = make_organization(organization.program, "Quay Sales")
    person = make_person(quay) if known else newcomer(organization)
    made = invite(organization, person.email)
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(join, person.again(), made) for _ in range(4)]
    statuses = sorted(one.result().status_code for one in tries)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {400, 401, 404}
    assert person.sign_in().status_code == 201
    [(organizations,)] = sql(
        organization.program,
        "select cardinality(organization_ids) from login where email = $1",
        person.email,
    )
    assert organizations == 1 + known


def test_an_expired_one_leads_nowhere(organization: Organization) -> None:
    person = newcomer(organization)
    made = invite(organization, person.email)
    assert "2026" < made["date_created"] < made["expires_at"]
    sql(
        organization.program,
        "update link set expires_at = now() where id = $1 returning 1",
        made["id"],
    )
    before = unchanged(organization)
    answer = join(person, made)
    assert answer.status_code == 404
    assert shown_error(answer) == "This invitation has expired. Please ask for a new one."
    unchanged(organization, before)


def test_a_wrong_secret_leads_nowhere(organization: Organization) -> None:
    person = newcomer(organization)
    made, other = invite(organization, person.email), invite(organization, new_address())
    secret = other["link"].rpartition(".")[2]
    before = unchanged(organization)
    for link in (made["link"][:-1], f"{made['link'].rpartition('.')[0]}.{secret}"):
        answer = person.follow(link, **NAMES, password=PASSWORD)
        assert (answer.status_code, shown_error(answer)) == (404, NOT_OURS)
    unchanged(organization, before)


@pytest.mark.parametrize(
    "sent",
    [
        {"password": "short"},
        {"password": ""},
        {"password": PASSWORD, "first_name": "x" * 201},
        {"password": PASSWORD, "last_name": "\x00"},
    ],
)
def test_what_is_not_acceptable_is_told_and_the_form_keeps_the_names(
    organization: Organization, sent: dict[str, str]
) -> None:
    person = newcomer(organization)
    made = invite(organization, person.email)
    before = unchanged(organization)
    answer = person.follow(made["link"], **{**NAMES, "last_name": '"><b>', **sent})
    assert answer.status_code == 400
    assert shown_error(answer)
    assert "<b>" not in answer.text
    assert PASSWORD not in answer.text
    unchanged(organization, before)


def test_who_has_a_login_keeps_it_and_proves_it(organization: Organization) -> None:
    quay = make_organization(organization.program, "Quay Sales")
    person = make_person(quay)
    made = invite(organization, person.email.upper())
    before = unchanged(organization)
    for wrong in ("", "wrong", "battery staple"):
        answer = person.follow(made["link"], **NAMES, password=wrong)
        assert answer.status_code == 401
        assert "The password does not fit." in shown_error(answer)
    unchanged(organization, before)
    hashed = "select user_id, password_hash from login where user_id = $1"
    kept = sql(organization.program, hashed, person.user_id)
    assert join(person, made).status_code == 200
    assert sql(organization.program, hashed, person.user_id) == kept
    assert person.sign_in(organization_id=organization.system.organization).status_code == 201
    assert person.ask("GET", "/api/v1/me/").json()["id"] == person.user_id
    assert person.again().sign_in(organization_id=quay.system.organization).status_code == 201


def test_guessing_a_password_by_an_invitation_is_slowed_down(organization: Organization) -> None:
    person = make_person(make_organization(organization.program, "Quay Sales"))
    made = invite(organization, person.email)
    for _ in range(5):
        answer = person.follow(made["link"], **NAMES, password="wrong")
        assert answer.status_code == 401
    answer = join(person, made)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert person.sign_in().status_code == 429
    assert membership_of(organization, person.email) is None


def test_an_invitation_does_not_reset_the_guesses_of_codes(organization: Organization) -> None:
    person = make_person(make_organization(organization.program, "Quay Sales"))
    turn_on(person)
    for _ in range(5):
        person.again().sign_in(code="000000")
    assert join(person.again(), invite(organization, person.email)).status_code == 429


def test_a_live_session_needs_no_password(organization: Organization) -> None:
    person = make_person(make_organization(organization.program, "Quay Sales"))
    made = invite(organization, person.email)
    assert person.sign_in().status_code == 201
    page = person.follow(made["link"]).text
    assert 'type="password"' not in page
    proof = page.partition('name="proof" value="')[2].partition('"')[0]
    before = unchanged(organization)
    # A page that another made up, and a session of somebody else, do not have the proof.
    assert person.follow(made["link"], **NAMES).status_code == 401
    assert person.follow(made["link"], **NAMES, proof=proof[::-1]).status_code == 401
    stranger = make_person(organization)
    stranger.sign_in()
    assert stranger.follow(made["link"], **NAMES, proof=proof).status_code == 401
    now = unchanged(organization)
    assert [member for member in now[0]["membership"] if person.user_id in member] == []
    assert now[0]["invitation"] == before[0]["invitation"]
    assert person.follow(made["link"], **NAMES, proof=proof).status_code == 200
    assert membership_of(organization, person.email) is not None


def test_a_deactivated_member_is_back_in_the_role_offered(organization: Organization) -> None:
    person = make_person(organization)
    set_active(organization, person.email, False)
    made = invite(organization, person.email, "superuser")
    assert join(person, made, first_name="Other").status_code == 200
    member = membership_of(organization, person.email)
    assert member is not None
    assert (member["active"], member["role_id"], member["user_id"]) == (
        True,
        "superuser",
        person.user_id,
    )
    assert organization.admin.get(f"/user/{person.user_id}/")["first_name"] == "Rosa"
    assert person.sign_in().status_code == 201


def test_who_was_put_out_later_is_not_let_in_by_it(organization: Organization) -> None:
    person = newcomer(organization)
    first, second = invite(organization, person.email, "admin"), invite(organization, person.email)
    assert join(person, first).status_code == 200
    before = unchanged(organization)
    answer = join(person, second)
    assert shown_error(answer) == "You belong to the organization already."
    unchanged(organization, before)
    set_active(organization, person.email, False)
    before = unchanged(organization)
    answer = join(person, second)
    assert (answer.status_code, shown_error(answer)) == (404, OUTDATED)
    unchanged(organization, before)


def test_it_ends_with_the_rights_of_who_made_it(organization: Organization) -> None:
    maker, person = organization.member("admin"), newcomer(organization)
    made = maker.post("/invitation/", {"email": person.email, "role_id": "admin"})
    [membership] = maker.get("/me/")["memberships"]
    organization.admin.put(f"/membership/{membership['id']}/", {"role_id": "superuser"})
    before = unchanged(organization)
    answer = join(person, made)
    assert (answer.status_code, shown_error(answer)) == (404, OUTDATED)
    unchanged(organization, before)


def test_a_deleted_organization_leaves_no_invitation(organization: Organization) -> None:
    from clinch.identity.organizations import delete_organization

    other = make_organization(organization.program, "Quay Sales")
    person = newcomer(other)
    made = invite(other, person.email)
    organization.program.run(delete_organization(other.program.store, other.system.organization_id))
    assert not [rows for rows in rows_of(other).values() if rows]
    answer = join(person, made)
    assert (answer.status_code, shown_error(answer)) == (404, NOT_OURS)
