"""`/mcp` and `membrane mcp`, asked by the protocol's own client; and what is no message."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
from cli.gateway.test_login import Terminal
from harness import Organization
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from server.gateway.desk import Desk, user_desk
from server.gateway.test_connections import connect

from clinch.identity.oauth.clients import GATEWAY
from clinch.identity.oauth.grants import issue_grant
from clinch.identity.scopes import Scope
from clinch.resources.actor import OperationClass

Talk = Callable[[Client], Awaitable[Any]]


@pytest.fixture
def desk(organization: Organization) -> Desk:
    made = user_desk(organization)
    connect(made)
    return made


def by_http(desk: Desk, talk: Talk) -> Any:
    async def run() -> Any:
        headers = {"Authorization": f"Bearer {desk.token}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(f"{desk.url}/mcp", http_client=http)) as client,
        ):
            return await talk(client)

    return asyncio.run(run())


def by_lines(desk: Desk, folder: Path, talk: Talk) -> Any:
    async def run() -> Any:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "clinch.cli.gateway.main", "mcp"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                "MEMBRANE_API_URI": desk.url,
                "MEMBRANE_TOKEN": desk.token,
            },
        )
        async with Client(stdio_client(server)) as client:
            return await talk(client)

    return asyncio.run(run())


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool answers: its structure, or the text of its failure."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        return json.loads(result.content[0].text)  # type: ignore[union-attr]
    assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]
    return result.structured_content


def test_the_tools_are_few_and_say_what_they_do(desk: Desk) -> None:
    async def talk(client: Client) -> Any:
        return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in by_http(desk, talk)}
    assert len(tools) == 8
    reading = {name for name, tool in tools.items() if tool.annotations.read_only_hint}
    assert reading == {
        *("search_actions", "describe_action", "run_read_action"),
        *("send_read_request", "list_connections"),
    }
    asked = message(desk, "tools/list")
    assert len(asked.content) <= 6_000


async def session(client: Client) -> Any:
    """Find an action, read about it, try it and run it."""
    found = await call(client, "search_actions", intent="新建一个客户", limit=3)
    ids = [one["id"] for one in found["actions"]]
    described = await call(client, "describe_action", action="create-lead")
    tried = await call(
        client, "run_write_action", action="create-lead", input={"name": "Harbour"}, dryRun=True
    )
    before = await call(client, "send_read_request", path="/lead/", query={"_limit": 0})
    made = await call(client, "run_write_action", action="create-lead", input={"name": "Harbour"})
    read = await call(
        client, "run_read_action", action="get-lead", input={"id": made["output"]["id"]}
    )
    put = await call(
        client,
        "send_write_request",
        method="PUT",
        path=f"/lead/{made['output']['id']}/",
        body={"name": "Quay"},
        query={"_fields": "name"},
    )
    return ids, described, tried, before, made, read, put


@pytest.mark.parametrize("way", ["http", "lines"])
def test_a_session(desk: Desk, tmp_path: Path, way: str) -> None:
    told = by_http(desk, session) if way == "http" else by_lines(desk, tmp_path, session)
    ids, described, tried, before, made, read, put = told
    assert "create-lead" in ids
    assert "name" in described["inputSchema"]["properties"]
    assert tried["output"]["display_name"] == "Harbour"
    assert before["body"]["total_results"] == 0
    assert made["actionRunId"].startswith("run_")
    assert read["output"]["id"] == made["output"]["id"]
    assert put == {"status": 200, "body": {"name": "Quay"}}


def test_what_is_saved_is_an_action(desk: Desk) -> None:
    def save(key: str, method: str, path: str) -> None:
        config = {"request": {"method": method, "path": path, "query": {"_fields": "id"}}}
        saved = {"key": key, "name": "Fetch the boss", "config": config}
        assert desk.ask("POST", "/actions", saved).status_code == 200

    save("boss", "GET", "/{what}/")
    save("drop", "DELETE", "/lead/{id}/")

    async def talk(client: Client) -> Any:
        return [
            await call(client, "search_actions", intent="fetch the boss", limit=2),
            await call(client, "describe_action", action="boss"),
            await call(client, "run_read_action", action="boss", input={"what": "me"}),
            await call(client, "run_read_action", action="drop", input={"id": "lead_none"}),
            await call(client, "run_write_action", action="drop", input={"id": "lead_none"}),
        ]

    found, described, read, refused, gone = by_http(desk, talk)
    assert {one["inputs"][0] for one in found["actions"]} == {"what", "id"}
    assert described["inputSchema"]["required"] == ["what"]
    assert list(read["output"]) == ["id"]
    assert "run_write_action" in refused["message"]
    assert gone["data"]["status"] == 404


def test_what_is_wrong_is_told_to_the_model(desk: Desk) -> None:
    async def talk(client: Client) -> Any:
        return [
            await call(client, "run_read_action", action="create-lead", input={}),
            await call(client, "run_read_action", action="make-coffee"),
            await call(client, "run_read_action", action="get-lead", input={"id": "lead_none"}),
            await call(client, "run_read_action", action="get-lead", more=1),
            await call(client, "send_read_request", path="/me/", connectionId="conn_none"),
            await call(client, "connect_app", app="nothing"),
        ]

    writes, unknown, nobody, more, connection, app = by_http(desk, talk)
    assert "run_write_action" in writes["message"]
    assert "action list" in unknown["data"]["hint"]
    assert "list-leads" in nobody["data"]["hint"]
    assert "more" in more["message"]
    assert connection["key"] == app["key"] == "not_found"


def test_connections(organization: Organization) -> None:
    async def talk(client: Client) -> Any:
        empty = await call(client, "send_read_request", path="/me/")
        made = await call(client, "connect_app", app="close")
        return empty, made, await call(client, "list_connections")

    empty, made, listed = by_http(user_desk(organization), talk)
    assert "connect_app" in empty["message"]
    assert (made["app"], made["state"]) == ("close", "READY")
    assert listed == {"connections": [made]}


def test_a_login_that_only_reads(organization: Organization, desk: Desk) -> None:
    scope = Scope(frozenset({OperationClass.READ}), offline=False)
    actor, program = organization.actor(), organization.program
    granted = issue_grant(program.store.database, actor, GATEWAY, scope, actor.clock())
    reader = Desk(desk.url, program.run(granted).access_token)

    async def talk(client: Client) -> Any:
        return [
            await call(client, "run_write_action", action="create-lead", input={"name": "x"}),
            await call(client, "send_write_request", method="POST", path="/lead/", body={}),
            await call(client, "run_read_action", action="list-leads"),
        ]

    refused, raw, read = by_http(reader, talk)
    assert refused["key"] == raw["key"] == "access_denied"
    assert read["output"]["items"] == []


def message(desk: Desk, method: str, **changes: Any) -> requests.Response:
    sent = {"jsonrpc": "2.0", "id": 1, "method": method, **changes}
    headers = {"Authorization": f"Bearer {desk.token}"}
    return requests.post(f"{desk.url}/mcp", json=sent, headers=headers, timeout=30)


def test_who_has_no_token_is_told_where_to_get_one(desk: Desk) -> None:
    refused = message(Desk(desk.url, "nothing"), "ping")
    assert refused.status_code == 401
    place = f"{desk.url}/.well-known/oauth-protected-resource/mcp"
    assert refused.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{place}"'
    assert requests.get(place, timeout=10).json()["resource"] == f"{desk.url}/mcp"


def test_by_lines_the_servers_own_words_are_passed_on(desk: Desk, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, desk.url)
    terminal.environment["MEMBRANE_TOKEN"] = "nothing"
    ping = '{"jsonrpc": "2.0", "id": 7, "method": "ping"}\n'
    done = terminal.run("mcp", input=ping)
    [line] = done.stdout.splitlines()
    told = json.loads(line)
    assert (told["id"], told["error"]["message"]) == (
        7,
        message(Desk(desk.url, "nothing"), "ping").json()["error"]["message"],
    )


def test_what_is_no_message(desk: Desk) -> None:
    def post(body: bytes, **headers: str) -> requests.Response:
        own = {"Authorization": f"Bearer {desk.token}", "Content-Type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(f"{desk.url}/mcp", data=body, headers=own | named, timeout=30)

    assert post(b"{oh").json()["error"]["code"] == -32700
    assert post(b"[]").json()["error"]["code"] == -32600
    assert post(b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}').json()["error"]["code"] == -32600
    assert message(desk, "nonsense").json()["error"]["code"] == -32601
    assert message(desk, "tools/call", params={"name": "x"}).json()["error"]["code"] == -32602
    assert message(desk, "tools/call", params=[]).json()["error"]["code"] == -32602
    assert message(desk, "ping").json()["result"] == {}
    note = post(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
    assert (note.status_code, note.content) == (202, b"")
    ping = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'
    assert post(ping, Origin="https://evil.example").status_code == 403
    assert post(ping, Origin=desk.url).status_code == 200
    assert post(ping, MCP_Protocol_Version="1.0").status_code == 400
    assert post(b" " * 1_000_001).status_code == 413
    assert requests.get(f"{desk.url}/mcp", timeout=10).status_code == 405
