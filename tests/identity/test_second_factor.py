"""Codes of an app: set up, asked for, good once, and what becomes of a person who loses it."""

import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest
import requests
from harness import Organization
from identity.people import (
    PASSWORD,
    Person,
    code_of,
    login_rows,
    make_person,
    sql,
    turn_on,
)

NEEDED = {"error": "A code of the second factor is needed.", "second_factor": "required"}
WRONG = {"error": "The code does not fit, or was used before.", "second_factor": "required"}
PATH = "/session/second_factor/"


@pytest.fixture
def person(organization: Organization) -> Person:
    return make_person(organization)


def state(person: Person) -> tuple[bool, int]:
    told = person.ask("GET", PATH).json()
    return told["active"], told["recovery_codes_left"]


def refused(answer: requests.Response, body: dict[str, str]) -> None:
    assert (answer.status_code, answer.json()) == (401, body)
    assert "set-cookie" not in answer.headers


def test_a_code_is_asked_for_once_it_was_given_once(person: Person) -> None:
    person.sign_in()
    assert state(person) == (False, 0)
    made = person.ask("POST", PATH, {"password": PASSWORD})
    assert made.headers["cache-control"] == "no-store"
    told = made.json()
    assert re.fullmatch("[A-Z2-7]{32}", told["secret"])
    assert told["secret"] in told["uri"]
    assert ElementTree.fromstring(told["qr_svg"]).tag == "{http://www.w3.org/2000/svg}svg"
    assert state(person) == (False, 0)
    assert person.again().sign_in().status_code == 201
    done = person.ask("PUT", PATH, {"code": code_of(told["secret"], -1)})
    assert len(set(done.json()["recovery_codes"])) == 10
    assert state(person) == (True, 10)
    refused(person.again().sign_in(), NEEDED)
    assert person.again().sign_in(code=code_of(told["secret"])).status_code == 201


def test_a_wrong_first_code_turns_nothing_on(person: Person) -> None:
    person.sign_in()
    person.ask("POST", PATH, {"password": PASSWORD})
    before = login_rows(person.program)
    for wrong in ("", "x", "12345", "1234567", "\x00", "१२३४५६"):
        refused(person.ask("PUT", PATH, {"code": wrong}), WRONG)
    assert login_rows(person.program) == before
    assert person.again().sign_in().status_code == 201


def test_a_code_is_good_once(person: Person) -> None:
    app = turn_on(person)
    code = app.code()
    assert person.again().sign_in(code=code).status_code == 201
    refused(person.again().sign_in(code=code), WRONG)
    assert person.again().sign_in(code=app.code(1)).status_code == 201
    refused(person.again().sign_in(code=code), WRONG)


def test_a_code_is_good_once_for_many_at_the_same_time(person: Person) -> None:
    app = turn_on(person)
    code = app.code()
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(person.again().sign_in, code=code) for _ in range(4)]
    assert sorted(one.result().status_code for one in tries) == [201, 401, 401, 401]


def test_a_code_of_another_time_or_person_does_not_fit(
    organization: Organization, person: Person
) -> None:
    app, other = turn_on(person), turn_on(make_person(organization))
    for wrong in (app.code(-4), app.code(4), other.code(), other.recovery_codes[0]):
        refused(person.again().sign_in(code=wrong), WRONG)


def test_a_recovery_code_stands_in_for_the_app_once(person: Person) -> None:
    app = turn_on(person)
    first, second = app.recovery_codes[:2]
    assert person.again().sign_in(code=first).status_code == 201
    assert state(person) == (True, 9)
    refused(person.again().sign_in(code=first), WRONG)
    typed = f" {second.upper().replace('-', ' ')} "
    assert person.again().sign_in(code=typed).status_code == 201
    assert state(person) == (True, 8)


