"""What written messages have in common: what state they are in, and who may still change them."""

from typing import Any

from clinch.crm.addresses import describe_phone
from clinch.resources.actor import Actor
from clinch.resources.errors import Invalid, ValidationError
from clinch.resources.fields import Choice, Field, stored_time
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

_TO_BE_SENT = ("scheduled", "outbox")
_NOTHING_IS_SENT = (
    "This server does not send messages. Log one that was received or sent elsewhere as inbox or"
    " sent, or keep it as a draft."
)
_ONLY_DRAFTS = "Only drafts can be changed."


class MessageStatus(Choice):
    """Whether a message is a draft, came in, was sent or could not be."""

    def __init__(self, **rest: Any) -> None:
        super().__init__("inbox", "draft", "sent", "error", required=True, **rest)

    def read(self, value: Any, actor: Actor) -> Any:
        if value in _TO_BE_SENT:
            raise Invalid(_NOTHING_IS_SENT)
        return super().read(value, actor)


def keep_what_was_sent(change: Change, *content: Field) -> None:
    """Raise ValidationError where a request changes a message that is no draft any more."""
    status = change.resource.fields["status"]
    if change.kind != "update" or change.trusted or change.was(status) == "draft":
        return
    moved = [field for field in (status, *content) if change.moved(field)]
    if moved:
        raise ValidationError({field.error_key: _ONLY_DRAFTS for field in moved})


def date_message(work: Work, change: Change) -> None:
    """A message was sent when it happened; a draft that is found to be sent happens now."""
    fields = change.resource.fields
    status, activity_at, date_sent = fields["status"], fields["activity_at"], fields["date_sent"]
    went = change.get(status) in ("inbox", "sent")
    if change.kind == "update" and change.moved(status) and not change.sets(activity_at):
        change.set(activity_at, stored_time(work.now))
    change.set(date_sent, change.get(activity_at) if went else None)


def describe_numbers(change: Change) -> None:
    """The numbers on both sides as people write them, and their countries."""
    fields = change.resource.fields
    for side in ("local", "remote"):
        phone = fields[f"{side}_phone"]
        if not change.moved(phone):
            continue
        written, country = describe_phone(change.get(phone))
        change.set(fields[f"{side}_phone_formatted"], written)
        if f"{side}_country_iso" in fields:
            change.set(fields[f"{side}_country_iso"], country)
