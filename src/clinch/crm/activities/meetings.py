"""Meetings: appointments with somebody at a lead, from a calendar or logged by hand.

Where a meeting stands follows from the clock, so it is told when it is read; only that it was
called off is stored. What a calendar says of a meeting is changed in the calendar.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from clinch.crm.activities.activity import Activity, ObjectId
from clinch.crm.activities.attendees import Attendee, Attendees, ConferenceLink
from clinch.crm.rich_text import RichText, derive_mentions, keep_twins
from clinch.identity.users import User
from clinch.resources.actor import Actor
from clinch.resources.errors import REQUIRED, BadRequest, ValidationError
from clinch.resources.fields import (
    EQ,
    RANGE,
    Boolean,
    Choice,
    Computed,
    ComputedTime,
    DateTime,
    Integer,
    ListOf,
    Output,
    Text,
    Url,
    Words,
    stored_time,
)
from clinch.resources.query.tree import Has, Node, Or, TextMatch
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

UPCOMING, IN_PROGRESS, COMPLETED = BY_THE_CLOCK = ("upcoming", "in-progress", "completed")
CALLED_OFF = ("canceled", "declined-by-lead", "declined-by-org")

_TOLD = {
    UPCOMING: "scheduled",
    IN_PROGRESS: "started",
    COMPLETED: "completed",
    "canceled": "canceled",
}
"""What is announced of a meeting that came to stand so."""

_OF_AN_EVENT = (
    "provider_calendar_id",
    "provider_calendar_type",
    "starts_at",
    "starts_at__gte",
    "starts_at__lt",
)
"""The filters that go with the one by the calendar's event."""

_FROM_CALENDAR = (
    "starts_at",
    "ends_at",
    "duration",
    "title",
    "location",
    "note",
    "status",
    "is_recurring",
    "attendees",
    "conference_links",
    "users",
)
"""What a calendar says."""

_LONGEST = 315_360_000


class Status(Choice):
    """That the meeting was called off, and how; else where it stands by the clock."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(*BY_THE_CLOCK, *CALLED_OFF, nullable=True, **rest)

    def read(self, value: Any, actor: Actor) -> Any:
        word = super().read(value, actor)
        return word if word in CALLED_OFF else None

    def output(self, row: str, out: Output) -> str:
        return (
            f"coalesce({row}.status, case when {out.now} < {row}.activity_at then '{UPCOMING}'"
            f" when {out.now} < {row}.activity_at + {row}.duration * interval '1 second'"
            f" then '{IN_PROGRESS}' else '{COMPLETED}' end)"
        )

    def operand(self, row: str, out: Output) -> str:
        return self.output(row, out)


def keep_what_calendars_say(work: Work, changes: list[Change]) -> None:
    """A request changes nothing that comes from a calendar."""
    for change in changes:
        if (
            change.before is not None
            and not change.trusted
            and change.was(Meeting.source) == "calendar"
        ):
            for name in _FROM_CALENDAR:
                field = Meeting.fields[name]
                change.set(field, change.was(field))


def measure(work: Work, changes: list[Change]) -> None:
    """The end and the duration follow from each other: the end counts if it was sent, unless the
    duration alone is another one. A meeting that is moved lasts as long as before."""
    for change in changes:
        if change.after is None:
            continue
        start = datetime.fromisoformat(change.get(Meeting.starts_at))
        length = change.get(Meeting.duration)
        by_end = change.moved(Meeting.ends_at) or not change.moved(Meeting.duration)
        if change.sets(Meeting.ends_at) and by_end and change.get(Meeting.ends_at) is not None:
            end = datetime.fromisoformat(change.get(Meeting.ends_at))
            if end < start:
                raise ValidationError({"ends_at": "A meeting ends after it starts."})
            if end - start > timedelta(seconds=_LONGEST):
                raise ValidationError({"ends_at": "The meeting is too long."})
            change.set(Meeting.duration, int((end - start).total_seconds()))
        elif length is None:
            raise ValidationError({"ends_at": REQUIRED})
        else:
            change.set(Meeting.ends_at, _later(start, length))


def _later(start: datetime, seconds: int) -> str:
    try:
        return stored_time(start + timedelta(seconds=seconds))
    except OverflowError:
        raise ValidationError({"starts_at": "The meeting is too late."}) from None


def invited_users(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The users who have the addresses of those invited."""
    entries = [
        entry
        for change in changes
        if change.after is not None
        for entry in change.after.get(Meeting.attendees.column, ())
    ]
    addresses = dict.fromkeys(entry["email"].lower() for entry in entries)
    if addresses:
        yield Load(User, Or(tuple(TextMatch(User.email, "is", one) for one in addresses)))


def bring_users(work: Work, changes: list[Change]) -> None:
    """The users among those invited take part."""
    ids = {row["email"].lower(): row["id"] for row in work.known(User)}
    for change in changes:
        if change.after is not None and change.moved(Meeting.attendees):
            invited = [entry["email"].lower() for entry in change.get(Meeting.attendees)]
            taking_part = dict.fromkeys(ids[email] for email in invited if email in ids)
            change.set(Meeting.users, list(taking_part))


