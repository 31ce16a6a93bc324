"""The commands that let people in: what they print, and whom they reach."""

import json

import pytest
from cli.administration.running import command
from harness import Organization, make_organization
from identity.people import Person, login_rows, make_person, new_address, turn_on

from clinch.cli.administration.telling import CommandError
from clinch.program import declarations
from clinch.resources.store import Store


def test_a_person_of_several_organizations_is_reset(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    person = make_person(organization)
    make_person(make_organization(organization.program, "Quay Sales"), email=person.email)
    command(organization, "user reset", email=person.email.upper(), second_factor=False)
    link = json.loads(capsys.readouterr().out)["link"]
    new = "battery staple"
    assert person.follow(link, password=new, again=new).status_code == 200
    person.password = new
    assert person.sign_in().status_code == 201


def test_a_second_factor_is_turned_off(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    person = make_person(organization)
    turn_on(person)
    command(organization, "user reset", email=person.email, second_factor=True)
    assert json.loads(capsys.readouterr().out)["second_factor"] == "off"
    assert person.again().sign_in().status_code == 201
    with pytest.raises(CommandError, match="This user has no second factor"):
        command(organization, "user reset", email=person.email, second_factor=True)


def test_somebody_is_invited(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person(organization.program, new_address())
    command(organization, "user invite", email=person.email, role="admin")
    link = json.loads(capsys.readouterr().out)["link"]
    sent = {"first_name": "Rosa", "last_name": "Lind", "password": person.password}
    assert person.follow(link, **sent).status_code == 200
    person.sign_in()
    assert person.ask("GET", "/api/v1/me/").json()["memberships"][0]["role_id"] == "admin"


def test_somebody_is_invited_to_a_role_of_ones_own(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"name": "Closer", "permissions": ["view_all_leads"]}
    role = organization.admin.post("/role/", body)["id"]
    command(organization, "user invite", email=new_address(), role=role)
    assert json.loads(capsys.readouterr().out)["role_id"] == role
    other = make_organization(organization.program, "Quay Sales")
    with pytest.raises(CommandError, match=f"there is no role {role}"):
        command(other, "user invite", email=new_address(), role=role)


def test_what_cannot_be_done_says_why(organization: Organization) -> None:
    person = make_person(organization)
    nowhere = Store(organization.program.store.database, declarations())
    before = login_rows(organization.program)
    reset = {"email": person.email, "second_factor": False}
    for words, arguments, store, why in (
        ("user reset", reset | {"email": new_address()}, None, "nobody signs in"),
        ("user reset", reset, nowhere, "set CLINCH_PUBLIC_URL"),
        ("user invite", {"email": "a@b.example", "role": "user"}, nowhere, "set CLINCH_PUBLIC_URL"),
        ("user invite", {"email": "a@b.example", "role": "owner"}, None, "there is no role owner"),
        ("user invite", {"email": person.email, "role": "user"}, None, "belongs to the"),
        ("user invite", {"email": "a@", "role": "user"}, None, "^email: Invalid email address.$"),
    ):
        with pytest.raises(CommandError, match=why):
            command(organization, words, store, **arguments)
    assert login_rows(organization.program) == before
