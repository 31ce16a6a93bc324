"""Signing in with a password: the session it gives, and what keeps others out."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import requests
from argon2 import PasswordHasher, Type
from harness import TEST, Organization, make_organization
from identity.people import PASSWORD, Person, login_rows, make_person

from clinch.identity.users import NewUser, create_user
from clinch.resources.write.change import Change


@pytest.fixture
def email(organization: Organization) -> str:
    """The address of somebody who signs in with PASSWORD."""
    address = f"rosa.{organization.system.organization}@harbour.example"
    new = NewUser(address, "Rosa", "Lind", "user", PASSWORD)
    organization.program.run(
        create_user(organization.program.store, organization.system, new, TEST)
    )
    return address


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def sign_in(
    organization: Organization, browser: requests.Session, email: str, **rest: Any
) -> requests.Response:
    body = {"email": email, "password": PASSWORD, **rest}
    return browser.post(f"{organization.program.url}/session/", json=body, timeout=30)


def test_a_session_acts_with_the_users_rights(
    organization: Organization, browser: requests.Session, email: str
) -> None:
    api = f"{organization.program.url}/api/v1"
    response = sign_in(organization, browser, email.upper())
    assert response.status_code == 201
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert browser.get(f"{api}/me/", timeout=30).json()["first_name"] == "Rosa"
    made = browser.post(f"{api}/lead/", json={"name": "x"}, timeout=30)
    assert made.status_code == 200
    refused = browser.post(f"{api}/status/lead/", json={"label": "x"}, timeout=30)
    assert refused.status_code == 403


def test_signing_out_ends_the_session_at_once(
    organization: Organization, browser: requests.Session, email: str
) -> None:
    sign_in(organization, browser, email)
    kept = browser.cookies.copy()
    me = f"{organization.program.url}/api/v1/me/"
    assert requests.get(me, cookies=kept, timeout=30).status_code == 200
    assert browser.delete(f"{organization.program.url}/session/", timeout=30).status_code == 204
    ended = requests.get(me, cookies=kept, timeout=30)
    assert (ended.status_code, ended.json()) == (401, {"error": "Unauthorized"})


def test_who_knows_the_id_of_a_credential_alone_ends_nothing(
    organization: Organization, browser: requests.Session, email: str
) -> None:
    url = f"{organization.program.url}/session/"
    sign_in(organization, browser, email)
    session = str(browser.cookies["clinch_session"])
    key = organization.admin.key
    for text in (session.partition(".")[0], f"{session[:-1]}!", key.partition(".")[0], key):
        requests.delete(url, cookies={"clinch_session": text}, timeout=30)
    assert browser.get(f"{organization.program.url}/api/v1/me/", timeout=30).status_code == 200
    assert organization.admin("GET", "/me/").status_code == 200


def test_a_deactivated_member_is_out_at_once(
    organization: Organization, browser: requests.Session, email: str
) -> None:
    from clinch.identity.users import Membership

    program, system = organization.program, organization.system
    sign_in(organization, browser, email)
    me = f"{program.url}/api/v1/me/"
    user_id = browser.get(me, timeout=30).json()["id"]

    async def turn(active: bool) -> None:
        async with program.store.reading(system) as transaction:
            id = await transaction.value(
                "select id from membership where organization_id = $1 and user_id = $2",
                system.organization_id,
                user_id,
            )
        change = Change.update(Membership, id, {"active": active}, trusted=True)
        await program.store.write(system, [change], TEST, answer=False)

    program.run(turn(active=False))
    assert browser.get(me, timeout=30).status_code == 401
    assert sign_in(organization, requests.Session(), email).status_code == 401
    program.run(turn(active=True))
    assert browser.get(me, timeout=30).status_code == 401, "who comes back signs in anew"
    assert sign_in(organization, browser, email).status_code == 201


def test_a_session_ends_by_itself(
    organization: Organization, browser: requests.Session, email: str, cluster: str
) -> None:
    sign_in(organization, browser, email)
    me = f"{organization.program.url}/api/v1/me/"
    assert browser.get(me, timeout=30).status_code == 200

    async def expire() -> None:
        connection = await asyncpg.connect(cluster)
        await connection.execute(
            "update credential set expires_at = now() - interval '1 second'"
            " where expires_at is not null and organization_id = $1",
            organization.system.organization_id,
        )
        await connection.close()

    asyncio.run(expire())
    assert browser.get(me, timeout=30).status_code == 401


def test_a_wrong_address_and_a_wrong_password_are_told_alike(
    organization: Organization, email: str
) -> None:
    url = f"{organization.program.url}/session/"
    answers = [
        requests.post(url, json={"email": address, "password": password}, timeout=30)
        for address, password in [(email, "wrong"), ("nobody@harbour.example", PASSWORD)]
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].content == answers[1].content
    assert all("set-cookie" not in answer.headers for answer in answers)


def test_guessing_is_slowed_down(organization: Organization, email: str) -> None:
    url = f"{organization.program.url}/session/"
    for _ in range(5):
        wrong = requests.post(url, json={"email": email, "password": "wrong"}, timeout=30)
        assert wrong.status_code == 401
    right = sign_in(organization, requests.Session(), email)
    assert right.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= 15 * 60


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
def test_another_sites_page_cannot_use_the_session(
    organization: Organization, browser: requests.Session, email: str, headers: dict[str, str]
) -> None:
    sign_in(organization, browser, email)
    api = f"{organization.program.url}/api/v1/lead/"
    before = organization.admin.get("/lead/")["total_results"]
    refused = browser.post(api, json={"name": "x"}, headers=headers, timeout=30)
    assert refused.status_code == 403
    assert organization.admin.get("/lead/")["total_results"] == before
    url = f"{organization.program.url}/session/"
    assert browser.delete(url, headers=headers, timeout=30).status_code == 403
    same = {"origin": organization.program.url}
    assert browser.post(api, json={"name": "x"}, headers=same, timeout=30).status_code == 200


def test_a_person_in_two_organizations_chooses_one(
    organization: Organization, browser: requests.Session, email: str
) -> None:
    other = make_organization(organization.program, "Quay Sales")
    again = NewUser(email, "Rosa", "Lind", "admin")
    organization.program.run(create_user(other.program.store, other.system, again, TEST))
    me = f"{organization.program.url}/api/v1/me/"
    sign_in(organization, browser, email, organization_id=other.system.organization)
    assert browser.get(me, timeout=30).json()["organizations"][0]["name"] == "Quay Sales"
    sign_in(organization, browser, email)
    assert browser.get(me, timeout=30).json()["organizations"][0]["name"] == "Harbour Sales"


@pytest.mark.parametrize("body", [{}, {"email": "a@b.example"}, {"email": 1, "password": "x"}])
def test_what_is_missing_is_told(organization: Organization, body: dict[str, Any]) -> None:
    refused = requests.post(f"{organization.program.url}/session/", json=body, timeout=30)
    assert refused.status_code == 400
    assert set(refused.json()["field-errors"].values()) == {"This field is required."}


# Several sessions


def test_a_user_sees_their_sessions_and_how_old_they_are(organization: Organization) -> None:
    person, stranger = make_person(organization), make_person(organization)
    first, second = person.again(), person.again()
    for one in (first, second, stranger):
        assert one.sign_in().status_code == 201
    listed = second.ask("GET", "/session/").json()["data"]
    assert [session["is_current"] for session in listed] == [True, False]
    for session in listed:
        assert session["organization_id"] == organization.system.organization
        made, ends = map(datetime.fromisoformat, (session["date_created"], session["expires_at"]))
        assert timedelta(days=13) < ends - made <= timedelta(days=14, seconds=1)
        assert abs(datetime.now(UTC) - made) < timedelta(minutes=5)
    assert "." not in listed[0]["id"]


def test_a_session_is_ended_from_another(organization: Organization) -> None:
    person, stranger = make_person(organization), make_person(organization)
    first, second = person.again(), person.again()
    for one in (first, second, stranger):
        one.sign_in()
    [id] = [s["id"] for s in first.ask("GET", "/session/").json()["data"] if s["is_current"]]
    for method, other in (("DELETE", stranger), ("DELETE", Person(person.program, person.email))):
        assert other.ask(method, f"/session/{id}/").status_code in (401, 404)
    key = organization.admin.key.partition(".")[0]
    for unknown in (key, "sess_unknown", "%00", "%F0%9F%98%80"):
        assert second.ask("DELETE", f"/session/{unknown}/").status_code == 404
    assert first.is_in()
    assert organization.admin("GET", "/me/").status_code == 200
    assert second.ask("DELETE", f"/session/{id}/").status_code == 204
    assert not first.is_in()
    assert second.is_in()
    assert first.ask("GET", "/session/").status_code == 401


def test_all_other_sessions_are_ended_at_once(organization: Organization) -> None:
    person, stranger = make_person(organization), make_person(organization)
    others, current = [person.again(), person.again()], person.again()
    for one in (*others, current, stranger):
        one.sign_in()
    assert current.ask("DELETE", "/session/others/").status_code == 204
    assert [one.is_in() for one in (*others, current, stranger)] == [False, False, True, True]


def test_sessions_of_all_organizations_are_ones_own(organization: Organization) -> None:
    person = make_person(organization)
    quay = make_organization(organization.program, "Quay Sales")
    make_person(quay, email=person.email)
    here, there = person.again(), person.again()
    here.sign_in()
    there.sign_in(organization_id=quay.system.organization)
    listed = here.ask("GET", "/session/").json()["data"]
    assert [session["organization_id"] for session in listed] == [
        quay.system.organization,
        organization.system.organization,
    ]
    assert here.ask("DELETE", "/session/others/").status_code == 204
    assert (here.is_in(), there.is_in()) == (True, False)


def test_another_password_ends_the_other_sessions(organization: Organization) -> None:
    person = make_person(organization)
    other = person.again()
    person.sign_in()
    other.sign_in()
    link = organization.admin.post(f"/user/{person.user_id}/password_reset/", {})["link"]
    before = login_rows(person.program)
    path, new = "/session/password/", "battery staple"
    for body, status in (
        ({"password": "wrong", "new_password": new}, 401),
        ({"password": PASSWORD, "new_password": "short"}, 400),
        ({"password": PASSWORD}, 400),
    ):
        assert person.ask("PUT", path, body).status_code == status
    assert login_rows(person.program) == before
    body = {"password": PASSWORD, "new_password": new}
    assert person.ask("PUT", path, body).status_code == 204
    assert (person.is_in(), other.is_in()) == (True, False)
    assert person.follow(link).status_code == 404
    assert other.sign_in().status_code == 401
    other.password = new
    assert other.sign_in().status_code == 201


@pytest.mark.parametrize("email", ["\x00", "a\x00@harbour.example", "é" * 3000, "' or 1=1 --"])
def test_an_odd_address_is_nobodys(organization: Organization, email: str) -> None:
    assert Person(organization.program, email).sign_in().status_code == 401


@pytest.mark.parametrize("raw", [b'{"email": "\\ud800", "password": "x"}', b"{", b"[]", b""])
def test_an_odd_body_is_refused(organization: Organization, raw: bytes) -> None:
    headers = {"content-type": "application/json"}
    url = f"{organization.program.url}/session/"
    answer = requests.post(url, data=raw, headers=headers, timeout=30)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"]


def test_passwords_are_costly_to_guess(costly_hasher: PasswordHasher) -> None:
    """What RFC 9106 recommends where memory is scarce, at least."""
    assert costly_hasher.type is Type.ID
    assert costly_hasher.memory_cost >= 64 * 1024
    assert costly_hasher.time_cost >= 3
