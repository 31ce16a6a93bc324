"""What all actions have in common: schemas, examples, sizes, and lists to their end."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema_rs
import msgspec
import pytest
from gateway.actions.cases import TWENTY
from gateway.actions.scene import Scene, example, run

from clinch.gateway.actions.action import Action
from clinch.gateway.actions.catalog import ACTIONS
from clinch.gateway.api import ApiAnswer, ApiRequest

EVERY = list(ACTIONS.values())


def test_the_twenty_and_more() -> None:
    assert set(TWENTY) <= set(ACTIONS)
    assert len(TWENTY) == 20
    assert all(key == action.key == action.id for key, action in ACTIONS.items())


@pytest.mark.parametrize("action", EVERY, ids=lambda action: action.key)
def test_schemas_and_examples(action: Action) -> None:
    jsonschema_rs.meta.validate(action.input_schema)
    jsonschema_rs.meta.validate(action.output_schema)
    published = jsonschema_rs.validator_for(action.input_schema)
    assert action.examples
    for input in action.examples:
        published.validate(input)
    for schema in action.input_schema["properties"].values():
        assert schema["description"].endswith((".", "-", ")")), schema
    assert action.description.endswith(".")


def test_examples_run(scene: Scene) -> None:
    for action in EVERY:
        output = jsonschema_rs.validator_for(action.output_schema)
        for number in range(len(action.examples)):
            result = scene.run(action.key, example(scene, action, number), dry_run=True)
            output.validate(result.output)


def test_sizes(scene: Scene) -> None:
    for number in range(20):
        scene.key.post("/lead/", {
            "name": f"Company number {number} of the harbour", "description": "Long " * 100,
            "url": f"https://company-{number}.example/", "contacts": [{"name": "Bo"}],
        })  # fmt: skip
    listed = msgspec.json.encode(scene.run("list-leads", {"limit": 20}).output)
    raw = scene.key("GET", "/lead/", _limit=20).content
    assert len(json.loads(listed)["items"]) == 20
    assert len(listed) <= 8_000
    assert len(listed) <= len(raw) / 3


def test_pages_inside(scene: Scene) -> None:
    lead = scene.key.post("/lead/", {"contacts": [{"name": f"C{n}"} for n in range(100)]})
    for _ in range(2):
        scene.key.post("/contact/", {"name": "one more", "lead_id": lead["id"]})
    found = scene.run("list-contacts", {"leadId": lead["id"], "limit": 1000})
    assert len({item["id"] for item in found.output["items"]}) == found.output["total"] == 102
    assert [dict(e.query)["_skip"] for e in found.exchanges] == ["0", "100"]
    rest = scene.run("list-contacts", {"leadId": lead["id"], "skip": 101, "limit": 5}).output
    assert (len(rest["items"]), rest["total"]) == (1, 102)
    assert (
        len(scene.run("list-contacts", {"leadId": lead["id"], "all": True}).output["items"]) == 102
    )


def pages_of(total: int) -> Any:
    """An app with a list of so many tasks, more than tests can make."""

    async def call(request: ApiRequest) -> ApiAnswer:
        query = dict(request.query)
        skip, limit = int(query["_skip"]), int(query["_limit"])
        rows = [
            {"id": f"task_{n}", "date": "2026-03-05"} for n in range(skip, min(skip + limit, total))
        ]
        page = {"data": rows, "has_more": skip + limit < total}
        return ApiAnswer(200, (), msgspec.json.encode(page))

    return call


def test_all_ends_at_ten_thousand_and_says_so() -> None:
    first = run(pages_of(10_050), "list-tasks", {"all": True}).output
    assert len(first["items"]) == 10_000
    assert first["truncated"] is True
    assert "10,000" in first["hint"]
    rest = run(pages_of(10_050), "list-tasks", {"all": True, "cursor": first["cursor"]}).output
    assert [item["id"] for item in rest["items"]] == [f"task_{n}" for n in range(10_000, 10_050)]
    assert "truncated" not in rest
    # Filtered here: what fits is far, so the search ends before it is found.
    far = {"dateFrom": "2026-04-01", "limit": 5}
    found = run(pages_of(10_050), "list-tasks", far).output
    assert (found["items"], found["truncated"]) == ([], True)
    rest = run(pages_of(10_050), "list-tasks", far | {"cursor": found["cursor"]}).output
    assert (rest["items"], rest.get("cursor")) == ([], None)


def test_views_are_those_of_the_time_zone(scene: Scene) -> None:
    today = datetime.now(ZoneInfo("Pacific/Kiritimati")).date().isoformat()
    asked = {"leadId": scene.ids["north"], "text": "Far", "date": today}
    task = scene.run("create-task", asked).output["id"]
    for zone, view in {"Pacific/Kiritimati": "inbox", "Pacific/Midway": "future"}.items():
        found = scene.run("list-tasks", {"view": view, "timeZone": zone, "limit": 100}).output
        assert task in {item["id"] for item in found["items"]}, zone
    at = datetime(2026, 7, 1, tzinfo=UTC) + timedelta(hours=1)
    run(scene.api, "list-tasks", {"timeZone": "Europe/London"}, clock=lambda: at)


def test_exchanges_keep_no_headers(scene: Scene) -> None:
    result = scene.run("create-note", {"leadId": scene.ids["north"], "note": "Kept"})
    [exchange] = result.exchanges
    assert (exchange.method, exchange.path, exchange.status) == ("POST", "/activity/note/", 200)
    assert "Kept" in (exchange.request_body or "")
    assert "Kept" in (exchange.answer_body or "")
    assert scene.key.key not in repr(result)
