"""Command lines against a live server: saved actions, `act`, connection requests."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Organization
from server.gateway.desk import user_desk
from server.gateway.test_connections import connect

CONFIG = json.dumps(
    {
        "request": {
            "method": "POST",
            "path": "/lead/",
            "query": {"_fields": "id,name"},
            "body": {"name": {"$var": "$.input.name"}},
        }
    }
)

Membrane = Callable[..., tuple[int, Any]]


@pytest.fixture
def membrane(organization: Organization, tmp_path: Path) -> Membrane:
    """Runs a command with `--json`, as a user who has connected this server."""
    desk = user_desk(organization)
    connect(desk)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(tmp_path),
        "MEMBRANE_API_URI": desk.url,
        "MEMBRANE_TOKEN": desk.token,
    }

    def run(*words: str) -> tuple[int, Any]:
        command = [sys.executable, "-m", "clinch.cli.gateway.main", *words, "--json"]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30
        )
        return done.returncode, json.loads(done.stdout)

    return run


def test_an_action_is_saved_run_changed_and_deleted(
    organization: Organization, membrane: Membrane
) -> None:
    code, made = membrane("action", "create", "--key=add-lead", "--config", CONFIG)
    assert (code, made["state"], made["key"]) == (0, "READY", "add-lead")
    code, ran = membrane("action", "run", "add-lead", "--input", '{"name": "Quay"}')
    assert (code, ran["output"]["name"]) == (0, "Quay")
    code, tried = membrane("action", "run", "add-lead", "--input", '{"name": "T"}', "--dry-run")
    assert (code, tried["output"]["name"]) == (0, "T")
    assert organization.admin.get("/lead/")["total_results"] == 1
    code, changed = membrane(
        "action", "update", "add-lead", "--data", '{"name": "Enter a company"}'
    )
    assert (code, changed["name"], changed["id"]) == (0, "Enter a company", made["id"])
    _, found = membrane("action", "list", "--intent=enter a company", "--limit=1")
    assert found["items"][0]["key"] == "add-lead"
    whole = json.dumps({"config": {"request": {"path": "/me/"}}})
    code, replaced = membrane("action", "replace", made["id"], "--data", whole)
    assert (code, replaced["operationClass"], replaced["key"]) == (0, "read", "add-lead")
    assert membrane("action", "delete", "add-lead") == (0, {"id": "add-lead", "deleted": True})
    code, gone = membrane("action", "get", "add-lead")
    assert (code, gone["error"]) == (1, "not_found")


def test_a_request_is_sent_with_a_record(membrane: Membrane, organization: Organization) -> None:
    api = json.dumps({"path": "/me/", "query": {"_fields": {"$var": "$.input.fields"}}})
    code, done = membrane("act", "--api", api, "--input", '{"fields": "id"}')
    assert (code, done["output"]) == (0, {"id": organization.admin.user_id})
    lead = json.dumps({"method": "POST", "path": "/lead/", "body": {"name": "Tried"}})
    code, tried = membrane("act", "--api", lead, "--dry-run")
    assert (code, tried["output"]["name"]) == (0, "Tried")
    assert organization.admin.get("/lead/")["total_results"] == 0
    code, record = membrane("action-run-log", "get", done["actionRunId"], "--details")
    assert (code, record["action"]) == (0, "GET /me/")


def test_an_app_is_meant_by_words(membrane: Membrane) -> None:
    code, made = membrane("connect", "--intent", "post messages to Slack")
    assert (code, made["connectorKey"], made["state"]) == (0, "slack", "CLIENT_ACTION_REQUIRED")
    code, refused = membrane("connect", "--intent", "zzzz")
    assert (code, refused["error"]) == (1, "not_found")
    code, listed = membrane("integration", "list", "--connectors", "1", "--externalApps=1")
    assert code == 0
    assert {"close", "slack", "hubspot"} <= {one["key"] for one in listed["items"]}


def test_what_cannot_be_meant_is_not_sent(membrane: Membrane) -> None:
    for words in (
        ("action", "create"),
        ("action", "create", "--config", "GET /me/"),
        ("act", "--code", "module.exports = () => 1"),
        ("act", "--api", "GET /me/"),
        ("act", "--api", "{}", "--key", "list-leads"),
        ("action", "update", "x"),
    ):
        code, told = membrane(*words)
        assert (code, told["error"]) == (2, "usage"), words
        assert told["hint"], words


def test_words_alone_name_what_there_is(membrane: Membrane) -> None:
    code, told = membrane("action", "create", "add a person to a company")
    assert code == 1
    assert "create-contact" in told["message"]
    assert "--config" in told["hint"]


def test_a_connection_is_asked_for(membrane: Membrane) -> None:
    asked = ("connection-request", "create", "--connectorKey=close")
    code, made = membrane(*asked, "--authOptionKey=close-com-api-key", "--name=Theirs")
    assert (code, made["status"], made["name"]) == (0, "pending", "Theirs")
    assert "/connect/" in made["url"]
    code, told = membrane("connection-request", "get", made["requestId"])
    assert (code, told["status"]) == (0, "pending")
    code, done = membrane(*asked)
    assert (code, done["status"]) == (0, "success")
    assert membrane("connection", "get", done["resultConnectionId"])[1]["state"] == "READY"
    code, wrong = membrane("connection-request", "create")
    assert (code, wrong["error"]) == (2, "usage")
    code, gone = membrane("connection-request", "get", "creq_none")
    assert (code, gone["error"]) == (1, "not_found")


def test_an_app_is_added_by_its_document(membrane: Membrane, tmp_path: Path) -> None:
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Boat Yard"},
        "servers": [{"url": "https://api.boats.example"}],
        "paths": {"/boats": {"get": {"operationId": "listBoats", "responses": {}}}},
    }
    (tmp_path / "boats.json").write_text(json.dumps(document))
    code, made = membrane("connector", "add", "boats.json", "--domain=boats.example")
    assert (code, made["key"], made["operationsCount"]) == (0, "boat-yard", 1)
    _, found = membrane("search", "boats.example")
    assert found["items"][0]["element"]["key"] == "boat-yard"
    code, refused = membrane("connector", "add", "https://127.0.0.1:1/boats.json")
    assert (code, "CLINCH_ALLOW_PRIVATE" in refused["message"]) == (1, True)
    code, missing = membrane("connector", "add", "nothing.json")
    assert (code, missing["error"]) == (2, "usage")
