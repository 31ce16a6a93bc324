"""Tasks: what somebody is to do about a lead, and what waits in their inbox."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any

from clinch.crm.activities.tasks_completed import TaskCompleted
from clinch.crm.contacts import Contact
from clinch.crm.hanging_on import move_what_hangs, what_hangs_on_moved
from clinch.crm.leads import Lead
from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.declaration import Owned, Restorable, of_organization
from clinch.resources.errors import REQUIRED, BadRequest, Invalid, ValidationError
from clinch.resources.fields import (
    EQ,
    EQ_IN,
    RANGE,
    Boolean,
    Choice,
    Computed,
    DateTime,
    Id,
    Output,
    Ref,
    Shown,
    Text,
    local_time,
    parse_datetime,
    stored_time,
)
from clinch.resources.query.tree import And, Comparison, Equal, In, Node, Or, Range
from clinch.resources.write.change import Change
from clinch.resources.write.load import FOR_DELETE, Load
from clinch.resources.write.work import Work

_MADE_BY_PEOPLE = ("lead", "outgoing_call")
_TYPES = (
    *_MADE_BY_PEOPLE,
    "incoming_email",
    "email_followup",
    "missed_call",
    "answered_detached_call",
    "voicemail",
    "opportunity_due",
    "incoming_sms",
)


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_COMPARISONS: dict[str, Comparison | None] = {
    "": None,
    "__gt": "gt",
    "__gte": "gte",
    "__lt": "lt",
    "__lte": "lte",
}


# The entry that tells that the to-do was done.
_TOLD = (
    "case when {row}.is_complete then (select a.id from activity a where a.organization_id = {org}"
    " and a.object_id = {row}.id and a._type = 'TaskCompleted' limit 1) end"
)


class DayOrTime(DateTime):
    """A day, kept as its midnight in UTC, or a moment; `date_only` of the row says which."""

    def read(self, value: Any, actor: Actor) -> Any:
        if is_day(value):
            return super().read(f"{value.strip()}T00:00:00+00:00", actor)
        return super().read(value, actor)

    def output(self, row: str, out: Output) -> str:
        day = f"({row}.date at time zone 'UTC')::date::text"
        return f"case when {row}.date_only then {day} else api_time({row}.date) end"

    def schema(self) -> dict[str, Any]:
        schema = super().schema()
        del schema["format"]
        return schema


def is_day(value: Any) -> bool:
    return isinstance(value, str) and _DAY.fullmatch(value.strip()) is not None


def when(parameters: dict[str, str], actor: Actor) -> Iterator[Node]:
    """The conditions of the parameters that compare the date; raises BadRequest.

    A task of a day counts from where that day begins for the actor.
    """
    for key in ("date", "due_date"):
        for suffix, comparison in _COMPARISONS.items():
            text = parameters.get(key + suffix)
            if text is None:
                continue
            if not text and comparison is None:
                yield Or()  # every task has a date
                continue
            try:
                moment = parse_datetime(text, actor)
                yield _compare(comparison, moment, local_time(moment, actor))
            except Invalid as error:
                raise BadRequest(f"{key}{suffix}: {error.problem}") from None


def _compare(comparison: Comparison | None, moment: datetime, day: datetime) -> Node:
    def fits(value: datetime) -> Node:
        if comparison is None:
            return Equal(Task.date, value)
        return Range(Task.date, comparison, value)

    if moment == day:
        return fits(moment)
    either = Or(
        (
            And((Equal(Task.date_only, True), fits(day))),
            And((Equal(Task.date_only, False), fits(moment))),
        )
    )
    if comparison is None:
        return either
    # What an index finds, of which the rest is then looked at.
    bound = max(moment, day) if comparison in ("lt", "lte") else min(moment, day)
    return And((Range(Task.date, comparison, bound), either))


def require_parts(work: Work, changes: list[Change]) -> None:
    """A to-do has a lead and a text, a call to make has a lead and a contact of it."""
    for change in changes:
        if change.kind == "delete":
            continue
        problems = {}
        if change.kind == "create" and change.get(Task.type) not in _MADE_BY_PEOPLE:
            problems["_type"] = "Not a valid choice."
        if change.get(Task.lead) is None:
            problems["lead"] = REQUIRED
        if change.get(Task.type) == "lead" and not change.get(Task.text):
            problems["text"] = REQUIRED
        if change.get(Task.type) == "outgoing_call" and change.get(Task.contact) is None:
            problems["contact"] = REQUIRED
        if problems and (change.kind == "create" or set(problems) & _asked(change)):
            raise ValidationError(problems)


def _asked(change: Change) -> set[str]:
    return {
        field.error_key
        for field in Task.stored_fields
        if change.sets(field) and change.moved(field)
    }


def date_tasks(work: Work, changes: list[Change]) -> None:
    """A task without a date is one of the day on which it is made, or on which it loses its date.

    A client that sends back what it read says of such a task both that day and `is_dateless`.
    """
    for change in changes:
        if change.kind == "delete":
            continue
        dated = change.sets(Task.date) and change.get(Task.date) is not None
        was = change.was(Task.is_dateless)
        dateless = change.sets(Task.is_dateless) and change.get(Task.is_dateless)
        if dateless and was and not (dated and change.moved(Task.date)):
            change.set(Task.date, change.was(Task.date))
        elif dated and (was or not dateless):
            sent = change.body.get("date", change.body.get("due_date"))
            change.set(Task.date_only, is_day(sent))
            change.set(Task.is_dateless, False)
        elif dateless or change.kind == "create" or change.sets(Task.date):
            today = datetime.combine(work.actor.today(), time(), UTC)
            change.set(Task.date, stored_time(today))
            change.set(Task.date_only, True)
            change.set(Task.is_dateless, True)


def told_completions(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The entries that tell that tasks were done, which may be taken back."""
    ids = tuple(c.id for c in changes if c.kind == "update" and c.moved(Task.is_complete))
    if ids:
        yield Load(TaskCompleted, In(TaskCompleted.about, ids), FOR_DELETE)


