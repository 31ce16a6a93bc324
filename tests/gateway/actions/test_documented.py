"""The twenty actions ask close.com for nothing that Close does not document, and find the same."""

from dataclasses import replace
from typing import Any

import pytest
from gateway.actions.cases import CASES, TWENTY, shown
from gateway.actions.documented import as_close
from gateway.actions.scene import Scene

OF_THE_TWENTY = [case for case in CASES if case[0] in TWENTY]


@pytest.fixture(scope="module")
def close(scene: Scene) -> Scene:
    return replace(scene, api=as_close(scene.api))


@pytest.mark.parametrize(("action", "input", "expected"), OF_THE_TWENTY, ids=shown)
def test_lists(filled: Scene, action: str, input: dict[str, Any], expected: set[str]) -> None:
    close = replace(filled, api=as_close(filled.api))
    result = close.run(action, close.fill({"limit": 100, **input}))
    assert close.names(result.output["items"]) == expected


def test_objects(close: Scene) -> None:
    made = {
        "lead": close.run("create-lead", {"name": "X", "customFields": {"Industry": "Tools"}}),
        "contact": close.run("create-contact", {"name": "Y", "customFields": {"Role": "CEO"}}),
        "opportunity": close.run(
            "create-opportunity", {"leadId": close.ids["north"], "customFields": {"Budget": 5}}
        ),
        "task": close.run("create-task", {"leadId": close.ids["north"], "text": "x"}),
        "note": close.run("create-note", {"leadId": close.ids["north"], "note": "x"}),
    }
    for noun, change in {
        "lead": {"status": "Customer"},
        "contact": {"title": "CEO"},
        "opportunity": {"status": "Won"},
    }.items():
        id = made[noun].output["id"]
        assert close.run(f"update-{noun}", {"id": id} | change).output["id"] == id
    for noun, result in made.items():
        assert close.run(f"get-{noun}", {"id": result.output["id"]}).output["id"]
    lead = close.run("get-lead", {"id": made["lead"].output["id"]}).output
    assert lead["custom"] == {"Industry": "Tools"}
    assert lead["status_label"] == "Customer"
    assert close.run("get-user", {"id": close.ids["ada"]}).output["last_name"] == "Moss"


def test_a_dry_run_is_refused(close: Scene) -> None:
    before = len(close.key.get("/lead/", _limit=200)["data"])
    error = close.refused("create-lead", {"name": "Z"}, dry_run=True, can_dry_run=False)
    assert error.exchanges == ()
    assert len(close.key.get("/lead/", _limit=200)["data"]) == before
