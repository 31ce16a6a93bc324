"""Threads: the mails of a lead that answer each other, kept together as mails come and go.

A mail belongs to the thread of the mail that it answers, by the id of that mail or by the message
ids in its headers; else to one of its lead with the same subject, whose people are all among its
own or have all of them among theirs; else it begins one. Drafts are in none.
"""

import re
from collections.abc import Iterable
from typing import Any

from clinch.crm.activities.activity import MAIL_BODIES, Activity
from clinch.crm.activities.mailboxes import Party, read_parties
from clinch.resources.declaration import Resource
from clinch.resources.fields import Children, EmailAddress, Integer, Item, ListOf, Text
from clinch.resources.query.tree import And, In, Node, Related
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import FOR_DELETE, Load
from clinch.resources.write.work import Work

_MAIL = "email"

# What a thread says of its mails is told by these.
_TOLD = (
    *("thread_id", "lead_id", "contact_id", "user_id", "activity_at", "status", "subject"),
    *("sender", "to", "cc", "message_ids", "references"),
)

_ANSWER = re.compile(
    r"\s*(?:re|fwd?|aw|wg|antw|sv|vs|tr|rv|odp)\s*(?:\[\d+\])?\s*:\s*", re.IGNORECASE
)


class Participant(Item):
    """Somebody who wrote or got a mail."""

    email = EmailAddress(required=True)
    name = Text()


def normalize(subject: str | None) -> str:
    """A subject without the words that mark answers."""
    rest = (subject or "").strip()
    while (mark := _ANSWER.match(rest)) is not None:
        rest = rest[mark.end() :]
    return rest


