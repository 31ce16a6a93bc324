"""`membrane login` and what follows: real processes, and the pages as a person uses them."""

import json
import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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

    def change(self, **facts: Any) -> None:
        stored = json.loads(self.credentials.read_text())
        self.credentials.write_text(json.dumps(stored | facts))


@pytest.fixture
def terminal(organization: Organization, tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, organization.program.url)


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


def test_wrong_used_and_expired_codes_are_three_errors(terminal: Terminal, person: Person) -> None:
    begun = terminal.json("login", "--tenant")
    wrong = terminal.json("login", "complete", "nonsense", "--json", code=1)
    assert (wrong["error"], wrong["hint"]) == ("code_wrong", "membrane login complete <code>")
    code = code_for(person, begun["url"])
    pending = (terminal.credentials.parent / "login.json").read_text()
    terminal.json("login", "complete", code, "--json")
    nothing = terminal.json("login", "complete", code, "--json", code=1)
    assert (nothing["error"], nothing["hint"]) == ("no_login_begun", "membrane login --tenant")
    (terminal.credentials.parent / "login.json").write_text(pending)
    used = terminal.json("login", "complete", code, "--json", code=1)
    assert (used["error"], used["hint"]) == ("code_used", "membrane login --tenant")
    begun = terminal.json("login", "start", "--tenant")
    code = code_for(person, begun["url"])
    sql(person.program, "update oauth_code set expires_at = now() where user_id = $1 returning 1",
        person.user_id)  # fmt: skip
    expired = terminal.json("login", "complete", code, "--json", code=1)
    assert (expired["error"], expired["hint"]) == ("code_expired", "membrane login --tenant")


def test_a_login_with_a_terminal_and_a_browser(terminal: Terminal, person: Person) -> None:
    """The browser is a program that notes what it is to open; the test then is the person."""
    noted = terminal.home / "opened"
    terminal.environment["BROWSER"] = f"sh -c 'echo \"$0\" > {noted}' %s"
    parent, child = pty.openpty()
    running = subprocess.Popen(
        [*MEMBRANE, "login", "--tenant"],
        env=terminal.environment,
        cwd=terminal.home,
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    ends = time.monotonic() + 30
    while not (noted.exists() and noted.read_text().strip()) and time.monotonic() < ends:
        time.sleep(0.02)
    browser = Browser(person.program.url).open(noted.read_text().strip()).log_in(person)
    browser.send(decision="allow")
    assert browser.place.startswith("http://127.0.0.1:")
    assert "close this page" in browser.session.get(browser.place, timeout=10).text
    assert running.wait(30) == 0
    shown = b""
    while select.select([parent], [], [], 0.1)[0]:
        try:
            shown += os.read(parent, 4096)
        except OSError:
            break
    os.close(parent)
    assert f"Logged in as {person.email}." in shown.decode()
    assert browser.sent_to["code"] not in shown.decode()


def test_denying_ends_a_login_that_waits(terminal: Terminal, person: Person) -> None:
    begun = terminal.json("login", "--tenant")
    browser = Browser(person.program.url).open(begun["url"]).log_in(person).send(decision="deny")
    assert "Nothing was allowed" in browser.page.text


def test_ten_at_once_when_the_login_expires(terminal: Terminal, person: Person) -> None:
    log_in(terminal, person, "--tenant")
    terminal.change(expiresAt=time.time() - 1)
    with ThreadPoolExecutor(10) as threads:
        done = list(threads.map(lambda _: terminal.run("status", "--json"), range(10)))
    assert [one.returncode for one in done] == [0] * 10, done
    terminal.change(expiresAt=time.time() - 1)
    terminal.json("status", "--json")


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


def test_a_login_of_the_person_has_a_token_for_each_workspace(
    terminal: Terminal, person: Person
) -> None:
    done = log_in(terminal, person)
    assert terminal.json("status", "--json")["kind"] == "person"
    assert terminal.json("status", "--json", "--workspaceKey", done["workspaceKey"])["loggedIn"]
    refused = terminal.json("status", "--json", "--workspaceKey=orga_none", code=1)
    assert refused["status"] == 403


def test_logging_out_ends_the_grant(terminal: Terminal, person: Person) -> None:
    log_in(terminal, person, "--tenant")
    assert terminal.json("logout", "--json") == {"loggedIn": False}
    assert not terminal.credentials.exists()
    assert sql(person.program, "select 1 from oauth_grant where user_id = $1", person.user_id) == []
    assert terminal.json("status", "--json", code=1)["error"] == "not_logged_in"


def test_which_server_it_is(tmp_path: Path, organization: Organization, person: Person) -> None:
    terminal = Terminal(tmp_path, None)
    none = terminal.json("login", "--tenant", code=1)
    assert none["error"] == "no_server"
    assert "make run" in none["hint"]
    url = person.program.url
    begun = terminal.json("login", "--tenant", "--apiUri", url)
    terminal.json("login", "complete", code_for(person, begun["url"]), "--json")
    assert terminal.json("status", "--json")["apiUri"] == url
    project = tmp_path / ".membrane" / "config.json"
    project.write_text(json.dumps({"apiUri": "http://127.0.0.1:1"}))
    assert terminal.json("status", "--json", code=1)["error"] == "not_logged_in"
    terminal.environment["MEMBRANE_API_URL"] = url
    assert terminal.json("status", "--json")["apiUri"] == url
    assert terminal.json("status", "--apiUri", "nonsense://x", code=2)["error"] == "usage"
