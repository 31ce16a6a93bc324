"""What is promised of logging in: which server it is, two ways, the pages, the end of a token."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mission.machine import Machine, Shell, User, code_of
from promises import promise
from server.oauth.browser import Browser

PART = "Login"

Browse = Callable[[], Any]


@promise(PART, "The server is named by `--apiUri`, else the environment, else the project's file,"
         " else the login, else it is the one that runs on this machine.")  # fmt: skip
def test_which_server_it_is(shell: Shell, person: User) -> None:
    def asked(shell: Shell, words: str = "") -> str:
        """Who is asked; the others of this test are no servers, and the error names them."""
        told = json.loads(shell.run(f"membrane login start {words} || true").out)
        return str(told.get("url", told.get("message")))

    assert asked(shell).startswith(f"{shell.machine.url}/")
    nearby = shell.machine.url.replace("127.0.0.1", "localhost")
    shell.log_in(person, f"--tenant --apiUri {nearby}")
    assert shell.json("membrane status --json")["apiUri"] == nearby
    (shell.home / "membrane.config.yml").write_text("apiUri: http://127.0.0.1:1\n")
    assert "http://127.0.0.1:1 " in asked(shell)
    for port, name in ((2, "MEMBRANE_API_URL"), (3, "MEMBRANE_API_URI")):
        shell = shell.of(**{name: f"http://127.0.0.1:{port}"})
        assert f"http://127.0.0.1:{port} " in asked(shell)
    assert "http://127.0.0.1:4 " in asked(shell, "--apiUri http://127.0.0.1:4")
    assert shell.json("membrane status --apiUri nonsense://x", 2)["error"] == "usage"


@promise(PART, "Where no server is known, the error names `make run`.")
def test_no_server(shell: Shell) -> None:
    none = shell.of(CLINCH_HOME=str(shell.home)).json("membrane login --tenant", 1)
    assert none["error"] == "no_server"
    assert "make run" in none["hint"]


@promise(PART, "With a terminal and a browser `login` opens the page and waits until it is done; no"
         " code is shown.")  # fmt: skip
@pytest.mark.parametrize("browse", ["chromium", "forms"], indirect=True)
def test_with_a_terminal_and_a_browser(shell: Shell, person: User, browse: Browse) -> None:
    """The browser that is opened is a program that notes the address; the test is the person."""
    noted = shell.home / "opened"
    with_browser = shell.of(BROWSER=f"sh -c 'echo \"$0\" > {noted}' %s")
    with with_browser.typing("membrane login --tenant") as typed:
        shown = typed.shows(r"http://\S+/oauth2/authorize/\S+")
        wait_for(noted)
        assert noted.read_text().strip() == shown
        assert typed.runs
        window = browse().open(shown).log_in(person).send(decision="allow")
        if isinstance(window, Browser):  # it goes to no other server by itself
            window.page = window.session.get(window.place, timeout=10)
        done = typed.ended()
    assert "close this page" in window.text
    assert done.code == 0
    assert f"Logged in as {person.email}." in done.out
    assert shell.json("membrane status --json")["email"] == person.email


def wait_for(path: Path) -> None:
    ends = time.monotonic() + 30
    while not (path.exists() and path.read_text().strip()) and time.monotonic() < ends:
        time.sleep(0.02)


@promise(PART, "With a terminal and no browser `login` shows the link and what to type then.")
def test_with_a_terminal_alone(shell: Shell, person: User) -> None:
    shown = shell.typed("membrane login --tenant").out
    [url] = re.findall(r"^ +(http\S+)$", shown, re.MULTILINE)
    assert "membrane login complete <code>" in shown
    code = code_of(Browser(shell.machine.url), person, url)
    assert shell.typed(f"membrane login complete {code}").out == f"Logged in as {person.email}.\n"


@promise(PART, "The pages of a login are plain forms that work without JavaScript, and the last one"
         " shows the code large.")  # fmt: skip
def test_the_pages(shell: Shell, person: User, browse: Browse) -> None:
    begun = shell.json("membrane login --tenant")
    window = browse()
    code = code_of(window, person, begun["url"])
    assert "<script" not in window.text
    if not isinstance(window, Browser):
        sizes = window.page.evaluate(
            "[document.body, document.querySelector('.code')]"
            ".map(one => parseFloat(getComputedStyle(one).fontSize))"
        )
        assert sizes[1] >= 1.5 * sizes[0]
        assert {address.partition("/oauth2/")[0] for address in window.asked} == {shell.machine.url}
    assert shell.json(f"membrane login complete {code} --json")["email"] == person.email


@promise(PART, "Somebody who denies it is told so, and no code is given.")
def test_denying(shell: Shell, person: User, browse: Browse) -> None:
    begun = shell.json("membrane login --tenant")
    window = browse().open(begun["url"]).log_in(person).send(decision="deny")
    assert "Nothing was allowed" in window.text


@promise(PART, "`--tenant` is for one organization: the only one, or the one that is chosen on the"
         " page.")  # fmt: skip
@pytest.mark.parametrize("browse", ["chromium", "forms"], indirect=True)
def test_the_tenant_is_chosen_on_the_page(shell: Shell, browse: Browse) -> None:
    person = shell.machine.user()
    begun = shell.json("membrane login --tenant")
    first = browse().open(begun["url"]).log_in(person)
    assert 'type="radio"' not in first.text
    made = shell.machine.administer("organization", "create", "Second Harbour")["organization_id"]
    shell.machine.administer(
        *("user", "create", person.email, "--organization", made), *("--role", "admin")
    )
    begun = shell.json("membrane login --tenant")
    window = browse().open(begun["url"]).log_in(person)
    assert "Second Harbour" in window.text
    window.send(organization=made, decision="allow")
    [code] = set(re.findall(r"membrane login complete (\w+)", window.text))
    done = shell.json(f"membrane login complete {code} --json")
    assert done["workspaceKey"] == made
    refused = shell.json("membrane status --json --workspaceKey=orga_other", 1)
    assert refused["error"] == "other_workspace"


def test_a_given_token_is_a_login_too(shell: Shell, machine: Machine, person: User) -> None:
    shell.json("membrane status --json", 1)
    given = shell.of(MEMBRANE_TOKEN=machine.key(person))
    told = given.json("membrane status --json")
    assert (told["loggedIn"], told["kind"]) == (True, "token")
    assert told["workspaceKey"] == told["self"]["workspaceKey"] == machine.organization
    assert given.run("membrane status").out.endswith(f" at {machine.url}\n")
    refused = shell.of(MEMBRANE_TOKEN="api_none.x").json("membrane status --json", 1)
    assert refused["status"] == 401


@promise(PART, "Without `--tenant` the login is the person's, and each command has a token for its"
         " organization.")  # fmt: skip
def test_a_login_of_the_person(shell: Shell, person: User) -> None:
    done = shell.log_in(person, "")
    told = shell.json("membrane status --json")
    assert (told["kind"], told["workspaceKey"]) == ("person", done["workspaceKey"])
    assert shell.json("membrane connection list --json")["items"] == []
    refused = shell.json("membrane status --json --workspaceKey=orga_none", 1)
    assert refused["status"] == 403


@promise(PART, "What proves the login (PKCE) is kept between its two commands, and a code is good"
         " only where the login was begun.")  # fmt: skip
def test_a_code_is_good_where_the_login_was_begun(
    shell: Shell, person: User, tmp_path: Path
) -> None:
    begun = shell.json("membrane login --tenant")
    code = code_of(Browser(shell.machine.url), person, begun["url"])
    (tmp_path / "other").mkdir()
    other = Shell(shell.machine, tmp_path / "other", {})
    assert other.json(f"membrane login complete {code} --json", 1)["error"] == "no_login_begun"
    other.json("membrane login --tenant")
    assert other.json(f"membrane login complete {code} --json", 1)["error"] == "code_wrong"
    verifier = json.loads((shell.home / ".membrane" / "login.json").read_text())["verifier"]
    assert verifier not in begun["url"]


@promise(PART, "A wrong, an expired and a used code are three errors, and each says the next"
         " command.")  # fmt: skip
def test_three_errors(shell: Shell, person: User) -> None:
    def complete(code: str) -> tuple[str, str]:
        told = shell.json(f"membrane login complete {code} --json", 1)
        return told["error"], told["hint"]

    def code() -> str:
        begun = shell.json("membrane login --tenant")
        return code_of(Browser(shell.machine.url), person, begun["url"])

    good = code()
    assert complete("nonsense") == ("code_wrong", "membrane login complete <code>")
    pending = shell.home / ".membrane" / "login.json"
    kept = pending.read_text()
    shell.run(f"membrane login complete {good}")
    assert complete(good) == ("no_login_begun", "membrane login --tenant")
    pending.write_text(kept)
    assert complete(good) == ("code_used", "membrane login --tenant")
    late = code()
    shell.machine.sql(
        "update oauth_code set expires_at = now() where user_id ="
        " (select user_id from login where email = $1)",
        person.email,
    )
    assert complete(late) == ("code_expired", "membrane login --tenant")
    code()
    pending.write_text(json.dumps(json.loads(pending.read_text()) | {"expiresAt": 0}))
    assert complete("anything") == ("code_expired", "membrane login --tenant")


def expire_here(shell: Shell) -> None:
    """The command line knows that the token is over."""
    stored = json.loads(shell.credentials.read_text())
    shell.credentials.write_text(json.dumps(stored | {"expiresAt": time.time() - 1}))


def expire_there(shell: Shell) -> None:
    """The server refuses a token that the command line takes for good."""
    token = json.loads(shell.credentials.read_text())["accessToken"]
    ended = shell.machine.sql(
        "delete from credential where id = $1 returning 1", token.partition(".")[0]
    )
    assert ended == [(1,)]


def expire_derived(shell: Shell) -> None:
    """The server refuses the token that was derived from the person's."""
    derived = json.loads(shell.credentials.read_text())["derived"]
    for one in derived.values():
        shell.machine.sql("delete from credential where id = $1", one["token"].partition(".")[0])


