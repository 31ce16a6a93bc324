"""Texts that came from outside of the organization, and where they stand in what is told.

Mails, text messages and forms were written by others, and so was all that another app answers. To
an agent they are content, never instructions.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from clinch.gateway.connectors import close
from clinch.gateway.connectors.connector import Connector

Record = dict[str, Any]

_SOURCES = frozenset({"import", "webform", "email", "clipper", "whatsapp", "sms"})
FIELDS: dict[str, tuple[str, ...]] = {
    "Email": (
        "subject", "body_text", "body_html", "body_preview", "body_text_quoted",
        "body_html_quoted", "attachments", "envelope", "sender", "to", "cc", "bcc", "opens",
        "message_id", "message_ids", "references",
    ),
    "EmailThread": ("latest_normalized_subject", "latest_emails", "emails", "participants"),
    "SMS": ("text", "attachments", "error_message"),
    "WhatsAppMessage": (
        "message_markdown", "message_html", "text", "attachments", "integration_name",
        "integration_link", "external_whatsapp_message_id",
    ),
    "FormSubmission": (
        "values", "values_by_name", "origin", "source_url", "source_url_normalized",
    ),
    "Meeting": (
        "title", "location", "note", "attendees", "conference_links", "calendar_event_link",
        "calendar_event_uids", "transcripts",
    ),
    "Call": ("recording_transcript", "voicemail_transcript"),
    "incoming_email": ("subject", "body_preview"),
    "email_followup": ("subject", "body_preview"),
    "incoming_sms": ("text", "attachments"),
}  # fmt: skip
_WRITTEN = ("note", "note_html", "title")
_ANY = frozenset(name for fields in FIELDS.values() for name in fields)


def foreign_fields(record: Record) -> tuple[str, ...]:
    """The fields of a record whose text somebody outside of the organization wrote."""
    fields = FIELDS.get(str(record.get("_type")), ())
    if record.get("source") in _SOURCES:
        custom = (key for key in record if key.partition(".")[0] == "custom")
        fields = (*fields, *_WRITTEN, *custom)
    return (*fields, "summary") if fields and record.get("_type") != "Call" else fields


def pointers(output: Any, known: Mapping[int, tuple[Record, tuple[str, ...]]]) -> tuple[str, ...]:
    """JSON pointers (RFC 6901) to every text in an output that came from outside. `known` are
    records by their identity, with those of their fields that did."""
    return tuple(_pointers(output, "", known, frozenset()))


def pointers_of_answer(connector: Connector, path: str, answer: Any) -> tuple[str, ...]:
    """The same for an answer of an app as it is, to a request at a path below its base address.

    All that another app answers came from outside. Activities and tasks of ours say by their type
    what of them did; where the type was not asked for, it may be whatever could.
    """
    if not answer:
        return ()
    if connector.key != close.KEY:
        return ("",)
    segments = path.partition("?")[0].split("/")
    typed = "activity" in segments or "task" in segments
    return tuple(_pointers(answer, "", {}, _ANY if typed else frozenset()))


def _pointers(
    value: Any,
    pointer: str,
    known: Mapping[int, tuple[Record, tuple[str, ...]]],
    untyped: frozenset[str],
) -> Iterator[str]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _pointers(one, f"{pointer}/{index}", known, untyped)
    elif isinstance(value, dict):
        if id(value) in known:
            foreign: frozenset[str] = frozenset(known[id(value)][1])
        else:
            foreign = frozenset(foreign_fields(value)) if "_type" in value else untyped
        for key, one in value.items():
            inner = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in foreign:
                yield from _pointers(one, inner, known, untyped)
            elif one:
                yield inner
