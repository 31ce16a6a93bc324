"""Tasks: what somebody is to do about a lead."""

from dataclasses import dataclass
from typing import Any

from clinch.gateway.actions.action import Action, Words
from clinch.gateway.actions.inputs import Flag, Given, Input, OneOf, SeveralOf, Text, When, same
from clinch.gateway.actions.lists import Dates, listing
from clinch.gateway.actions.objects import creating, deleting, getting, id_of, updating
from clinch.gateway.actions.records import FIELDS, FLAG, TEXT, Shape
from clinch.gateway.actions.references import UserRef, contact_id, lead_id
from clinch.gateway.actions.run import Run
from clinch.resources.actor import OperationClass

PATH = "/task/"
_ID = id_of("task", "task|noti", PATH)
_EXAMPLE = "task_8hTw2RjzTnVYxHdPsUmFAC"
_LEAD = "lead_3bKzq8RjwTnVYxHdPsUmFA"

TASK = Shape(
    noun="task",
    short={
        "id": TEXT,
        "_type": TEXT,
        "lead_id": TEXT,
        "lead_name": TEXT,
        "text": TEXT,
        "date": TEXT,
        "is_complete": FLAG,
        "assigned_to": TEXT,
        "assigned_to_name": TEXT,
        "date_created": TEXT,
    },
    cut={"text": 300, "lead_name": 80},
    reads=("_type",),
)

TYPES = same(
    "lead",
    "outgoing_call",
    "incoming_email",
    "email_followup",
    "missed_call",
    "answered_detached_call",
    "voicemail",
    "opportunity_due",
    "incoming_sms",
    "all",
)


@dataclass(frozen=True, kw_only=True)
class TaskTypes(SeveralOf):
    """Types of tasks; the API has a parameter of its own for all of them."""

    async def resolve(self, run: Run, value: Any, given: Given) -> dict[str, Any]:
        return {"_type": "all"} if "all" in value else {"_type__in": ",".join(value)}


def _assignee(doc: str) -> UserRef:
    return UserRef(
        name="userId",
        api="assigned_to",
        also=("user", "assignee", "assigneeId", "assignedToId"),
        doc=f'{doc}: "me", an id, an email address or a full name.',
    )


_DATE = When(
    name="date",
    api="date",
    also=("dueDate", "due"),
    doc="For which day, or which time, with its offset from UTC, as in 2026-03-05T14:30:00Z.",
)
_COMPLETE = Flag(
    name="isComplete", api="is_complete", also=("complete", "completed"), doc="Whether it is done."
)
_TEXT = Text(name="text", max=10_000, min=1, also=("title", "description"), doc="What to do.")

LIST_TASKS = listing(
    Words(
        "list-tasks",
        "List tasks",
        "List tasks, with optional filtering by lead, user, completion status, or view.",
        (
            {"userId": "me", "view": "inbox"},
            {"leadId": _LEAD, "isComplete": False},
            {"dateFrom": "2026-03-02", "dateTo": "2026-03-06", "timeZone": "Europe/London"},
        ),
    ),
    TASK,
    PATH,
    (
        lead_id("Only the tasks of this lead."),
        _assignee("Only the tasks that this user is to do"),
        Flag(
            name="isComplete",
            api="is_complete",
            also=("complete", "completed"),
            doc="true: only what is done; false: only what is still to do.",
        ),
        OneOf(
            name="view",
            words=same("inbox", "future", "archive"),
            doc="inbox: still to do, up to today; future: still to do, from tomorrow on; archive:"
            " done. Today is that of timeZone.",
        ),
        TaskTypes(
            name="type",
            api="_type",
            words=TYPES,
            doc="Only tasks of these types, or all; lead, which are to-dos, when left out.",
        ),
    ),
    dates=Dates(kinds={"date": "either", "date_created": "moment", "date_updated": "moment"}),
)
GET_TASK = getting(
    Words("get-task", "Get a task", "Get one task by its id.", ({"id": _EXAMPLE},)), TASK, _ID
)
CREATE_TASK = creating(
    Words(
        "create-task",
        "Create a task",
        "Create a task for a lead.",
        (
            {"leadId": _LEAD, "text": "Send the quote", "date": "2026-03-05"},
            {"leadId": _LEAD, "text": "Call back", "userId": "me"},
        ),
    ),
    TASK,
    PATH,
    (
        lead_id("The lead that it is about.", required=True),
        Text(
            name="text",
            max=10_000,
            min=1,
            required=True,
            also=("title", "description"),
            doc="What to do.",
        ),
        _DATE,
        _assignee("Who is to do it; whoever runs the action when left out"),
        contact_id("The person at the lead whom it is about."),
        _COMPLETE,
    ),
)
_CHANGES: tuple[Input, ...] = (_TEXT, _DATE, _assignee("Who is to do it"), _COMPLETE)
UPDATE_TASK = updating(
    Words(
        "update-task",
        "Update a task",
        "Update an existing task: what is given is changed, the rest stays.",
        ({"id": _EXAMPLE, "date": "2026-03-09"}, {"id": _EXAMPLE, "userId": "me"}),
    ),
    TASK,
    _ID,
    _CHANGES,
)


async def _complete(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    return await UPDATE_TASK.run(run, {"isComplete": True} | given)


COMPLETE_TASK = Action(
    "complete-task",
    "Complete a task",
    "Mark a task as done, or as to be done again.",
    OperationClass.WRITE,
    (
        _ID,
        Flag(
            name="isComplete",
            api="is_complete",
            also=("complete", "completed"),
            doc="false: it is to be done again; true when left out.",
        ),
        FIELDS,
    ),
    UPDATE_TASK.output_schema,
    ({"id": _EXAMPLE},),
    _complete,
)
DELETE_TASK = deleting(
    Words("delete-task", "Delete a task", "Delete a task for good.", ({"id": _EXAMPLE},)), _ID
)