@promise(PART, "Ten commands at the moment when the login expires all succeed, and stay logged in.")
@pytest.mark.parametrize(
    ("words", "expire"),
    [
        ("--tenant", expire_here),
        ("--tenant", expire_there),
        ("", expire_here),
        ("", expire_derived),
    ],
    ids=["known-here", "known-to-the-server", "of-the-person", "derived"],
)
def test_ten_at_once(
    shell: Shell, person: User, words: str, expire: Callable[[Shell], None]
) -> None:
    shell.log_in(person, words)
    shell.json("membrane status --json")
    before = shell.credentials.read_text()
    for _ in range(2):  # what the first ten are left with is good for the next ten
        expire(shell)
        with ThreadPoolExecutor(10) as threads:
            done = list(
                threads.map(lambda _: shell.run("membrane connection list --json"), range(10))
            )
        assert [one.json["items"] for one in done] == [[]] * 10
    assert shell.credentials.read_text() != before
    assert shell.json("membrane status --json")["email"] == person.email


@promise(PART, "`logout` ends the login here and on the server.")
def test_logging_out(shell: Shell, person: User) -> None:
    shell.log_in(person)
    stored = shell.credentials.read_text()
    assert shell.json("membrane logout --json") == {"loggedIn": False}
    assert not shell.credentials.exists()
    assert shell.json("membrane status --json", 1)["error"] == "not_logged_in"
    shell.credentials.write_text(stored)
    ended = shell.json("membrane connection list --json", 1)
    assert (ended["error"], ended["hint"]) == ("login_ended", "membrane login --tenant")
