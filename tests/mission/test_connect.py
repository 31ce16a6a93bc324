"""What is promised of connecting an app: what the command answers, the page, and waiting for it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from mission.machine import Machine, Shell, User
from promises import promise
from server.oauth.browser import Browser

PART = "Connect"

Browse = Callable[[], Any]

BY_KEY = "membrane connect --connectorKey=close --authOptionKey=api-key --allowMultipleConnections"


@pytest.fixture
def agent(shell: Shell, person: User) -> Shell:
    shell.log_in(person)
    return shell


@pytest.fixture(scope="module")
def key(machine: Machine, person: User) -> str:
    return machine.key(person)


def connect_by_key(window: Any, person: User, page: str, key: str) -> Any:
    return window.open(page).log_in(person).send(apiKey=key)


@promise(PART, "This very server, which the login already granted, is ready at once: on a terminal"
         " too, where no page is opened.")  # fmt: skip
def test_this_server_is_ready_at_once(agent: Shell) -> None:
    noted = agent.home / "opened"
    agent = agent.of(BROWSER=f"sh -c 'echo \"$0\" > {noted}' %s")
    for run in (agent.run, agent.typed):
        made = run("membrane connect --connectorKey=close --json").json
        assert (made["id"], made["state"]) == (made["connectionId"], "READY")
        assert "clientAction" not in made
    assert not noted.exists()


@promise(PART, "Without a terminal `connect` returns at once, with success: the connection exists,"
         " and `clientAction` says what a person has to do.")  # fmt: skip
def test_without_a_terminal(agent: Shell) -> None:
    made = agent.json(f"{BY_KEY} --json")
    assert made["id"] == made["connectionId"]
    assert made["state"] == "CLIENT_ACTION_REQUIRED"
    action = made["clientAction"]
    assert action["uiUrl"].startswith(f"{agent.machine.url}/connect/")
    assert f"membrane connection get {made['id']} --wait --json" in action["agentInstructions"]
    listed = agent.json("membrane connection list --json")["items"]
    assert (made["id"], made["state"]) in [(one["id"], one["state"]) for one in listed]
    text = agent.run(BY_KEY).out
    assert re.search(r"^http\S+/connect/", text, re.MULTILINE)
    assert agent.script(f"{BY_KEY} --json\necho and on").out.endswith("and on\n")


@promise(PART, "With a terminal `connect` opens the page and waits until the connection is ready,"
         " with `--json` as well.")  # fmt: skip
@pytest.mark.parametrize(
    ("browse", "words"), [("chromium", ""), ("forms", "--json")], indirect=["browse"]
)
def test_with_a_terminal(agent: Shell, person: User, key: str, browse: Browse, words: str) -> None:
    noted = agent.home / "opened"
    with agent.of(BROWSER=f"sh -c 'echo \"$0\" > {noted}' %s").typing(f"{BY_KEY} {words}") as typed:
        page = typed.shows(r"http\S+/connect/\S+")
        while not (noted.exists() and noted.read_text().strip()):
            assert typed.runs
        assert noted.read_text().strip() == page
        assert typed.runs
        window = connect_by_key(browse(), person, page, key)
        assert "is connected" in window.text
        done = typed.ended()
    assert done.code == 0
    last = done.out.strip().splitlines()[-1]
    assert (json.loads(last)["state"] if words else last.split()[-1]) == "READY"
    assert key not in done.out


@promise(PART, "`connection get ID --wait` waits until the person has connected it.")
def test_waiting(agent: Shell, person: User, key: str) -> None:
    made = agent.json(f"{BY_KEY} --json")
    with agent.typing(f"membrane connection get {made['id']} --wait --json") as typed:
        connect_by_key(Browser(agent.machine.url), person, made["clientAction"]["uiUrl"], key)
        assert typed.ended().json["state"] == "READY"
    lead = agent.json(f"membrane request {made['id']} /lead/ --query _limit=1")
    assert len(lead["data"]) == 1


@promise(PART, "The connect page is a plain form that works without JavaScript, says what is wrong"
         " with what was typed, and never shows it again.")  # fmt: skip
def test_the_page(agent: Shell, person: User, key: str, browse: Browse) -> None:
    made = agent.json(f"{BY_KEY} --json")
    page = made["clientAction"]["uiUrl"]
    window = connect_by_key(browse(), person, page, "api_wrong")
    assert 'role="alert"' in window.text
    assert "api_wrong" not in window.text
    assert agent.json(f"membrane connection get {made['id']} --json")["state"] != "READY"
    if not isinstance(window, Browser):
        window.complaints.clear()  # a real browser notes that the answer was an error
    window.send(apiKey=key)
    assert "is connected" in window.text
    assert key not in window.text
    assert agent.json(f"membrane connection get {made['id']} --json")["state"] == "READY"


@promise(PART, "Nobody else connects by a link that went astray.")
def test_somebody_else_at_the_page(agent: Shell, machine: Machine, key: str) -> None:
    made = agent.json(f"{BY_KEY} --json")
    other = Browser(machine.url).open(made["clientAction"]["uiUrl"]).log_in(machine.owner)
    assert 'name="apiKey"' not in other.text
    other.send(apiKey=key)
    assert agent.json(f"membrane connection get {made['id']} --json")["state"] != "READY"


@promise(PART, "A connection is made ready again in its place with `connect --connectionId`, and"
         " ends with `connection archive`.")  # fmt: skip
def test_again_and_the_end(agent: Shell) -> None:
    made = agent.json(f"{BY_KEY} --json")
    again = agent.json(f"membrane connect --connectionId={made['id']} --json")
    assert again["id"] == made["id"]
    assert again["clientAction"]["uiUrl"] != made["clientAction"]["uiUrl"]
    assert agent.json(f"membrane connection archive {made['id']} --json")["archived"]
    gone = agent.json(f"membrane connection get {made['id']} --json", 1)
    assert gone["error"] == "not_found"


@promise(PART, "The commands of all generations work.")
def test_all_generations(agent: Shell) -> None:
    first = agent.json("membrane connect close.com --json")["id"]
    ensured = agent.json('membrane connection ensure "https://app.close.com/" --json')
    assert ensured["id"] == first
    change = '{"connectionKey": "crm"}'
    patched = agent.json(f"membrane connection patch {first} --data '{change}' --json")
    assert patched["key"] == "crm"
    for words in ("connection get crm", f"connection get {first} --wait --timeout 1"):
        assert agent.json(f"membrane {words} --json")["id"] == first
    assert agent.json("membrane act --key list-leads --connectionKey=crm --json")["actionRunId"]
    assert agent.json("membrane action get list-leads --json")["inputSchema"]
    assert agent.json("membrane external-app list --search close --json")["items"][0]["id"]
    assert agent.json("membrane integration list --json")["items"][0]["key"] == "close"
    asked = agent.json("membrane connection-request create --connectorId=connector_close --json")
    got = agent.json(f"membrane connection-request get {asked['requestId']} --json")
    assert (got["status"], got["resultConnectionId"]) == ("success", asked["resultConnectionId"])
    other = agent.json(f"{BY_KEY} --json")["id"]
    agent.run(f"membrane connection delete {other}")