def derive_notes(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.after is None:
            continue
        keep_twins(change, Meeting.user_note, Meeting.user_note_html)
        derive_mentions(change, Meeting.user_note_html, Meeting.user_note_mentions)
        if change.moved(Meeting.user_note_html):
            change.set(Meeting.user_note_date_updated, stored_time(work.now))


def announce(work: Work, changes: list[Change]) -> None:
    """What the write itself makes of a meeting. One that is logged when it is over has not been
    scheduled, nor does it end now."""
    for change in changes:
        if change.after is None:
            continue
        status = standing(change.after, work.now)
        was = standing(change.before, work.now) if change.before is not None else None
        moved = change.moved(Meeting.starts_at) and status == UPCOMING
        over = was is None and status not in (UPCOMING, IN_PROGRESS)
        if (moved or status != was) and status in _TOLD and not over:
            change.announced.append(_TOLD[status])


def standing(row: Row, now: datetime) -> str:
    """Where a meeting stands at a moment, as its status tells it."""
    start = datetime.fromisoformat(row[Meeting.starts_at.column])
    if row["status"] is not None:
        return str(row["status"])
    if now < start:
        return UPCOMING
    return IN_PROGRESS if now < start + timedelta(seconds=row["duration"]) else COMPLETED


class Meeting(
    Activity, path="activity/meeting", prefix="acti", table="activity", only={"_type": "Meeting"}
):
    """An appointment with somebody at a lead."""

    operations = ("list", "get", "create", "update", "delete")
    loads = [invited_users]
    before = [
        *Activity.before,
        keep_what_calendars_say,
        measure,
        bring_users,
        derive_notes,
        announce,
    ]
    list_parameters = Activity.list_parameters | {
        "provider_calendar_id": "A calendar that the event of the calendar is in.",
    }

    activity_at = ComputedTime("{row}.activity_at", filters=RANGE, doc="When it starts.")
    starts_at = DateTime(
        required=True, column="activity_at", alias="activity_at", filters=("eq", "gte", "lt")
    )
    ends_at = DateTime(nullable=True, packed=True)
    duration = Integer(nullable=True, min=0, max=_LONGEST, doc="In seconds.")
    actual_duration = Integer(nullable=True, writable="internally", packed=True)
    title = Text(max=1000, packed=True)
    location = Text(max=2000, packed=True)
    note = Text(doc="What the calendar says of it.")
    status = Status()
    source = Choice("calendar", "manual", default="manual", writable="internally", packed=True)
    is_recurring = Boolean(packed=True)
    attendees = Attendees(Attendee, packed=True)
    conference_links = ListOf(ConferenceLink, packed=True)
    calendar_event_link = Url(writable="internally", packed=True)
    calendar_event_uids = Words(writable="internally", packed=True)
    connected_account_id = Text(nullable=True, writable="internally", packed=True)
    provider_calendar_type = Choice(
        "google", "microsoft", nullable=True, writable="internally", packed=True, filters=EQ
    )
    about = ObjectId(
        key="provider_calendar_event_id",
        column="object_id",
        nullable=True,
        writable="internally",
        filters=EQ,
    )
    provider_calendar_ids = Words(writable="internally", packed=True)
    user_note = Text(nullable=True, doc="What somebody wrote down about it.")
    user_note_html = RichText(nullable=True, column="note_html")
    user_note_date_updated = DateTime(nullable=True, writable="never", packed=True)
    user_note_mentions = Words(writable="never", packed=True)
    outcome_id = Text(nullable=True, max=100, packed=True)
    outcome_reason = Text(nullable=True, writable="never", packed=True)
    outcome_autofill_confidence = Text(nullable=True, writable="never", packed=True)
    outcome_autofill_reasoning = Text(nullable=True, writable="never", packed=True)
    playbook_id = Text(nullable=True, max=100, packed=True)
    playbook_reason = Text(nullable=True, writable="never", packed=True)
    conversation_type_id = Text(nullable=True, max=100, packed=True)
    conversation_type_reason = Text(nullable=True, writable="never", packed=True)
    notetaker_id = Text(nullable=True, writable="never", packed=True)
    attached_call_ids = Words(writable="never", packed=True)
    integrations = Computed("'[]'::json", json_type="array")
    summary = Computed("null::json", json_type="object", nullable=True)
    transcripts = Computed("'[]'::json", json_type="array", optional=True)

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """What a calendar says of one of its events is asked with the event."""
        nodes = super().narrow(parameters, actor)
        asked = [name for name in _OF_AN_EVENT if name in parameters]
        if asked and not parameters.get(cls.about.key):
            raise BadRequest(f"{asked[0]} needs {cls.about.key}.")
        calendar = parameters.get("provider_calendar_id")
        return [*nodes, Has(cls.provider_calendar_ids, calendar)] if calendar else nodes
