"""Text messages: drafts, and those that were received or sent elsewhere and are logged here."""

from clinch.crm.activities.activity import Activity
from clinch.crm.activities.messages import (
    MessageStatus,
    date_message,
    describe_numbers,
    keep_what_was_sent,
)
from clinch.crm.addresses import PhoneNumber
from clinch.crm.attachments import Attachment
from clinch.resources.fields import Choice, DateTime, ListOf, Text
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work


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
    before = [*Activity.before, describe_messages]

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
    attachments = ListOf(Attachment, packed=True)
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
