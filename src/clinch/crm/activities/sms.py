"""Text messages: drafts, and those that were received or sent elsewhere and are logged here."""

from typing import Any

from clinch.crm.activities.activity import Activity
from clinch.crm.activities.messages import (
    MessageStatus,
    date_message,
    describe_numbers,
    keep_what_was_sent,
)
from clinch.crm.addresses import PhoneNumber
from clinch.crm.attachments import Medium
from clinch.resources.errors import NO_CHOICE, Invalid, ValidationError
from clinch.resources.fields import Choice, DateTime, ListOf, Text, read_each
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

_MEDIA = {
    "application": "pdf vcard",
    "audio": "3gpp 3gpp2 ac3 amr amr-nb basic l24 mp4 mpeg ogg vnd.rn-realaudio vnd.wave webm",
    "image": "bmp gif jpeg jpg png tiff",
    "text": "calendar csv directory richtext rtf vcard x-vcard",
    "video": "3gpp 3gpp-tt 3gpp2 h261 h263 h263-1998 h263-2000 h264 mp4 mpeg quicktime webm",
}
"""The media types of what may be attached, each with its subtypes."""


def _check_type(entry: dict[str, Any]) -> None:
    media_type = entry["content_type"].partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    if subtype not in _MEDIA.get(kind, "").split():
        raise Invalid({"errors": [], "field-errors": {"content_type": NO_CHOICE}})


def check_media(work: Work, changes: list[Change]) -> None:
    """What is attached is of a type that phones can be sent."""
    for change in changes:
        if change.after is not None and change.moved(SMS.attachments):
            try:
                read_each(change.get(SMS.attachments), _check_type)
            except Invalid as error:
                raise ValidationError({SMS.attachments.error_key: error.problem}) from None


def describe_messages(work: Work, changes: list[Change]) -> None:
    """What follows from the status and the numbers of a message."""
    for change in changes:
        if change.kind == "delete":
            continue
        keep_what_was_sent(change, SMS.text, SMS.attachments, SMS.local_phone, SMS.remote_phone)
        if change.get(SMS.direction) is None:
            inbound = change.get(SMS.status) == "inbox"
            change.set(SMS.direction, "inbound" if inbound else "outbound")
        describe_numbers(change)
        date_message(work, change)


class SMS(Activity, path="activity/sms", prefix="acti", table="activity", only={"_type": "SMS"}):
    """A text message with somebody at a lead."""

    operations = ("list", "get", "create", "update", "delete")
    before = [*Activity.before, describe_messages, check_media]

    direction = Choice(
        "inbound",
        "outbound",
        nullable=True,
        writable="create",
        doc="inbound for what is in the inbox, else outbound, unless the request says it.",
    )
    status = MessageStatus(
        doc="inbox and sent log a message that came in or was sent elsewhere; only a draft can be"
        " changed."
    )
    source = Choice("Close.io", "External", default="External", writable="create", packed=True)
    text = Text(nullable=True, max=10_000)
    attachments = ListOf(Medium, most=10, packed=True)
    cost = Text(nullable=True, writable="never", packed=True, doc="In US cents, as a decimal.")
    local_phone = PhoneNumber(nullable=True, packed=True, doc="Our own number, E.164.")
    local_phone_formatted = Text(nullable=True, writable="never", packed=True)
    local_country_iso = Text(nullable=True, writable="never", packed=True)
    remote_phone = PhoneNumber(nullable=True, packed=True, doc="The other side's number, E.164.")
    remote_phone_formatted = Text(nullable=True, writable="never", packed=True)
    remote_country_iso = Text(nullable=True, writable="never", packed=True)
    date_scheduled = DateTime(nullable=True, writable="never", packed=True)
    date_sent = DateTime(nullable=True, writable="never", packed=True)
    error_message = Text(nullable=True, writable="never", packed=True)
    template_id = Text(nullable=True, writable="never", packed=True)
    sequence_id = Text(nullable=True, writable="never", packed=True)
    sequence_name = Text(nullable=True, writable="never", packed=True)
    sequence_subscription_id = Text(nullable=True, writable="never", packed=True)