def tell_completion(work: Work, changes: list[Change]) -> None:
    """That a to-do was done is told in the history of its lead, until it is to be done again."""
    for change in changes:
        if change.kind == "delete" or not change.moved(Task.is_complete):
            continue
        if not change.get(Task.is_complete):
            for row in work.known(TaskCompleted):
                if row[TaskCompleted.about.column] == change.id:
                    work.delete(TaskCompleted, row["id"])
            continue
        change.announced.append("completed")
        if change.get(Task.lead) is not None and change.get(Task.type) == "lead":
            done = {
                "lead_id": change.get(Task.lead),
                "task_id": change.id,
                "task_text": change.get(Task.text),
                "task_assigned_to": change.get(Task.assigned_to),
            }
            work.create(TaskCompleted, done)


class Task(Restorable, path="task", prefix="task"):
    """Something to do: for a day, a moment, or whenever there is time."""

    operations = ("list", "create", "bulk_update", "get", "update", "delete")
    orders = ("date", "date_created")
    default_order = "date"
    max_limit = 1000
    owned = Owned(("assigned_to", "created_by"), "delete_own_tasks", "manage_others_tasks")
    indexes = (
        Index(("organization_id", "assigned_to", "is_complete", "date", "id")),
        Index(("organization_id", "date", "id")),
        Index(("organization_id", "lead_id", "date_created", "id")),
    )
    looks = [told_completions, what_hangs_on_moved]
    before = [require_parts, date_tasks, tell_completion, move_what_hangs]
    list_parameters = {
        "_type": "A type of task, or all; without it only to-dos are listed.",
        "view": "inbox, future or archive, by the caller's day.",
        "organization_id": "The organization, which is that of the key.",
        **{f"date{suffix}": "Only those whose date fits." for suffix in _COMPARISONS},
        **{f"due_date{suffix}": "Deprecated: the same as of date." for suffix in _COMPARISONS},
    }

    id = Id(filters=EQ_IN)
    type = Choice(*_TYPES, key="_type", default="lead", writable="create", filters=("in",))
    lead = Ref(Lead, target_deleted="delete", nullable=True, locks=True, filters=EQ_IN)
    lead_name = Shown(lead, Lead.display_name)
    contact = Ref(Contact, target_deleted="clear", sharing="lead_id", nullable=True, filters=EQ)
    contact_name = Shown(contact, Contact.display_name)
    assigned_to = Ref(
        "user",
        key="assigned_to",
        nullable=True,
        default=lambda actor: actor.user_id,
        filters=EQ_IN,
    )
    assigned_to_name = Shown(assigned_to, "name")
    text = Text(max=10_000)
    priority = Choice("high", "medium", nullable=True)
    date = DayOrTime(nullable=True, filled=True, alias="due_date")
    date_only = Boolean(shown=False, writable="never")
    due_date = Computed(
        "case when {row}.is_dateless then null when {row}.date_only"
        " then ({row}.date at time zone 'UTC')::date::text else api_time({row}.date) end",
        nullable=True,
        doc="Deprecated: the date, null when there was none.",
    )
    is_dateless = Boolean()
    is_complete = Boolean(filters=EQ)
    view = Computed(
        "case when {row}.is_complete then 'archive' when {row}.date >= case when {row}.date_only"
        " then ({today} + 1)::timestamp at time zone 'UTC' else {tomorrow} end"
        " then 'future' else 'inbox' end",
        doc="inbox, future or archive, by the caller's day.",
    )
    about_type = Text(nullable=True, column="object_type", writable="never", shown=False)
    about_id = Text(nullable=True, column="object_id", writable="never", shown=False)
    object_type = Computed(
        f"coalesce({{row}}.object_type, case when {_TOLD} is not null then 'taskcompleted' end)",
        nullable=True,
        doc="What the task is about; of one that was done, taskcompleted.",
    )
    object_id = Computed(
        f"coalesce({{row}}.object_id, {_TOLD})",
        nullable=True,
        doc="The id of that: of a task that was done, of the entry that tells so.",
    )
    created_by_name = Shown("created_by", "name")
    updated_by_name = Shown("updated_by", "name")
    date_created = DateTime(writable="create", filters=RANGE)
    date_updated = DateTime(writable="never", filters=RANGE)

    @classmethod
    def event_types(cls) -> tuple[str, ...]:
        return tuple(f"task.{type}" for type in _TYPES)

    @classmethod
    def event_type_of(cls, row: Mapping[str, Any]) -> str:
        return f"task.{row['_type']}"

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """Only to-dos unless a type is named; `view` is the inbox, the future or the archive, of
        which the first two say themselves where the dates end or begin."""
        nodes = of_organization(parameters, actor)
        wanted = parameters.get("_type") or ("all" if "_type__in" in parameters else "lead")
        if wanted != "all":
            nodes.append(In(cls.type, tuple(wanted.split(","))))
        tomorrow = actor.tomorrow()
        match parameters.get("view"):
            case "inbox":
                nodes.append(Equal(cls.is_complete, False))
                parameters = parameters | {"date__lt": tomorrow.isoformat()}
            case "future":
                nodes.append(Equal(cls.is_complete, False))
                parameters = parameters | {"date__gte": tomorrow.isoformat()}
            case "archive":
                nodes.append(Equal(cls.is_complete, True))
            case None | "":
                pass
            case other:
                text = f'view must be one of inbox, future, archive (got "{other[:100]}" instead).'
                raise BadRequest(text)
        return [*nodes, *when(parameters, actor)]
