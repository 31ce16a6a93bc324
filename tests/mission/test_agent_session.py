"""An agent's session, word for word as agents are given it, against a server that was started as a
person starts it: log in, find the app, connect, find an action, run it, send a request."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from node import folder
from server.oauth.browser import Browser

BIN = Path(sys.executable).parent


@dataclass
class Machine:
    """A machine on which `clinch up --sample` runs, with a home of its own."""

    home: Path
    told: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{BIN}:{folder()}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "CLINCH_HOME": str(self.home / "clinch"),
        }

    def shell(self, line: str, code: int = 0) -> str:
        """What a line of a shell prints, under `set -e`."""
        done = subprocess.run(
            ["bash", "-ec", line],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        assert done.returncode == code, (line, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, line: str, code: int = 0) -> Any:
        return json.loads(self.shell(line, code))

    @property
    def email(self) -> str:
        return str(self.told["email"])

    @property
    def password(self) -> str:
        return str(self.told["password"])


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    home = tmp_path_factory.mktemp("machine")
    empty = Machine(home, {})
    with subprocess.Popen(
        [str(BIN / "clinch"), "up", "--sample", "--json", "--port", "0"],
        env=empty.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            yield Machine(home, json.loads(running.stdout.readline()))
        finally:
            running.terminate()
            running.wait(30)


@pytest.fixture(scope="module")
def session(machine: Machine) -> str:
    """Logged in without a terminal, and connected; the id of the connection."""
    begun = machine.json("membrane login --tenant")
    browser = Browser(machine.told["url"]).open(begun["url"]).log_in(machine).send(decision="allow")
    [code] = set(re.findall(r"membrane login complete (\w+)", browser.page.text))
    machine.shell(f"membrane login complete {code}")
    found = machine.json("membrane search close --elementType=connector --json")
    assert found["items"][0]["element"]["id"] == found["output"]["items"][0]["element"]["id"]
    app = found["items"][0]["element"]["id"]
    made = machine.json(f"membrane connect --connectorId={app} --json")
    assert (made["state"], made["id"]) == ("READY", made["connectionId"])
    [listed] = machine.json("membrane connection list --json")["items"]
    assert listed["connectionId"] == made["id"]
    assert (listed["connectorKey"], listed["connectorName"]) == ("close", "Close")
    return str(made["id"])


def test_the_server_is_found_on_this_machine(machine: Machine, session: str) -> None:
    assert machine.json("membrane status --json")["apiUri"] == machine.told["url"]


def test_an_action_is_found_and_run(machine: Machine, session: str) -> None:
    found = machine.json(
        f'membrane action list --intent="add a person to a company" --connectionId={session} --json'
    )
    assert found["items"][0]["id"] == "create-contact"
    made = machine.json(
        f"membrane action run --connectionId={session} create-contact --json"
        ' --input "{ \\"name\\": \\"Ada Moss\\" }"'
    )
    assert made["output"]["display_name"] == "Ada Moss"
    again = machine.json(
        f"membrane action run get-contact --json --connectionId {session}"
        f' --input \'{{"id": "{made["output"]["id"]}"}}\''
    )
    assert again["output"]["id"] == made["output"]["id"]
    record = machine.json(f"membrane action-run-log get {made['actionRunId']} --details --json")
    assert record["output"] == made["output"]


def test_without_naming_the_connection(machine: Machine, session: str) -> None:
    found = machine.json("membrane action list --intent='列出未完成的任务' --json")
    assert found["items"][0]["id"] == "list-tasks"
    assert found["items"][0]["connectionId"] == session
    listed = machine.json("membrane action run list-tasks --json --input '{\"limit\": 2}'")
    assert len(listed["output"]["items"]) == 2
    assert machine.json("membrane act --key list-leads --json")["output"]["items"]


def test_raw_requests(machine: Machine, session: str) -> None:
    page = machine.json(f'membrane request {session} /lead/ -X GET --query "_limit=10"')
    assert len(page["data"]) == 10
    id = page["data"][0]["id"]
    put = machine.json(
        f'membrane request {session} /lead/{{id}}/ --pathParam "id={id}" -X PUT --json'
        ' -d \'{"name": "x"}\''
    )
    assert (put["id"], put["name"]) == (id, "x")
    refused = machine.json(f"membrane request {session} /lead/lead_none/", 1)
    assert (refused["status"], refused["error"]) == (404, "http_404")


def test_trying_and_failing(machine: Machine, session: str) -> None:
    before = machine.json(f"membrane request {session} /lead/ --query _limit=0")["total_results"]
    tried = machine.json(
        'membrane action run create-lead --dry-run --json --input \'{"name": "Tried"}\''
    )
    assert tried["output"]["display_name"] == "Tried"
    after = machine.json(f"membrane request {session} /lead/ --query _limit=0")["total_results"]
    assert after == before
    wrong = machine.json("membrane action run create-lead --json --input '{\"nmae\": 1}'", 1)
    assert set(wrong) >= {"error", "message", "hint"}
    assert machine.json("membrane action run create-lead --input nonsense --json", 2)["error"] == (
        "usage"
    )


def test_people_see_tables(machine: Machine, session: str) -> None:
    shown = machine.shell("membrane connection list")
    assert re.match(r"ID +NAME +APP +STATE\n", shown)
    assert "\033" not in shown
    assert machine.shell("clinch connection list") == shown


def test_nothing_of_the_connection_is_on_the_machine(machine: Machine, session: str) -> None:
    """What the server holds for the connection is not in the home of who uses it."""
    kept = json.loads((machine.home / ".membrane" / "credentials.json").read_text())
    assert set(kept) <= {
        *("apiUri", "kind", "accessToken", "refreshToken", "expiresAt"),
        *("email", "workspaceKey", "tenantKey"),
    }


def test_the_command_line_is_handed_out(machine: Machine, session: str) -> None:
    url = machine.told["url"]
    machine.shell(
        f"mkdir -p bin && curl -fsSLo bin/membrane {url}/cli && chmod +x bin/membrane"
        " && ./bin/membrane status --json"
    )
    machine.shell(
        f"npm install --silent -g --prefix npm {url}/cli.tgz && npm/bin/membrane --version"
    )
    for path, words in (("/skills/close/SKILL.md", "membrane login"), ("/llms.txt", url)):
        assert words in machine.shell(f"curl -fsS {url}{path}")


def test_archiving_and_logging_out(machine: Machine, session: str) -> None:
    other = machine.json("membrane connect close.com --json")
    assert other["id"] == session
    second = machine.json(
        "membrane connect --connectorKey=close --allowMultipleConnections --name Second --json"
    )
    machine.shell(f"membrane connection archive {second['id']} --json")
    assert len(machine.json("membrane connection list --json")["items"]) == 1
