"""What a login leaves on the machine, and what comes of it when the server has ended it.

The logins themselves are tested in tests/mission.
"""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import Organization
from identity.people import Person, make_person, sql
from server.oauth.browser import Browser

MEMBRANE = [sys.executable, "-m", "clinch.cli.gateway.main"]


class Terminal:
    """A machine on which somebody types commands, with a home of its own."""

    def __init__(self, home: Path, server: str | None) -> None:
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(home),
            "CLINCH_HOME": str(home / "no server"),
        } | ({"MEMBRANE_API_URI": server} if server else {})

    def run(self, *words: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MEMBRANE, *words],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            input=input,
            timeout=60,
        )

    def json(self, *words: str, code: int = 0) -> Any:
        done = self.run(*words)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    @property
    def credentials(self) -> Path:
        return self.home / ".membrane" / "credentials.json"


@pytest.fixture
def terminal(organization: Organization, tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, organization.program.url)


def test_a_user_without_a_home_is_told_what_to_name(tmp_path: Path) -> None:
    """As in a container that runs as a user whom it does not know."""
    terminal = Terminal(tmp_path, None)
    terminal.environment |= {
        "MEMBRANE_HOME": "~nobody-of-that-name/x",
        "CLINCH_HOME": "~nobody-of-that-name/crm",
    }
    told = terminal.json("connection", "list", "--json", code=1)
    assert (told["error"], "MEMBRANE_HOME=DIR" in told["hint"]) == ("no_home", True)
    terminal.environment["MEMBRANE_HOME"] = str(tmp_path)
    assert terminal.json("connection", "list", "--json", code=1)["error"] == "no_server"


@pytest.fixture
def person(organization: Organization) -> Person:
    return make_person(organization)


def code_for(person: Person, url: str) -> str:
    browser = Browser(person.program.url).open(url).log_in(person).send(decision="allow")
    [code] = set(re.findall(r"membrane login complete (\w+)", browser.page.text))
    return str(code)


def log_in(terminal: Terminal, person: Person, *words: str) -> Any:
    begun = terminal.json("login", *words)
    return terminal.json("login", "complete", code_for(person, begun["url"]), "--json")


def test_a_login_without_a_terminal(
    organization: Organization, terminal: Terminal, person: Person
) -> None:
    begun = terminal.json("login", "--tenant")
    assert begun["next"] == "membrane login complete <code>"
    assert begun["expiresIn"] == 600
    done = terminal.json("login", "complete", code_for(person, begun["url"]), "--json")
    assert done["email"] == person.email
    assert done["workspaceKey"] == organization.actor().organization
    told = terminal.json("status", "--json")
    assert told["self"]["internalId"] == person.user_id
    assert stat.S_IMODE(terminal.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.credentials.parent.stat().st_mode) == 0o700
    assert [path.name for path in sorted(terminal.credentials.parent.iterdir())] == [
        "credentials.json",
        "lock",
    ]


def test_a_token_that_is_refused_is_renewed(terminal: Terminal, person: Person) -> None:
    log_in(terminal, person, "--tenant")
    token = json.loads(terminal.credentials.read_text())["accessToken"]
    sql(person.program, "delete from credential where id = $1 returning 1", token.partition(".")[0])
    terminal.json("status", "--json")


def test_a_login_that_was_ended_says_how_to_log_in(terminal: Terminal, person: Person) -> None:
    log_in(terminal, person, "--tenant")
    person.sign_in()
    for grant in person.ask("GET", "/api/v1/oauth_grant/").json()["data"]:
        person.ask("DELETE", f"/api/v1/oauth_grant/{grant['id']}/")
    refused = terminal.json("status", "--json", code=1)
    assert (refused["error"], refused["hint"]) == ("login_ended", "membrane login --tenant")
