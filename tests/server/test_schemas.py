"""Every answer is of the schema that the document has for it, and has no key that this has not."""

from collections.abc import Iterable
from typing import Any

import jsonschema_rs
import pytest
from examples import Examples
from harness import Program, document, make_organization

from clinch.program import declarations
from clinch.resources.declaration import Resource

DOCUMENT = document()
ANSWERED = [resource for resource in declarations() if resource.operations]


@pytest.fixture(scope="module")
def made(program: Program) -> Examples:
    """An example of everything, some of it twice, with what the program writes by itself."""
    made = Examples(make_organization(program))
    for resource in ANSWERED:
        made.object(resource.noun)
    api, leads = made.api, [made.new(made.declared["lead"]) for _ in range(2)]
    source, destination = (str((lead or {})["id"]) for lead in leads)
    body = {"lead_id": destination, "value": 100, "value_period": "monthly"}
    deal = api.post("/opportunity/", body)
    won = next(s["id"] for s in api.get("/status/opportunity/")["data"] if s["type"] == "won")
    api.put(f"/opportunity/{deal['id']}/", {"status_id": won})
    bad = next(s["id"] for s in api.get("/status/lead/")["data"] if s["label"] == "Bad Fit")
    api.put(f"/lead/{destination}/", {"status_id": bad})
    task = api.post("/task/", {"lead_id": destination, "text": "Call"})
    api.put(f"/task/{task['id']}/", {"is_complete": True})
    api.post("/lead/merge/", {"source": source, "destination": destination})
    return made


def problems(noun: str, answer: dict[str, Any]) -> list[str]:
    """What of an answer is not as its schema says; custom values have keys of their own."""
    schemas = DOCUMENT["components"]["schemas"]
    whole = {"components": DOCUMENT["components"], "$ref": f"#/components/schemas/{noun}"}
    found = jsonschema_rs.validator_for(whole).iter_errors(answer)
    told = [f"{error.instance_path}: {error.message}" for error in found]
    if "properties" in schemas[noun]:
        named = (key for key in answer if not key.startswith("custom."))
        told += [f"{key}: unknown" for key in named if key not in schemas[noun]["properties"]]
    return told


def answers(made: Examples, resource: type[Resource]) -> Iterable[dict[str, Any]]:
    """The example as it was made, as it is read, and with all that are listed."""
    example = made.object(resource.noun)
    if example is not None:
        yield example
    listed: list[dict[str, Any]] = []
    if "list" in resource.operations:
        of_lead = {"lead_id": made.id("lead")} if resource.noun == "custom_object" else {}
        of_object = (
            {"object_id": example["object_id"]} if example and "object_id" in example else {}
        )
        listed = made.api.get(f"/{resource.path}/", **of_lead, **of_object)["data"]
        yield from listed
    if "get" in resource.operations:
        for id in {one["id"] for one in (example, *listed) if one is not None}:
            yield made.api.get(f"/{resource.path}/{id}/")
            yield made.api.get(f"/{resource.path}/{id}/", _fields="_all")


@pytest.mark.parametrize("resource", ANSWERED, ids=lambda resource: resource.noun)
def test_answers_are_of_their_schema(made: Examples, resource: type[Resource]) -> None:
    found = list(answers(made, made.declared[resource.noun]))
    assert found
    for answer in found:
        assert problems(resource.noun, answer) == []
