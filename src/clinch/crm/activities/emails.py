"""Mails: drafts, and those that were received or sent elsewhere and are logged here."""

import html
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from clinch.crm.activities.activity import Activity
from clinch.crm.activities.email_threads import keep_threads, threads_of
from clinch.crm.activities.mail_html import MailHtml
from clinch.crm.activities.mailboxes import Mailbox, Mailboxes, Party, read_parties
from clinch.crm.activities.messages import MessageStatus, date_message, keep_what_was_sent
from clinch.crm.activities.quotes import quote_in_html, quote_in_text
from clinch.crm.attachments import MailAttachment
from clinch.crm.rich_text import to_plain
from clinch.identity.users import User
from clinch.resources.actor import Actor
from clinch.resources.errors import REQUIRED, Invalid, ValidationError, wrong_type
from clinch.resources.fields import (
    Boolean,
    Choice,
    Computed,
    DateTime,
    Field,
    Integer,
    Item,
    ListOf,
    Ref,
    Text,
    Words,
    stored_time,
)
from clinch.resources.query.tree import And, In, Or, TextMatch
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

_PREVIEW = 200


class Envelope(Field):
    """The headers of a mail. A request says those that nothing else tells: the message id, what the
    mail answers, when it was written, where answers go."""

    sql_type = "jsonb"
    json_type = "object"

    def __init__(self, **rest: Any) -> None:
        super().__init__(nullable=True, **rest)

    def read(self, value: Any, actor: Actor) -> Any:
        if not isinstance(value, dict):
            raise wrong_type("dict")
        text = Text(nullable=True, max=1000)
        headers = {
            key: text.parse(value.get(key), actor) for key in ("date", "in_reply_to", "message_id")
        }
        if headers["date"] is not None:
            _read_date(headers["date"])
        replies = ListOf(_ReplyTo).parse(value.get("reply_to"), actor)
        autoreply = Boolean().parse(value.get("is_autoreply"), actor)
        return headers | {"reply_to": replies, "is_autoreply": autoreply}


class _ReplyTo(Item):
    email = Mailbox(required=True)
    name = Text(max=1000)


def _read_date(text: str) -> datetime:
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("Invalid RFC 2822 date.") from None


class Open(Item):
    """That somebody looked at the mail."""

    opened_at = DateTime(required=True)
    opened_by = Text(nullable=True, max=1000)
    ip_address = Text(nullable=True, max=100)
    user_agent = Text(nullable=True, max=1000)


def direct_mails(work: Work, changes: list[Change]) -> None:
    """What came in is incoming; what was sent by nobody else was sent by its user."""
    for change in changes:
        if change.kind == "delete":
            continue
        status = change.get(Email.status)
        change.set(Email.direction, "incoming" if status == "inbox" else "outgoing")
        if status == "sent" and change.get(Email.sender) is None:
            change.set(Email.sender, _mailbox_of(work, change.get(Email.user)))
        if status in ("inbox", "sent", "error") and change.get(Email.sender) is None:
            raise ValidationError({Email.sender.error_key: REQUIRED})


def _mailbox_of(work: Work, user_id: str | None) -> str | None:
    user = work.row(User, user_id)
    if user is None:
        return None
    name = f"{user['first_name']} {user['last_name']}".strip()
    return f"{name} <{user['email']}>" if name else str(user["email"])


def keep_bodies(work: Work, changes: list[Change]) -> None:
    """The side of a body that was not sent follows from the one that was; so do the preview and
    where quotes begin."""
    for change in changes:
        if change.kind == "delete":
            continue
        text, markup = change.get(Email.body_text), change.get(Email.body_html)
        if change.sets(Email.body_html) and not change.sets(Email.body_text):
            text = to_plain(markup) if markup else None
        elif change.sets(Email.body_text) and not change.sets(Email.body_html):
            markup = html.escape(text, quote=False).replace("\n", "<br>") if text else None
        change.set(Email.body_text, text)
        change.set(Email.body_html, markup)
        if change.moved(Email.body_text):
            change.set(Email.body_preview, " ".join(text.split())[:_PREVIEW] if text else None)
            change.set(Email.text_quote_at, quote_in_text(text) if text else None)
        if change.moved(Email.body_html):
            change.set(Email.html_quote_at, quote_in_html(markup) if markup else None)


def keep_drafts_alone_open(work: Work, changes: list[Change]) -> None:
    for change in changes:
        keep_what_was_sent(change, *_CONTENT)


