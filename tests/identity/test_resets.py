"""A link to a new password: who may make it, that it works once, and what it ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from harness import TEST, Api, Organization, make_organization, rows_of
from identity.people import Person, login_rows, make_person, shown_error, sql, turn_on

from clinch.identity.users import NewUser, create_user

NEW = "battery staple"
NOT_OURS = {"error": "Only the operator of this installation can reset this login."}


def reset(api: Api, person: Person) -> requests.Response:
    return api("POST", f"/user/{person.user_id}/password_reset/", {})


def link_for(organization: Organization, person: Person) -> str:
    answer = reset(organization.admin, person)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["link"])


def test_a_link_sets_a_password_and_ends_every_session(organization: Organization) -> None:
    person = make_person(organization)
    elsewhere = person.again()
    assert person.sign_in().status_code == elsewhere.sign_in().status_code == 201
    link = link_for(organization, person)
    assert link.startswith(f"{organization.program.url}/password/pwre_")
    page = person.follow(link)
    assert (page.status_code, person.email in page.text) == (200, True)
    assert person.is_in()
    done = person.follow(link, password=NEW, again=NEW)
    assert (done.status_code, "Your password is set." in done.text) == (200, True)
    assert not person.is_in()
    assert not elsewhere.is_in()
    assert person.sign_in().status_code == 401
    person.password = NEW
    assert person.sign_in().status_code == 201


def test_a_reset_is_not_only_tried(organization: Organization) -> None:
    person = make_person(organization)
    turn_on(person)
    url = f"/user/{person.user_id}"
    before = rows_of(organization)
    for method, path in (("POST", "password_reset"), ("DELETE", "second_factor")):
        refused = organization.admin(method, f"{url}/{path}/", {}, _dry_run="true")
        assert refused.status_code == 400
        assert "_dry_run" in refused.json()["error"]
    assert rows_of(organization) == before
    assert person.again().sign_in().status_code == 401, "the code is still asked for"


def test_a_link_works_once(organization: Organization) -> None:
    person = make_person(organization)
    link = link_for(organization, person)
    assert person.follow(link, password=NEW, again=NEW).status_code == 200
    before = login_rows(organization.program)
    for answer in (
        person.follow(link, password="another one", again="another one"),
        person.follow(link),
    ):
        assert answer.status_code == 404
        assert shown_error(answer) == "This link is not one of ours. Please check it."
    assert login_rows(organization.program) == before


def test_a_link_works_once_for_many_at_the_same_time(organization: Organization) -> None:
    person = make_person(organization)
    link = link_for(organization, person)
    passwords = [f"battery staple {number}" for number in range(6)]

    def follow(password: str) -> int:
        return person.again().follow(link, password=password, again=password).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(follow, passwords))
    assert sorted(statuses) == [200, 404, 404, 404, 404, 404]
    person.password = passwords[statuses.index(200)]
    assert person.sign_in().status_code == 201


def test_a_newer_link_ends_the_older(organization: Organization) -> None:
    person = make_person(organization)
    older, newer = link_for(organization, person), link_for(organization, person)
    assert person.follow(older).status_code == 404
    assert person.follow(newer).status_code == 200


def test_a_link_expires_within_an_hour(organization: Organization) -> None:
    person = make_person(organization)
    link = link_for(organization, person)
    [(left,)] = sql(
        organization.program,
        "select extract(epoch from expires_at - now())::float from link where user_id = $1",
        person.user_id,
    )
    assert 3500 < left <= 3600
    sql(
        organization.program,
        "update link set expires_at = now() where user_id = $1 returning 1",
        person.user_id,
    )
    before = login_rows(organization.program)
    answer = person.follow(link, password=NEW, again=NEW)
    assert answer.status_code == 404
    assert "has expired" in shown_error(answer)
    assert login_rows(organization.program) == before


@pytest.mark.parametrize(
    ("password", "again", "problem"),
    [
        ("short", "short", "Password: The password must have at least 8 characters."),
        ("x" * 1001, "x" * 1001, "Password: The password must have at most 1000 characters."),
        (NEW, "battery stable", "The two passwords differ."),
    ],
)
def test_what_is_no_password_leaves_the_link_and_the_old_one(
    organization: Organization, password: str, again: str, problem: str
) -> None:
    person = make_person(organization)
    link = link_for(organization, person)
    before = login_rows(organization.program)
    answer = person.follow(link, password=password, again=again)
    assert (answer.status_code, shown_error(answer)) == (400, problem)
    assert password not in answer.text
    assert login_rows(organization.program) == before


def test_a_wrong_secret_or_another_kind_of_link_leads_nowhere(organization: Organization) -> None:
    person = make_person(organization)
    link = link_for(organization, person)
    invited = organization.admin.post("/invitation/", {"email": "ada@harbour.example"})["link"]
    before = login_rows(organization.program)
    for wrong in (
        link[:-1],
        link + "x",
        link.rpartition(".")[0],
        f"{organization.program.url}/password/%00.x",
        f"{organization.program.url}/password/%F0%9F%98%80.x",
        link.replace("/password/", "/invitation/"),
        invited.replace("/invitation/", "/password/"),
    ):
        answer = person.follow(wrong, password=NEW, again=NEW)
        assert answer.status_code == 404, wrong
        assert shown_error(answer) == "This link is not one of ours. Please check it."
    assert login_rows(organization.program) == before


def test_only_the_hash_of_a_link_is_kept(organization: Organization) -> None:
    person = make_person(organization)
    secret = link_for(organization, person).rpartition(".")[2]
    assert secret not in str(login_rows(organization.program))
    assert secret not in str(rows_of(organization))


def test_the_log_tells_who_was_reset_by_whom(organization: Organization) -> None:
    person = make_person(organization)
    person.follow(link_for(organization, person), password=NEW, again=NEW)
    events = organization.admin.get("/event/", object_type="user", object_id=person.user_id)
    told = [(event["action"], event["user_id"]) for event in events["data"]]
    assert ("updated", organization.admin.user_id) in told
    assert ("updated", person.user_id) in told


# Who may


def test_a_login_of_another_organization_too_is_left_to_the_operator(
    organization: Organization,
) -> None:
    person = make_person(organization)
    other = make_organization(organization.program, "Quay Sales")
    again = NewUser(person.email, "Rosa", "Lind", "admin")
    organization.program.run(create_user(other.program.store, other.system, again, TEST))
    before = login_rows(organization.program)
    for one in (organization, other):
        answer = reset(one.admin, person)
        assert (answer.status_code, answer.json()) == (403, NOT_OURS)
        answer = one.admin("DELETE", f"/user/{person.user_id}/second_factor/")
        assert (answer.status_code, answer.json()) == (403, NOT_OURS)
    assert login_rows(organization.program) == before


def test_a_link_ends_when_the_login_joins_another_organization(organization: Organization) -> None:
    person = make_person(organization)
    link = link_for(organization, person)
    other = make_organization(organization.program, "Quay Sales")
    again = NewUser(person.email, "Rosa", "Lind", "user")
    organization.program.run(create_user(other.program.store, other.system, again, TEST))
    answer = person.follow(link, password=NEW, again=NEW)
    assert answer.status_code == 404
    assert person.sign_in().status_code == 201


def test_a_link_ends_with_the_rights_of_who_made_it(organization: Organization) -> None:
    person, second = make_person(organization), organization.member("admin")
    link = str(reset(second, person).json()["link"])
    assert person.follow(link).status_code == 200
    [membership] = [
        m["id"]
        for m in organization.admin.get(f"/organization/{organization.system.organization}/")[
            "memberships"
        ]
        if m["user_id"] == second.user_id
    ]
    organization.admin.put(f"/membership/{membership}/", {"role_id": "user"})
    assert person.follow(link, password=NEW, again=NEW).status_code == 404
    assert person.sign_in().status_code == 201


@pytest.mark.parametrize("role", ["superuser", "user", "restricteduser"])
def test_only_an_admin_may(organization: Organization, role: str) -> None:
    person, api = make_person(organization), organization.member(role)
    before = rows_of(organization), login_rows(organization.program)
    text = "You need the permission manage_organization to do this."
    for answer in (reset(api, person), api("DELETE", f"/user/{person.user_id}/second_factor/")):
        assert (answer.status_code, answer.json()) == (403, {"error": text})
    assert (rows_of(organization), login_rows(organization.program)) == before


@pytest.mark.parametrize("id", ["user_unknown", "%00", "é"])
def test_nobody_is_found_by_an_unknown_id(organization: Organization, id: str) -> None:
    stranger = make_person(make_organization(organization.program, "Quay Sales"))
    before = login_rows(organization.program)
    for path in (id, stranger.user_id):
        answer = organization.admin("POST", f"/user/{path}/password_reset/", {})
        text = "Empty query: User matching query does not exist."
        assert (answer.status_code, answer.json()) == (404, {"error": text})
    assert login_rows(organization.program) == before


def test_a_reset_of_the_password_leaves_the_second_factor(organization: Organization) -> None:
    person = make_person(organization)
    turn_on(person)
    person.follow(link_for(organization, person), password=NEW, again=NEW)
    person.password = NEW
    answer = person.again().sign_in()
    assert (answer.status_code, answer.json()["second_factor"]) == (401, "required")
