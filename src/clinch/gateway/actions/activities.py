"""Activities of every type, with the tasks among them: what happened, in one list by date."""

from typing import Any

from clinch.gateway.actions.action import Words
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.inputs import Input, SeveralOf, same
from clinch.gateway.actions.lists import Dates, Keep, Pairs, Source, listing
from clinch.gateway.actions.records import TEXT, Record, Shape
from clinch.gateway.actions.references import UserRef, contact_id, lead_id
from clinch.gateway.actions.run import Run

_LEAD = "lead_3bKzq8RjwTnVYxHdPsUmFA"

_PATHS = {
    "Note": "note",
    "Call": "call",
    "Email": "email",
    "EmailThread": "emailthread",
    "SMS": "sms",
    "WhatsAppMessage": "whatsapp_message",
    "Meeting": "meeting",
    "CustomActivity": "custom",
    "Created": "created",
    "FormSubmission": "form_submission",
    "LeadStatusChange": "status_change/lead",
    "OpportunityStatusChange": "status_change/opportunity",
    "LeadMerge": "lead_merge",
    "TaskCompleted": "task_completed",
    "ImportUpdate": "import_update",
}
"""The types, with the end of the path at which each has a list of its own."""
_TASK = "Task"


def summary(record: Record) -> str | None:
    """A line about what happened, of whatever type."""
    match record.get("_type"):
        case "LeadStatusChange" | "OpportunityStatusChange":
            return f"{record.get('old_status_label')} -> {record.get('new_status_label')}"
        case "TaskCompleted":
            return _line(record.get("task_text"))
        case "Task":
            state = "done" if record.get("is_complete") else f"due {record.get('date')}"
            return f"{_line(record.get('text'))} ({state})"
    for name in ("title", "subject", "text", "note", "message_markdown", "task_text"):
        if record.get(name):
            return _line(record[name])
    return None


def _line(text: Any) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= 200 else line[:199] + "…"


ACTIVITY = Shape(
    noun="activity",
    short={
        "id": TEXT,
        "_type": TEXT,
        "lead_id": TEXT,
        "contact_id": TEXT,
        "user_id": TEXT,
        "user_name": TEXT,
        "summary": TEXT,
        "activity_at": TEXT,
        "date_created": TEXT,
    },
    reads=(
        "_type", "source", "title", "subject", "text", "note", "message_markdown", "task_text",
        "old_status_label", "new_status_label", "custom_activity_type_id",
    ),
    computed={"summary": summary},
)  # fmt: skip

_FILTERS: tuple[Input, ...] = (
    lead_id("Only those of this lead."),
    UserRef(
        name="userId",
        api="user_id",
        also=("user",),
        doc='Only those of this user, of tasks those that they are to do: "me", an id, an email'
        " address or a full name.",
    ),
    contact_id("Only those with this person."),
    SeveralOf(
        name="type",
        api="_type",
        also=("types", "activityType"),
        words=same(*_PATHS, _TASK),
        synonyms={
            "whatsapp": "WhatsAppMessage",
            "mail": "Email",
            "custom": "CustomActivity",
            "textmessage": "SMS",
            "form": "FormSubmission",
            "statuschange": "LeadStatusChange",
            "thread": "EmailThread",
        },
        doc="Only those of these types; when left out, all, with the tasks and without threads.",
    ),
)
_DATES = Dates(kinds={"date_created": "moment", "activity_at": "moment"})


async def _sources(
    run: Run, given: dict[str, Any], query: Pairs
) -> tuple[list[Source], str | None]:
    """Where the API has what is asked for, with the date that all of it is ordered by."""
    types = list(dict.fromkeys(given.get("type") or [*_PATHS, _TASK]))
    dated, _, date = _DATES.filter(given)
    if date == "activity_at" and "leadId" not in given:
        raise ActionError(
            "dateField activity_at takes a leadId: only one lead's list is ordered by it.",
            "Give leadId as well, or filter by date_created.",
            "dateField",
        )
    query = tuple(pair for pair in query if pair[0] != "_type")
    order: Pairs = (("_order_by", "-activity_at"),) if date == "activity_at" else ()
    sources = []
    activities = [type for type in types if type != _TASK]
    if activities:
        named = "type" in given
        sources.append(_activities(activities if named else [], query, (*dated, *order)))
    if _TASK in types:
        sources.append(_tasks(query, given))
    return sources, date


def _activities(types: list[str], query: Pairs, rest: Pairs) -> Source:
    """The activities of some types, all for none.

    Of one type they have a list of their own. Filters on the list of all are documented for one
    lead alone; where they are sent without, what comes is looked at again.
    """
    if len(types) == 1:
        path = f"/activity/{_PATHS[types[0]]}/"
        return Source(path, (*query, *rest), may_be_missing=True)
    of_lead = any(name == "lead_id" for name, _ in query)
    wanted = dict(query)
    sent = list(query)
    if types:
        sent.append(
            ("_type__in", ",".join("Custom" if t == "CustomActivity" else t for t in types))
        )

    def fits(record: Record) -> bool:
        return (not types or record.get("_type") in types) and all(
            record.get(name) == value for name, value in wanted.items()
        )

    must_look = not of_lead and len(sent) > 0
    if "EmailThread" in types and "Email" in types:
        sent.append(("thread_emails", "true"))
    elif "EmailThread" in types:
        sent.append(("thread_emails", "only"))
    return Source("/activity/", (*sent, *rest), fits if must_look else None)


def _tasks(query: Pairs, given: dict[str, Any]) -> Source:
    """To-dos and calls to make, by when they were made: nothing else is a date of the past."""
    sent: list[tuple[str, str]] = [("_type__in", "lead,outgoing_call")]
    contact = None
    for name, value in query:
        if name == "contact_id":
            contact = value
        else:
            sent.append(("assigned_to" if name == "user_id" else name, value))
    made = given | {"dateField": "date_created"}
    dated, _, _ = _DATES.filter(made)
    sent += [*dated, ("_order_by", "-date_created")]

    def concerns(record: Record) -> bool:
        return record.get("contact_id") == contact

    keep: Keep | None = concerns if contact else None
    return Source("/task/", tuple(sent), keep, _as_activity)


def _as_activity(task: Record) -> Record:
    """A task with the fields that activities have."""
    return task | {
        "_type": _TASK,
        "task_type": task.get("_type"),
        "user_id": task.get("assigned_to"),
        "user_name": task.get("assigned_to_name"),
        "activity_at": task.get("date_created"),
    }


LIST_ACTIVITIES = listing(
    Words(
        "list-activities",
        "List activities",
        "List activities, tasks among them, with optional filtering by lead, user, contact, or"
        " type; the newest come first.",
        (
            {"leadId": _LEAD},
            {"userId": "me", "type": ["Call", "Note"], "limit": 10},
            {"type": "Task", "dateFrom": "2026-01-01"},
        ),
    ),
    ACTIVITY,
    "/activity/",
    _FILTERS,
    dates=_DATES,
    sources=_sources,
)
