"""The commands that let people in: what they print, and whom they reach."""

import json
from pathlib import Path
from typing import Any

import pytest
from harness import TEST, Api, Organization, make_organization
from identity.people import Person, login_rows, make_person, new_address, turn_on

from clinch.cli.administration import SAMPLE_FILE, CommandError, administer
from clinch.crm.sample.organization import create_sample
from clinch.identity.api_keys import create_key
from clinch.identity.organizations import find_organization
from clinch.program import declarations
from clinch.resources.store import Store


def command(
    organization: Organization, words: str, store: Store | None = None, **arguments: Any
) -> None:
    program = organization.program
    told = {"organization": organization.system.organization, "json": True, **arguments}
    program.run(administer(store or program.store, words, told))


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


def test_every_key_is_listed(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    program, user = organization.program, organization.admin.user_id

    async def make() -> list[str]:
        return [
            await create_key(program.store, organization.system, user, str(number), TEST)
            for number in range(201)
        ]

    made = {key.partition(".")[0] for key in program.run(make())}
    command(organization, "key list")
    listed = [key["id"] for key in json.loads(capsys.readouterr().out)]
    assert len(listed) == len(set(listed)) == 202
    assert made < set(listed)


def test_a_sample_whose_making_was_broken_off_is_made_anew(
    organization: Organization, tmp_path: Path
) -> None:
    program, begun = organization.program, list[str]()

    class Killed(Exception):
        pass

    def die(id: str) -> None:
        begun.append(id)
        raise Killed

    with pytest.raises(Killed):
        program.run(create_sample(program.store, begun=die))
    sample = tmp_path / SAMPLE_FILE
    sample.write_text(json.dumps({"organization_id": begun[0]}))
    for _ in range(2):
        command(organization, "sample", home=str(tmp_path))
        made = json.loads(sample.read_text())
        begun.append(made["organization_id"])
    assert begun[0] != begun[1] == begun[2]
    assert program.run(find_organization(program.store, begun[0])) is None
    assert Api(program, made["api_key"], "").get("/lead/")["total_results"] == 300
    assert sample.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [sample]


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


def test_a_program_is_registered_listed_and_ended(
    organization: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = "https://app.example/back"
    command(organization, "app create", name="Reports", redirect_uri=[uri], public=False)
    made = json.loads(capsys.readouterr().out)
    assert set(made) == {"client_id", "client_secret"}
    command(organization, "app list")
    assert json.loads(capsys.readouterr().out) == [
        {"client_id": made["client_id"], "name": "Reports", "redirect_uris": [uri]}
    ]
    other = make_organization(organization.program, "Quay Sales")
    with pytest.raises(CommandError, match="there is no app"):
        command(other, "app revoke", id=made["client_id"])
    command(organization, "app revoke", id=made["client_id"])
    capsys.readouterr()
    command(organization, "app list")
    assert json.loads(capsys.readouterr().out) == []
    with pytest.raises(CommandError, match="A redirect URI is https"):
        command(organization, "app create", name="x", redirect_uri=["http://x"], public=True)
