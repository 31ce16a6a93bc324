"""The SDK by which products embed the gateway, from npm and unmodified, against a live server."""

import json
from pathlib import Path
from typing import Any

import pytest
from harness import Organization
from node import run_with_sdk
from server.gateway.desk import workspace_of

SESSION = Path(__file__).parent / "membrane_sdk" / "session.mjs"


@pytest.fixture
def told(organization: Organization) -> dict[str, Any]:
    """What the SDK was answered, by step, as a customer of the organization."""
    organization.admin.post("/lead/", {"name": "Harbour"})
    workspace = workspace_of(organization)
    arguments = (
        organization.program.url,
        workspace.key,
        workspace.secret,
        "acme",
        organization.admin.key,
    )
    found: dict[str, Any] = json.loads(run_with_sdk(SESSION, *arguments))
    return found


def test_a_product_works_with_the_sdk(organization: Organization, told: dict[str, Any]) -> None:
    assert told["self"]["internalId"] == "acme"
    assert told["search"]["items"][0]["element"]["key"] == "close"
    assert told["none"]["items"] == []
    assert told["created"]["state"] == "READY"
    id = told["created"]["id"]
    assert [one["id"] for one in told["found"]["items"]] == [id]
    assert (told["got"]["name"], told["patched"]["name"], told["put"]["name"]) == (
        "CRM",
        "New",
        "Put",
    )
    assert told["refreshed"] in (None, "")
    # The SDK takes the slash before the query away; the API needs it.
    assert told["proxy"]["total_results"] == 1
    made = organization.admin.get(f"/lead/{told['proxyPost']['id']}/")
    assert made["name"] == "From the SDK"
    assert told["actions"]["items"][0]["id"] == "create-contact"
    assert told["all"] > 200
    assert told["action"]["inputSchema"]["type"] == "object"
    assert told["selector"] == told["action"]
    for step in ("run", "selectorRun", "ofConnectionRun", "act"):
        assert [one["id"] for one in told[step]["output"]["items"]] == [made["id"]], step
    assert told["ofConnection"]["items"][0]["id"] == "list-leads"
    assert told["integration"]["key"] == told["integrations"]["items"][0]["key"] == "close"
    assert told["after"]["items"] == []


def test_a_product_saves_actions_with_the_sdk(
    organization: Organization, told: dict[str, Any]
) -> None:
    assert (told["saved"]["state"], told["saved"]["key"]) == ("READY", "lead-name")
    assert told["savedPatch"]["name"] == "The name of a lead"
    assert told["savedSelector"] == told["savedPatch"]
    for step in ("savedRun", "savedOfConnection"):
        assert told[step]["output"] == {"name": "From the SDK"}, step
    assert told["actApi"]["output"] == {"id": organization.admin.user_id}
    for step, key in (("savedAgain", "already_exists"), ("savedGone", "not_found")):
        assert (told[step]["isMembraneError"], told[step]["data"]["key"]) == (True, key)
    for step in ("savedWrong", "actCode"):
        assert "No code of others is run here" in told[step]["failed"]


def test_failures_are_those_that_the_sdk_knows(told: dict[str, Any]) -> None:
    for step, key in (("customers", "access_denied"), ("missing", "not_found"), ("wrong", None)):
        assert told[step]["isMembraneError"], step
        assert told[step]["data"].get("key") == key
    assert told["wrong"]["data"]["type"] == "action_run"
    assert "list-leads" in told["wrong"]["data"]["data"]["hint"]
