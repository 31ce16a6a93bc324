"""Statuses of leads and of opportunities, and the pipelines that the latter stand in."""

from typing import Any

from clinch.gateway.actions.action import Action, Words
from clinch.gateway.actions.lists import listing
from clinch.gateway.actions.records import LIST, TEXT, Shape
from clinch.gateway.actions.references import PipelineRef, find_pipeline, pipelines
from clinch.gateway.actions.run import Run
from clinch.resources.actor import OperationClass

_STATUS = Shape(noun="lead status", short={"id": TEXT, "label": TEXT})
_PIPELINE = Shape(
    noun="pipeline",
    short={"id": TEXT, "name": TEXT, "statuses": LIST},
    inner={"statuses": ("id", "label", "type")},
)

LIST_LEAD_STATUSES = listing(
    Words("list-lead-statuses", "List lead statuses", "List the statuses of leads.", ({},)),
    _STATUS,
    "/status/lead/",
)
LIST_PIPELINES = listing(
    Words(
        "list-pipelines",
        "List pipelines",
        "List the pipelines, with the statuses of each in their order.",
        ({},),
    ),
    _PIPELINE,
    "/pipeline/",
)


async def _list_statuses(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    rows = await pipelines(run)
    if "pipeline" in given:
        rows = [await find_pipeline(run, "pipeline", given["pipeline"])]
    items = [
        {
            "id": status["id"],
            "label": status["label"],
            "type": status["type"],
            "pipeline_id": row["id"],
            "pipeline_name": row["name"],
        }
        for row in rows
        for status in row["statuses"]
    ]
    return {"items": items, "total": len(items)}


LIST_OPPORTUNITY_STATUSES = Action(
    "list-opportunity-statuses",
    "List opportunity statuses",
    "List the statuses of opportunities, with their pipelines.",
    OperationClass.READ,
    (PipelineRef(name="pipeline", api="pipeline_id", doc="Only those of this pipeline."),),
    {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": dict.fromkeys(
                        ("id", "label", "type", "pipeline_id", "pipeline_name"), TEXT
                    ),
                },
            },
            "total": {"type": "integer"},
        },
        "required": ["items"],
    },
    ({}, {"pipeline": "Sales"}),
    _list_statuses,
)