def test_guessing_codes_is_slowed_down_like_guessing_passwords(person: Person) -> None:
    app = turn_on(person)
    for _ in range(3):
        refused(person.again().sign_in(code="000000"), WRONG)
    # That the password is right in between forgives nothing.
    for _ in range(4):
        refused(person.again().sign_in(), NEEDED)
    for _ in range(2):
        refused(person.again().sign_in(code="000000"), WRONG)
    answer = person.again().sign_in(code=app.code())
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60


def test_many_guesses_at_once_are_no_more_than_in_turn(person: Person) -> None:
    turn_on(person)
    with ThreadPoolExecutor(12) as pool:
        tries = [pool.submit(person.again().sign_in, code="000000") for _ in range(12)]
    statuses = [one.result().status_code for one in tries]
    assert (statuses.count(401), statuses.count(429)) == (5, 7)


def test_setting_up_takes_the_password(person: Person) -> None:
    person.sign_in()
    before = login_rows(person.program)
    assert person.ask("POST", PATH, {"password": "wrong"}).status_code == 401
    assert person.ask("POST", PATH, {}).status_code == 400
    assert login_rows(person.program) == before


def test_another_is_set_up_only_when_the_first_is_off(person: Person) -> None:
    turn_on(person)
    before = login_rows(person.program)
    answer = person.ask("POST", PATH, {"password": PASSWORD})
    assert answer.status_code == 400
    answer = person.ask("PUT", PATH, {"code": "000000"})
    assert answer.status_code == 400
    assert login_rows(person.program) == before


def test_turning_off_takes_the_password_and_a_code(person: Person) -> None:
    app = turn_on(person)
    before = login_rows(person.program)
    wrong = [
        ({"password": "wrong", "code": app.code()}, 401),
        ({"password": PASSWORD, "code": "000000"}, 401),
        ({"password": PASSWORD, "code": app.code(-1)}, 401),
        ({"password": PASSWORD}, 400),
    ]
    for body, status in wrong:
        assert person.ask("DELETE", PATH, body).status_code == status
    assert login_rows(person.program) == before
    done = person.ask("DELETE", PATH, {"password": PASSWORD, "code": app.code()})
    assert done.status_code == 204
    assert state(person) == (False, 0)
    assert person.again().sign_in().status_code == 201
    again = person.ask("DELETE", PATH, {"password": PASSWORD, "code": app.code(1)})
    assert again.status_code == 400


def test_an_admin_lets_in_who_has_lost_the_app(organization: Organization, person: Person) -> None:
    turn_on(person)
    answer = organization.admin("DELETE", f"/user/{person.user_id}/second_factor/")
    assert (answer.status_code, answer.json()) == (200, {})
    assert person.again().sign_in().status_code == 201
    again = organization.admin("DELETE", f"/user/{person.user_id}/second_factor/")
    assert again.status_code == 400
    events = organization.admin.get("/event/", object_type="user", object_id=person.user_id)
    assert events["data"][0]["user_id"] == organization.admin.user_id


def test_a_key_or_nobody_has_no_second_factor(organization: Organization) -> None:
    url = f"{organization.program.url}{PATH}"
    key = organization.admin.key
    for method in ("GET", "POST", "PUT", "DELETE"):
        body = {"password": PASSWORD, "code": "000000"}
        for rest in ({}, {"auth": (key, "")}, {"cookies": {"clinch_session": key}}):
            answer = requests.request(method, url, json=body, timeout=30, **rest)
            assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})


def test_the_secret_and_the_codes_do_not_lie_open(person: Person) -> None:
    app = turn_on(person)
    [(sealed, hashes)] = sql(
        person.program,
        "select sealed_secret, recovery_codes from second_factor where user_id = $1",
        person.user_id,
    )
    assert app.secret.encode() not in sealed
    for code in app.recovery_codes:
        assert code.encode() not in hashes
        assert code.replace("-", "").encode() not in hashes


def test_another_sites_page_turns_nothing_off(person: Person) -> None:
    app = turn_on(person)
    before = login_rows(person.program)
    body = {"password": PASSWORD, "code": app.code()}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert person.ask("DELETE", PATH, body, headers).status_code == 403
    assert login_rows(person.program) == before