def write_envelopes(work: Work, changes: list[Change]) -> None:
    """A mail that is no draft any more has headers, and was sent at the time in them."""
    for change in changes:
        if change.kind == "delete":
            continue
        if change.get(Email.status) == "draft":
            change.set(Email.envelope, None)
        elif change.moved(Email.status):
            told = change.get(Email.envelope) or {}
            if told.get("date") and not change.sets(Email.activity_at):
                change.set(Email.activity_at, stored_time(_read_date(told["date"])))
            _refer(work, change, told)


def _refer(work: Work, change: Change, told: dict[str, Any]) -> None:
    """What a mail answers, and what it is called itself."""
    answered = work.row(Email, change.get(Email.in_reply_to))
    if answered is not None and not change.get(Email.references):
        change.set(Email.references, [*answered["references"], *answered["message_ids"]])
    own = told.get("message_id")
    if own and own not in change.get(Email.message_ids):
        change.set(Email.message_ids, [own, *change.get(Email.message_ids)])


def seal_envelopes(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.kind == "delete" or change.get(Email.status) == "draft":
            continue
        if change.moved(Email.status):
            change.set(Email.envelope, _envelope(change))


def _envelope(change: Change) -> dict[str, Any]:
    told = change.get(Email.envelope) or {}
    ids, references = change.get(Email.message_ids), change.get(Email.references)
    writer = read_parties([change.get(Email.sender)])
    at = datetime.fromisoformat(change.get(Email.activity_at))
    return {
        "from": writer,
        "sender": writer,
        "to": read_parties(change.get(Email.to)),
        "cc": read_parties(change.get(Email.cc)),
        "bcc": read_parties(change.get(Email.bcc)),
        "reply_to": told.get("reply_to") or [],
        "date": told.get("date") or format_datetime(at),
        "in_reply_to": told.get("in_reply_to") or (references[-1] if references else None),
        "message_id": ids[0] if ids else None,
        "subject": change.get(Email.subject),
        "is_autoreply": bool(told.get("is_autoreply")),
    }


def date_mails(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.kind != "delete":
            date_message(work, change)


def users_of(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The users who sent mails that do not say from which address."""
    unsigned = [c for c in changes if c.kind == "update" and c.get(Email.sender) is None]
    ids = {change.get(Email.user): None for change in unsigned}
    if ids:
        yield Load(User, In(User.id, tuple(filter(None, ids))))


def contacts_of(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The contacts of the leads who have one of the addresses that mails came from or went to."""
    contact = work.declarations["contact"]
    sought = {party["email"]: None for change in changes for party in _others(change)}
    if sought:
        leads = tuple({change.get(Email.lead): None for change in changes})
        addresses = (TextMatch(contact.fields["emails"], "is", a, item="email") for a in sought)
        yield Load(contact, And((In(contact.fields["lead_id"], leads), Or(tuple(addresses)))))


def _others(change: Change) -> list[Party]:
    """Those outside whom a mail without a contact may be with."""
    if change.kind == "delete" or change.get(Email.contact) or change.sets(Email.contact):
        return []
    if not any(change.moved(field) for field in (Email.lead, Email.sender, *_RECIPIENTS)):
        return []
    if change.get(Email.status) == "inbox":
        return read_parties([change.get(Email.sender)])
    return read_parties(mailbox for field in _RECIPIENTS for mailbox in change.get(field))


def find_contacts(work: Work, changes: list[Change]) -> None:
    """A mail that names no contact is with the one of its lead whose address is in it."""
    contact = work.declarations["contact"]
    by_address: dict[tuple[str, str], str] = {}
    for row in work.known(contact):
        if work.row(contact, row["id"]) is not None:
            for email in row["emails"]:
                by_address.setdefault((row["lead_id"], email["email"].lower()), row["id"])
    for change in changes:
        places = ((change.get(Email.lead), party["email"].lower()) for party in _others(change))
        found = next((by_address[place] for place in places if place in by_address), None)
        if found is not None:
            change.set(Email.contact, found)


def _parts(kind: str) -> str:
    """SQL for a body in its parts: what the mail says itself, and what it quotes."""
    body, quote_at = f"{{row}}.body_{kind}", f"({{row}}.data ->> '{kind}_quote_at')::int"
    part = f"json_build_object('{kind}', {{0}}, 'expand', {{1}})"
    whole = part.format(body, "true")
    own, quoted = f"left({body}, {quote_at})", f"substr({body}, {quote_at} + 1)"
    parts = f"{part.format(own, 'true')}, {part.format(quoted, 'false')}"
    return (
        f"case when {body} is null then null when {quote_at} is null"
        f" then json_build_array({whole}) else json_build_array({parts}) end"
    )


# A mail that came into the thread by its subject does not say what it answers.
_HAS_REPLY = (
    "exists (select from activity a where a.organization_id = {org}"
    " and a.object_id = {row}.object_id and a._type = 'Email'"
    " and case when a.data ->> 'in_reply_to_id' is not null"
    " then a.data ->> 'in_reply_to_id' = {row}.id"
    " else a.direction <> {row}.direction and a.activity_at > {row}.activity_at"
    " and a.activity_at <= coalesce((select min(b.activity_at) from activity b"
    " where b.organization_id = {org} and b.object_id = {row}.object_id and b._type = 'Email'"
    " and b.direction = {row}.direction and b.activity_at > {row}.activity_at), 'infinity') end)"
)


class Email(
    Activity, path="activity/email", prefix="acti", table="activity", only={"_type": "Email"}
):
    """A mail of a lead: a draft, or one that was received or sent elsewhere."""

    operations = ("list", "get", "create", "update", "delete")
    looks = [*Activity.looks, users_of, contacts_of, threads_of]
    before = [
        keep_drafts_alone_open,
        direct_mails,
        keep_bodies,
        write_envelopes,
        *Activity.before,
        date_mails,
        seal_envelopes,
        find_contacts,
        keep_threads,
    ]

    about = Ref(
        "email_thread",
        key="thread_id",
        column="object_id",
        nullable=True,
        enforced=False,
        writable="internally",
    )
    direction = Choice("incoming", "outgoing", nullable=True, writable="never")
    status = MessageStatus(
        doc="inbox and sent log a mail that came in or was sent elsewhere; only a draft can be"
        " changed."
    )
    sender = Mailbox(nullable=True, packed=True, doc="An address, with or without a name before.")
    to = Mailboxes(packed=True)
    cc = Mailboxes(packed=True)
    bcc = Mailboxes(packed=True)
    subject = Text(nullable=True, max=1000, packed=True)
    body_text = Text(nullable=True, max=300_000)
    body_html = MailHtml()
    attachments = ListOf(MailAttachment, packed=True)
    body_preview = Text(nullable=True, writable="never", packed=True)
    text_quote_at = Integer(nullable=True, writable="never", packed=True, shown=False)
    html_quote_at = Integer(nullable=True, writable="never", packed=True, shown=False)
    body_text_quoted = Computed(
        _parts("text"),
        json_type="array",
        nullable=True,
        doc="The text in parts; `expand` is false for what it quotes.",
    )
    body_html_quoted = Computed(
        _parts("html"),
        json_type="array",
        nullable=True,
    )
    envelope = Envelope(writable="create", packed=True)
    message_ids = Words(writable="create", packed=True)
    message_id = Computed("{row}.data -> 'message_ids' ->> 0", nullable=True, shown=False)
    references = Words(writable="create", packed=True, doc="The ids of the messages it answers.")
    in_reply_to = Ref("email", nullable=True, enforced=False, packed=True)
    date_scheduled = DateTime(nullable=True, writable="never", packed=True)
    date_sent = DateTime(nullable=True, writable="never", packed=True)
    has_reply = Computed(
        _HAS_REPLY,
        json_type="boolean",
        doc="Whether a mail of its thread answers it: as that says or, where it does not, as the"
        " next one from the other side.",
    )
    opens = ListOf(Open, most=1000, packed=True)
    opens_summary = Computed(
        "case jsonb_array_length(coalesce({row}.data -> 'opens', '[]')) when 0 then null"
        " when 1 then 'Opened once'"
        " else 'Opened ' || jsonb_array_length({row}.data -> 'opens') || ' times' end",
        nullable=True,
    )
    send_attempts = Computed("'[]'::json", json_type="array")
    template_id = Text(nullable=True, writable="never", packed=True)
    template_name = Text(nullable=True, writable="never", packed=True)
    bulk_email_action_id = Text(nullable=True, writable="never", packed=True)
    email_account_id = Text(nullable=True, writable="never", packed=True)
    send_as_id = Text(nullable=True, writable="never", packed=True)
    need_smtp_credentials = Boolean(writable="never", packed=True)
    followup_date = DateTime(
        nullable=True, packed=True, doc="When somebody wants to ask again; kept, and no more yet."
    )
    followup_sequence_id = Text(nullable=True, writable="never", packed=True)
    followup_sequence_delay = Integer(nullable=True, writable="never", packed=True)
    followup_sequence_add_cc_bcc = Boolean(writable="never", packed=True)
    sequence_id = Text(nullable=True, writable="never", packed=True)
    sequence_name = Text(nullable=True, writable="never", packed=True)
    sequence_subscription_id = Text(nullable=True, writable="never", packed=True)


_RECIPIENTS = (Email.to, Email.cc, Email.bcc)
_CONTENT = (
    *(Email.sender, *_RECIPIENTS, Email.subject, Email.body_text, Email.body_html),
    Email.attachments,
    Email.in_reply_to,
)
