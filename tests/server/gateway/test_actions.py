"""`/actions` and `/act`: finding what does it, running it, and the record of that."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from bench.paraphrases import paraphrases
from cli.gateway.test_login import Terminal
from harness import Organization, make_organization, rows_of
from server.gateway.desk import Desk, signed_desk, user_desk
from server.gateway.test_connections import connect

from clinch.gateway.actions.catalog import ACTIONS
from clinch.identity.oauth.clients import GATEWAY
from clinch.identity.oauth.grants import issue_grant
from clinch.identity.scopes import Scope
from clinch.resources.actor import OperationClass


@pytest.fixture
def desk(organization: Organization) -> Desk:
    """A user who has connected this server."""
    made = user_desk(organization)
    connect(made)
    return made


def run(desk: Desk, key: str, input: Any, code: int = 200, **query: Any) -> Any:
    done = desk.ask("POST", f"/actions/{key}/run", {"input": input}, **query)
    assert done.status_code == code, done.text
    return done.json()


def test_an_action_is_found_by_what_is_wanted(desk: Desk) -> None:
    for intent, wanted in (
        ("add a person to a company", "create-contact"),
        ("列出未完成的任务", "list-tasks"),
        ("write a memo about a customer", "create-note"),
    ):
        found = desk.get("/actions", intent=intent, limit=3)["items"]
        assert wanted in [one["id"] for one in found], intent
        assert all(one["connectionId"] for one in found)
    nothing = desk.get("/actions", intent="qzxv wqkj")
    assert (nothing["items"], "hint" in nothing) == ([], True)


def test_ten_results_are_small(desk: Desk, tmp_path: Path) -> None:
    """By whatever is asked for, and with several connections, which each result names."""
    for name in ("Second", "Third"):
        connect(desk, allowMultipleConnections=True, name=name)
    intents = [one.intent for one in paraphrases()[::12]]
    found = {intent: desk.ask("GET", "/actions", intent=intent) for intent in intents}
    assert {len(r.json()["items"][0]["connectionIds"]) for r in found.values()} == {3}
    sizes = {intent: len(response.content) for intent, response in found.items()}
    largest = max(sizes, key=lambda intent: sizes[intent])
    assert sizes[largest] <= 8_000
    terminal = Terminal(tmp_path, desk.url)
    terminal.environment["MEMBRANE_TOKEN"] = desk.token
    printed = terminal.run("action", "list", f"--intent={largest}", "--json").stdout
    assert len(json.loads(printed)["items"]) == 10
    assert len(printed.encode()) <= 8_000


def test_every_action_is_listed_once_and_described(desk: Desk) -> None:
    keys: list[str] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = desk.get("/actions", limit=100, cursor=cursor)
        keys += [one["id"] for one in page["items"]]
        cursor = page.get("cursor")
    assert len(keys) == len(set(keys)) > 200
    assert keys.index("list-leads") < keys.index("api-list-lead")
    for key in ("list-leads", "api-create-lead", "api-merge-leads"):
        one = desk.get(f"/actions/{key}")
        assert one["inputSchema"]["type"] == "object"
        assert one["outputSchema"]
        assert desk.get("/action", key=key, integrationKey="close") == one
    assert desk.get("/actions/api-merge-leads")["operationClass"] == "destructive"


def test_a_run_and_its_record(organization: Organization, desk: Desk) -> None:
    made = run(desk, "create-lead", {"name": "Harbour", "contacts": [{"name": "Ada"}]})
    lead = organization.admin.get(f"/lead/{made['output']['id']}/")
    assert [one["name"] for one in lead["contacts"]] == ["Ada"]
    record = desk.get(f"/action-run-logs/{made['actionRunId']}/details")
    assert (record["status"], record["action"]) == ("success", "create-lead")
    assert record["output"] == made["output"]
    assert [one["path"] for one in record["requests"]] == ["/lead/"]


def test_an_operation_of_the_api(organization: Organization, desk: Desk) -> None:
    made = run(desk, "api-create-lead", {"name": "Raw", "_fields": "id,name"})
    assert made["output"]["name"] == "Raw"
    read = run(desk, "api-get-lead", {"id": made["output"]["id"], "_fields": "name"})
    assert read["output"] == {"name": "Raw"}
    refused = run(desk, "api-get-lead", {}, 400)
    assert "id" in refused["message"]
    assert refused["data"]["actionRunId"].startswith("run_")


def test_trying_changes_nothing(organization: Organization, desk: Desk) -> None:
    tried = run(desk, "create-lead", {"name": "Tried"}, dryRun="true")
    assert tried["output"]["display_name"] == "Tried"
    run(desk, "api-create-lead", {"name": "Tried"}, dryRun="true")
    assert organization.admin.get("/lead/")["total_results"] == 0


def test_the_same_key_is_done_once(organization: Organization, desk: Desk) -> None:
    def send() -> Any:
        return requests.post(
            f"{desk.url}/actions/create-lead/run",
            json={"input": {"name": "Once"}},
            headers={"Authorization": f"Bearer {desk.token}", "Idempotency-Key": "k"},
            timeout=30,
        ).json()

    assert send()["output"]["id"] == send()["output"]["id"]
    assert organization.admin.get("/lead/")["total_results"] == 1


def test_what_is_wrong_says_what_to_do(organization: Organization, desk: Desk) -> None:
    wrong = run(desk, "get-lead", {"id": "lead_none"}, 400)
    assert "list-leads" in wrong["data"]["hint"]
    record = desk.get(f"/action-run-logs/{wrong['data']['actionRunId']}")
    assert (record["status"], record["error"]["message"]) == ("error", wrong["message"])
    unknown = run(desk, "make-coffee", {}, 404)
    assert "action list" in unknown["data"]["hint"]
    for body in ({"key": "list-leads", "code": "x"}, {}, {"key": "a", "id": "b"}):
        assert desk.ask("POST", "/act", body).status_code == 400


def test_a_login_that_reads_writes_nothing(organization: Organization, desk: Desk) -> None:
    actor, program = organization.actor(), organization.program
    scope = Scope(frozenset({OperationClass.READ}), offline=False)
    granted = issue_grant(program.store.database, actor, GATEWAY, scope, actor.clock())
    reader = Desk(desk.url, program.run(granted).access_token)
    before = rows_of(organization)
    for action in ACTIONS.values():
        if action.operation_class is not OperationClass.READ:
            refused = run(reader, action.key, action.examples[0], 403)
            assert refused["key"] == "access_denied"
            assert f"{action.key} needs {action.operation_class}" in refused["message"]
            assert "membrane login" in refused["data"]["hint"]
    assert rows_of(organization) == before


def test_the_other_ways_to_run(desk: Desk) -> None:
    [connection] = desk.get("/connections")["items"]
    wanted = run(desk, "list-leads", {"limit": 1})["output"]
    below = f"/connections/{connection['id']}/actions/list-leads"
    assert desk.ask("POST", f"{below}/run", {"limit": 1}).json()["output"] == wanted
    assert desk.get(below)["id"] == "list-leads"
    act = {"key": "list-leads", "input": {"limit": 1}, "connectionId": connection["id"]}
    assert desk.ask("POST", "/act", act).json()["output"] == wanted
    single = desk.ask(
        "POST", "/action/run", {"input": {"limit": 1}}, key="list-leads", integrationKey="close"
    )
    assert single.json()["output"] == wanted


def test_without_a_connection_and_with_several(organization: Organization, desk: Desk) -> None:
    other = user_desk(make_organization(organization.program))
    refused = run(other, "list-leads", {}, 400)
    assert refused["data"]["hint"] == "membrane connect --connectorKey=close --json"
    assert other.get("/actions", intent="list leads")["items"][0]["id"] == "list-leads"
    second = connect(desk, allowMultipleConnections=True)
    several = run(desk, "list-leads", {}, 400)
    assert second["id"] in several["data"]["connectionIds"]
    run(desk, "list-leads", {}, connectionId=second["id"])
    listed = desk.get("/actions", intent="list leads")["items"][0]
    assert second["id"] in listed["connectionIds"]
    waiting = signed_desk(organization, tenantKey="acme")
    connect(waiting)
    assert "not ready" in run(waiting, "list-leads", {}, 400)["message"]


def test_apps_are_found(desk: Desk) -> None:
    [first] = desk.get("/search", q="close", elementType="Connector")["items"]
    assert (first["elementType"], first["element"]["key"]) == ("connector", "close")
    nothing = desk.get("/search", q="nosuchapp")
    assert (nothing["items"], "hint" in nothing) == ([], True)
    assert desk.ask("GET", "/search", q="x", elementType="flow").status_code == 400
    for noun in ("connectors", "integrations", "external-apps"):
        listed, *others = desk.get(f"/{noun}")["items"]
        assert {"hubspot", "slack"} <= {one["key"] for one in others}
        one = desk.get(f"/{noun}/{listed['key']}")
        assert [option["key"] for option in one["options"]] == [
            "this-server",
            "api-key",
            "close-com-api-key",
        ]
        assert desk.ask("GET", f"/{noun}/nothing").status_code == 404