def find_mails(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The mails of threads that are deleted, which go with them."""
    ids = tuple(change.id for change in changes if change.kind == "delete" and not change.inner)
    if ids:
        mail = work.declarations[_MAIL]
        yield Load(mail, In(mail.fields["thread_id"], ids), FOR_DELETE)


def delete_mails(work: Work, changes: list[Change]) -> None:
    """The mails of a thread go with it, unless the write brings them to another one."""
    mail = work.declarations[_MAIL]
    gone = {change.id for change in changes if change.kind == "delete"}
    for id in [row["id"] for row in work.known(mail) if row["object_id"] in gone]:
        row = work.row(mail, id)
        if row is not None and row["object_id"] in gone:
            work.delete(mail, id)


class EmailThread(
    Activity,
    path="activity/emailthread",
    prefix="acti",
    table="activity",
    only={"_type": "EmailThread"},
):
    """The mails of a lead that belong together. It comes with its first mail and goes with its
    last; deleted, it takes them along."""

    operations = ("list", "get", "delete")
    looks = [*Activity.looks, find_mails]
    before = [*Activity.before, delete_mails]

    latest_normalized_subject = Text(writable="internally", packed=True)
    n_emails = Integer(writable="internally", packed=True)
    participants = ListOf(Participant, writable="internally", packed=True)
    emails = Children(
        _MAIL,
        by="thread_id",
        order="activity_at desc",
        without=MAIL_BODIES,
        writable="never",
        doc="The mails, the newest first, without their bodies.",
    )


def threads_of(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The threads that mails are in or may come to, and what the mails in them say of them."""
    moving = [change for change in changes if _matters(change) and not _goes_with_all(change)]
    mail = work.declarations[_MAIL]
    thread = next(ref for ref in mail.refs if ref.key == "thread_id")
    threads, mails = list[Node](), list[Node]()
    known = _known_threads(moving)
    if known:
        yield Load(EmailThread, In(EmailThread.id, known), FOR_DELETE)  # with its last mail
        mails.append(In(thread, known))
    coming = [change.after for change in moving if change.after and not _is_draft(change.after)]
    leads = tuple(dict.fromkeys(row["lead_id"] for row in coming))
    for node in _likely_threads(mail, coming):
        threads.append(And((In(EmailThread.lead, leads), node)))
        mails.append(And((In(mail.fields["lead_id"], leads), Related(thread, threads[-1]))))
    if threads:
        yield Load(EmailThread, threads[0], others=tuple(threads[1:]))
    if mails:
        heads = tuple(mail.fields[key] for key in _TOLD)
        yield Load(mail, mails[0], others=tuple(mails[1:]), fields=heads)


def _matters(change: Change) -> bool:
    """Whether a thread says something else after the change of a mail."""
    fields = change.resource.fields
    return change.kind != "update" or any(change.moved(fields[key]) for key in _TOLD)


def _goes_with_all(change: Change) -> bool:
    """Whether a mail goes since its lead does, and so does its thread."""
    return change.kind == "delete" and change.inner


def _known_threads(changes: list[Change]) -> tuple[str, ...]:
    stored = [change.before for change in changes if change.before is not None]
    return tuple(dict.fromkeys(row["object_id"] for row in stored if row["object_id"]))


def _likely_threads(mail: type[Resource], coming: list[Row]) -> Iterable[Node]:
    """Conditions of the threads that have the subjects of mails, or one that they answer."""
    subjects = tuple(filter(None, dict.fromkeys(normalize(row["subject"]) for row in coming)))
    if subjects:
        yield In(EmailThread.latest_normalized_subject, subjects)
    answered = tuple(dict.fromkeys(id for row in coming for id in _answers(row)))
    parents = tuple(dict.fromkeys(filter(None, (row["in_reply_to_id"] for row in coming))))
    for key, ids in (("message_id", answered), ("id", parents)):
        if ids:
            yield Related(EmailThread.emails, In(mail.fields[key], ids))


def _is_draft(mail: Row) -> bool:
    return bool(mail["status"] == "draft")


def _answers(mail: Row) -> list[str]:
    """The message ids that a mail answers, the nearest first."""
    envelope = mail.get("envelope") or {}
    return [*filter(None, [envelope.get("in_reply_to")]), *reversed(mail["references"])]


def keep_threads(work: Work, changes: list[Change]) -> None:
    """Each mail is in a thread of its lead, and the threads say what their mails do."""
    moving = sorted(filter(_matters, changes), key=lambda change: change.get(Activity.activity_at))
    if not moving:
        return
    changed = {change.id for change in changes}
    mails = [row for row in work.looked_at(moving[0].resource) if row["id"] not in changed]
    mails += [change.after for change in changes if change.after is not None]
    threads, about = _Threads(work, mails), moving[0].resource.fields["thread_id"]
    met: dict[str | None, None] = {}
    for change in moving:
        met[change.was(about)] = None
        if change.after is not None:
            change.set(about, threads.of(change.after))
            met[change.get(about)] = None
    for id in met:
        _tell(work, id, [mail for mail in mails if mail["object_id"] == id])


class _Threads:
    """The threads that are known to a write, found by the mails in them."""

    def __init__(self, work: Work, mails: list[Row]) -> None:
        self._work = work
        self._by_mail: dict[tuple[str, str], Row] = {}
        self._by_subject: dict[tuple[str, str], list[tuple[str, set[str]]]] = {}
        for mail in sorted(mails, key=_when):
            if self._is_of_its_lead(mail):
                self._add(mail)

    def of(self, mail: Row) -> str | None:
        """The thread that the mail is in; a new one where it fits into none. A mail that comes into
        the thread of one that it answers says which that is."""
        if _is_draft(mail):
            return None
        if self._is_of_its_lead(mail):
            return str(mail["object_id"])
        if mail["object_id"] and (mail["lead_id"], mail["in_reply_to_id"]) not in self._by_mail:
            mail["in_reply_to_id"] = None  # it has left the lead of the one it answered
        answered = self._answered(mail)
        if answered is not None:
            mail["object_id"] = answered["object_id"]
            mail["in_reply_to_id"] = mail["in_reply_to_id"] or answered["id"]
        else:
            mail["object_id"] = self._alike(mail) or self._new(mail)
        self._add(mail)
        return str(mail["object_id"])

    def _is_of_its_lead(self, mail: Row) -> bool:
        thread = self._work.row(EmailThread, mail["object_id"])
        return thread is not None and bool(thread["lead_id"] == mail["lead_id"])

    def _add(self, mail: Row) -> None:
        lead, thread = mail["lead_id"], mail["object_id"]
        for id in (mail["id"], *mail["message_ids"]):
            self._by_mail[lead, id] = mail
        alike = self._by_subject.setdefault((lead, normalize(mail["subject"])), [])
        alike.append((thread, _people(mail)))

    def _answered(self, mail: Row) -> Row | None:
        ids = [*filter(None, [mail["in_reply_to_id"]]), *_answers(mail)]
        found = (self._by_mail.get((mail["lead_id"], id)) for id in ids)
        return next(filter(None, found), None)

    def _alike(self, mail: Row) -> str | None:
        subject, people = normalize(mail["subject"]), _people(mail)
        if subject:
            for thread, others in reversed(self._by_subject.get((mail["lead_id"], subject), [])):
                if people <= others or others <= people:
                    return thread
        return None

    def _new(self, mail: Row) -> str:
        return self._work.create(EmailThread, {"lead_id": mail["lead_id"]}).id


def _people(mail: Row) -> set[str]:
    return {party["email"].lower() for party in _parties(mail)}


def _parties(mail: Row) -> list[Party]:
    return read_parties([mail["sender"], *mail["to"], *mail["cc"]])


def _when(mail: Row) -> tuple[str, str]:
    return mail["activity_at"], mail["id"]


def _tell(work: Work, id: str | None, mails: list[Row]) -> None:
    """Have a thread say what its mails do, or go with the last of them."""
    if id is None or work.row(EmailThread, id) is None:
        return
    if not mails:
        work.delete(EmailThread, id)
        return
    mails = sorted(mails, key=_when)
    latest = mails[-1]
    told: dict[str, Any] = {
        "contact_id": latest["contact_id"],
        "user_id": latest["user_id"],
        "users": list(dict.fromkeys(filter(None, (mail["user_id"] for mail in mails)))),
        "date_created": mails[0]["activity_at"],
        "activity_at": latest["activity_at"],
        "latest_normalized_subject": normalize(latest["subject"]),
        "n_emails": len(mails),
        "participants": _participants(mails),
    }
    work.update(EmailThread, id, told)


def _participants(mails: list[Row]) -> list[Party]:
    """Who wrote or got one of the mails, each once, by the name that was seen first."""
    found: dict[str, Party] = {}
    for mail in mails:
        for party in _parties(mail):
            known = found.setdefault(party["email"].lower(), party)
            known["name"] = known["name"] or party["name"]
    return list(found.values())
