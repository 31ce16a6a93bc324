"""Calls: made or taken by phone, here as far as they are logged from outside."""

from typing import Any

from clinch.crm.activities.activity import Activity
from clinch.crm.addresses import PhoneNumber, describe_phone
from clinch.crm.rich_text import RichText, derive_mentions, keep_twins
from clinch.resources.actor import Actor
from clinch.resources.errors import Invalid
from clinch.resources.fields import (
    Boolean,
    Choice,
    Computed,
    DateTime,
    Integer,
    Text,
    Url,
    Words,
    stored_time,
)
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

# What became of a call, by its status, where nobody said more.
_DISPOSITIONS = {
    "completed": "answered",
    "no-answer": "no-answer",
    "timeout": "no-answer",
    "cancel": "no-answer",
    "busy": "busy",
    "failed": "error",
}


_NO_TRANSCRIPT = "Always null: nothing is transcribed."


class SecureUrl(Url):
    """A web address that is reached over TLS."""

    def read(self, value: Any, actor: Actor) -> Any:
        value = super().read(value, actor)
        if value and not value.lower().startswith("https://"):
            raise Invalid("This URL must start with https://.")
        return value


def describe_calls(work: Work, changes: list[Change]) -> None:
    """What follows from the number and the status of a call."""
    for change in changes:
        if change.kind == "delete":
            continue
        if change.moved(Call.phone):
            written, country = describe_phone(change.get(Call.phone))
            change.set(Call.remote_phone_formatted, written)
            change.set(Call.remote_country_iso, country)
        if change.moved(Call.status) and not change.sets(Call.disposition):
            change.set(Call.disposition, _DISPOSITIONS.get(change.get(Call.status)))


def derive_notes(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.kind == "delete":
            continue
        keep_twins(change, Call.note, Call.note_html)
        derive_mentions(change, Call.note_html, Call.note_mentions)
        if change.moved(Call.note_html) and (change.kind == "update" or change.get(Call.note)):
            change.set(Call.note_date_updated, stored_time(work.now))


class Call(Activity, path="activity/call", prefix="acti", table="activity", only={"_type": "Call"}):
    """A call with somebody at a lead."""

    operations = ("list", "get", "create", "update", "delete")
    before = [*Activity.before, describe_calls, derive_notes]

    direction = Choice("inbound", "outbound", nullable=True)
    status = Choice(
        "created",
        "in-progress",
        "completed",
        "cancel",
        "no-answer",
        "busy",
        "failed",
        "timeout",
        default="completed",
    )
    disposition = Choice(
        "answered",
        "no-answer",
        "vm-answer",
        "vm-left",
        "busy",
        "blocked",
        "error",
        "abandoned",
        nullable=True,
        packed=True,
    )
    call_method = Text(default="external", writable="never", packed=True)
    source = Text(default="External", writable="never", packed=True)
    duration = Integer(min=0, max=604_800, doc="In seconds.")
    cost = Text(default="0", writable="never", packed=True, doc="In US cents, as a decimal.")
    phone = PhoneNumber(nullable=True, packed=True, doc="The other side's number, E.164.")
    remote_phone = Computed("{row}.data ->> 'phone'", nullable=True)
    remote_phone_formatted = Text(nullable=True, writable="never", packed=True)
    remote_country_iso = Text(nullable=True, writable="never", packed=True)
    local_phone = Text(nullable=True, writable="never", packed=True)
    local_phone_formatted = Text(nullable=True, writable="never", packed=True)
    local_country_iso = Text(nullable=True, writable="never", packed=True)
    note = Text()
    note_html = RichText()
    note_date_updated = DateTime(nullable=True, writable="never", packed=True)
    note_mentions = Words(writable="never", packed=True, doc="The users that the note mentions.")
    outcome_id = Text(nullable=True, max=100, packed=True)
    outcome_reason = Text(nullable=True, writable="never", packed=True)
    outcome_autofill_confidence = Text(nullable=True, writable="never", packed=True)
    outcome_autofill_reasoning = Text(nullable=True, writable="never", packed=True)
    playbook_id = Text(nullable=True, max=100, packed=True)
    playbook_reason = Text(nullable=True, writable="never", packed=True)
    conversation_type_id = Text(nullable=True, max=100, packed=True)
    conversation_type_reason = Text(nullable=True, writable="never", packed=True)
    has_recording = Computed("{row}.data ->> 'recording_url' is not null", json_type="boolean")
    recording_url = SecureUrl(packed=True)
    recording_duration = Integer(nullable=True, writable="never", packed=True)
    recording_expires_at = DateTime(nullable=True, writable="never", packed=True)
    recording_transcript = Computed(
        "null::json", json_type="object", nullable=True, optional=True, doc=_NO_TRANSCRIPT
    )
    recording_history = Computed("'[]'::json", json_type="array")
    voicemail_url = SecureUrl(packed=True)
    voicemail_duration = Integer(writable="never", packed=True)
    voicemail_transcript = Computed(
        "null::json", json_type="object", nullable=True, optional=True, doc=_NO_TRANSCRIPT
    )
    date_answered = DateTime(nullable=True, writable="never", packed=True)
    dialer_id = Text(nullable=True, writable="never", packed=True)
    dialer_saved_search_id = Text(nullable=True, writable="never", packed=True)
    transferred_from = Text(nullable=True, writable="never", packed=True)
    transferred_from_user_id = Text(nullable=True, writable="never", packed=True)
    transferred_to = Text(nullable=True, writable="never", packed=True)
    transferred_to_user_id = Text(nullable=True, writable="never", packed=True)
    forwarded_to = Text(nullable=True, writable="never", packed=True)
    is_forwarded = Boolean(writable="never", packed=True)
    is_to_group_number = Boolean(writable="never", packed=True)
    is_joinable = Boolean(writable="never", packed=True)
    coach_legs = Computed("'[]'::json", json_type="array")
    parent_meeting_id = Text(nullable=True, writable="never", packed=True)
    quality_info = Text(nullable=True, max=10_000, packed=True)
    sequence_id = Text(nullable=True, writable="never", packed=True)
    sequence_name = Text(nullable=True, writable="never", packed=True)
    sequence_subscription_id = Text(nullable=True, writable="never", packed=True)
