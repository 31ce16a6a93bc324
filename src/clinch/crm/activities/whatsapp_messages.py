"""WhatsApp messages, as integrations log them."""

from typing import Any

from clinch.crm.activities.activity import CREATION_SOURCES, Activity
from clinch.crm.activities.messages import describe_numbers
from clinch.crm.activities.whatsapp_markdown import to_html
from clinch.crm.addresses import PhoneNumber
from clinch.crm.attachments import Attachment
from clinch.crm.rich_text import to_plain
from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.errors import REQUIRED, ValidationError
from clinch.resources.fields import EQ, EQ_IN, RANGE, Choice, DateTime, ListOf, Ref, Text, Url
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

_MOST_BYTES = 25_000_000


class Markdown(Text):
    """The text of a message, which must be sent but may be blank."""

    def read(self, value: Any, actor: Actor) -> Any:
        blank = isinstance(value, str) and not value.strip()
        return "" if blank else super().read(value, actor)


def check_contents(work: Work, changes: list[Change]) -> None:
    """A message has a text or attachments, and not too large ones."""
    text, attachments = WhatsappMessage.message_markdown, WhatsappMessage.attachments
    for change in changes:
        if change.after is None or not (change.moved(text) or change.moved(attachments)):
            continue
        if not change.get(text) and not change.get(attachments):
            raise ValidationError({text.error_key: REQUIRED})
        if sum(entry["size"] for entry in change.get(attachments)) > _MOST_BYTES:
            problem = f"The attachments must be no larger than {_MOST_BYTES} bytes together."
            raise ValidationError({attachments.error_key: problem})


def describe_messages(work: Work, changes: list[Change]) -> None:
    """What follows from the marked text and the numbers of a message."""
    for change in changes:
        if change.kind == "delete":
            continue
        describe_numbers(change)
        if change.moved(WhatsappMessage.message_markdown):
            markup = to_html(change.get(WhatsappMessage.message_markdown))
            change.set(WhatsappMessage.message_html, markup)
            change.set(WhatsappMessage.text, to_plain(markup))
        if change.kind == "create" and work.source in CREATION_SOURCES:
            change.set(WhatsappMessage.source, work.source)


class WhatsappMessage(
    Activity,
    path="activity/whatsapp_message",
    prefix="acti",
    table="activity",
    only={"_type": "WhatsAppMessage"},
):
    """A WhatsApp message with somebody at a lead."""

    operations = ("list", "get", "create", "update", "delete")
    before = [*Activity.before, check_contents, describe_messages]
    indexes = (
        *Activity.indexes,
        Index(
            ("organization_id", "external_whatsapp_message_id"),
            where="(external_whatsapp_message_id IS NOT NULL)",
        ),
    )

    contact = Ref(
        "contact",
        target_deleted="clear",
        sharing="lead_id",
        required=True,
        nullable=True,
        filters=EQ_IN,
    )
    activity_at = DateTime(
        required=True, nullable=True, filled=True, filters=RANGE, doc="When it was written."
    )
    direction = Choice("incoming", "outgoing", required=True)
    external_whatsapp_message_id = Text(
        required=True, max=1000, writable="create", filters=EQ, doc="The id it has in WhatsApp."
    )
    message_markdown = Markdown(
        required=True,
        max=20_000,
        doc="The text with the marks of WhatsApp; it may be blank where something is attached.",
    )
    message_html = Text(writable="never")
    text = Text(writable="never", doc="The text without marks.")
    attachments = ListOf(Attachment, packed=True)
    local_phone = PhoneNumber(required=True, packed=True, doc="Our own number, E.164.")
    local_phone_formatted = Text(nullable=True, writable="never", packed=True)
    remote_phone = PhoneNumber(required=True, packed=True, doc="The other side's number, E.164.")
    remote_phone_formatted = Text(nullable=True, writable="never", packed=True)
    integration_link = Url(packed=True)
    integration_name = Text(nullable=True, writable="never", packed=True)
    response_to = Ref(
        "whatsapp_message", nullable=True, enforced=False, packed=True, doc="What it answers."
    )
    source = Choice(*CREATION_SOURCES, nullable=True, writable="never", packed=True)
    sequence_id = Text(nullable=True, writable="never", packed=True)
    sequence_name = Text(nullable=True, writable="never", packed=True)
    sequence_subscription_id = Text(nullable=True, writable="never", packed=True)
