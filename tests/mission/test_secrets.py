"""What is promised of the secrets of third parties: only the person types them, into a page."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from mission.machine import Machine, Shell, User
from promises import promise
from server.oauth.browser import Browser

from clinch.cli.gateway.main import COMMANDS

PART = "Secrets"

Browse = Callable[[], Any]

SECRET = re.compile(r"secret|password|api.?key|credential|access.?token", re.IGNORECASE)


@promise(PART, "No command takes a secret of a third party.")
def test_no_command_takes_one(shell: Shell, machine: Machine) -> None:
    options = [one.key for command in COMMANDS for one in command.arguments]
    assert len(options) > 50
    assert [name for name in options if SECRET.search(name)] == []
    shell.log_in(machine.owner)
    for words in ("--apiKey api_x", "--credentials '{}'", '--input \'{"apiKey": "api_x"}\''):
        told = shell.json(f"membrane connect --connectorKey=close {words} --json", 2)
        assert told["error"] == "usage"


@promise(PART, "No action and no MCP tool takes one.")
def test_no_action_or_tool_takes_one(shell: Shell, machine: Machine) -> None:
    shell.log_in(machine.owner)
    shell.json("membrane connect --connectorKey=close --json")
    asked = "\n".join(
        json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters})
        for id, method, parameters in (
            (1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                               "clientInfo": {"name": "test", "version": "1"}}),
            (2, "tools/list", {}),
        )
    )  # fmt: skip
    (shell.home / "asked").write_text(f"{asked}\n")
    answers = shell.run("membrane mcp < asked").out.splitlines()
    [tools] = [one["result"]["tools"] for one in map(json.loads, answers) if one["id"] == 2]
    assert len(tools) >= 5
    assert [
        name for tool in tools for name in names(tool["inputSchema"]) if SECRET.search(name)
    ] == []
    listed = shell.json("membrane action list --limit 1000 --json")["items"]
    assert len(listed) > 100
    found = {(one["id"], name) for one in listed for name in names(one.get("inputSchema", {}))
             if SECRET.search(name)}  # fmt: skip
    assert found == set()


def names(schema: Any) -> list[str]:
    """The names of all properties in a schema."""
    if isinstance(schema, list):
        return [name for one in schema for name in names(one)]
    if not isinstance(schema, dict):
        return []
    own = list(schema["properties"]) if isinstance(schema.get("properties"), dict) else []
    return own + [name for one in schema.values() for name in names(one)]


@promise(PART, "After a session in which an API key was typed into the connect page, nothing of"
         " it is in the home of the command line, which never printed it either.")  # fmt: skip
@pytest.mark.parametrize("browse", ["chromium"], indirect=True)
def test_the_home_holds_nothing(shell: Shell, person: User, browse: Browse) -> None:
    key = shell.machine.key(person)
    shell.log_in(person)
    printed = ""
    connect = (
        "membrane connect --connectorKey=close --authOptionKey=api-key --allowMultipleConnections"
    )
    with shell.typing(connect) as typed:
        page = typed.shows(r"http\S+/connect/\S+")
        browse().open(page).log_in(person).send(apiKey=key)
        printed += typed.ended().out
    id = printed.strip().splitlines()[-1].split()[0]
    for words in (
        f"connection get {id} --json",
        "connection list --json",
        f"request {id} /me/",
        f"action run list-leads --connectionId={id} --json",
        f"request {id} /lead/lead_none/ || true",
    ):
        done = shell.run(f"membrane {words}")
        printed += done.out + done.err
    run = shell.json(f"membrane action run list-leads --connectionId={id} --json")["actionRunId"]
    printed += shell.run(f"membrane action-run-log get {run} --details --json").out
    kept = shell.kept()
    assert b"accessToken" in kept
    ticket = page.rpartition(".")[2]
    for secret in (key, key.partition(".")[2], person.password):
        assert secret.encode() not in kept
        assert secret not in printed
    assert ticket.encode() not in kept
    stored = json.loads(shell.credentials.read_text())
    assert set(stored) <= {
        *("apiUri", "kind", "accessToken", "refreshToken", "expiresAt"),
        *("email", "workspaceKey", "tenantKey"),
    }
    assert (shell.credentials.stat().st_mode & 0o777) == 0o600


@promise(PART, "Archiving a connection erases what it holds, and what it was granted ends.")
@pytest.mark.parametrize("option", ["this-server", "api-key"])
def test_archiving(shell: Shell, option: str) -> None:
    person = shell.machine.user()
    shell.log_in(person)
    made = shell.json(f"membrane connect --connectorKey=close --authOptionKey={option} --json")
    if option == "api-key":
        key = shell.machine.key(person)
        window = Browser(shell.machine.url).open(made["clientAction"]["uiUrl"])
        window.log_in(person).send(apiKey=key)
    held = "select secrets is not null from gateway_connection where id = $1"
    grants = ("select count(*) from oauth_grant g join login l on l.user_id = g.user_id"
              " where l.email = $1 and g.client_id = 'gateway'")  # fmt: skip
    assert shell.machine.sql(held, made["id"]) == [(True,)]
    assert shell.machine.sql(grants, person.email) == [(int(option == "this-server"),)]
    shell.run(f"membrane connection archive {made['id']}")
    assert shell.machine.sql(held, made["id"]) == [(False,)]
    assert shell.machine.sql(grants, person.email) == [(0,)]
    assert shell.json(f"membrane request {made['id']} /me/", 1)["error"] == "not_found"
