"""Notes: what somebody wrote down about a lead."""

from clinch.crm.activities.activity import CREATION_SOURCES, Activity
from clinch.crm.attachments import Attachment
from clinch.crm.rich_text import RichText, derive_mentions, keep_twins
from clinch.resources.fields import Boolean, Choice, DateTime, ListOf, Text, Words, stored_time
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work


def derive_notes(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.kind != "delete":
            keep_twins(change, Note.note, Note.note_html)
            derive_mentions(change, Note.note_html, Note.note_mentions)


def name_source(work: Work, changes: list[Change]) -> None:
    """What somebody writes says through which door it came in."""
    for change in changes:
        if change.kind == "create" and work.source in CREATION_SOURCES:
            change.set(change.resource.fields["source"], work.source)


def date_pins(work: Work, changes: list[Change]) -> None:
    """A pinned object says since when."""
    for change in changes:
        pinned, pinned_at = change.resource.fields["pinned"], change.resource.fields["pinned_at"]
        if change.kind != "delete" and change.moved(pinned):
            change.set(pinned_at, stored_time(work.now) if change.get(pinned) else None)


class Note(Activity, path="activity/note", prefix="acti", table="activity", only={"_type": "Note"}):
    """A text about a lead."""

    operations = ("list", "get", "create", "update", "delete")
    before = [*Activity.before, derive_notes, name_source, date_pins]

    title = Text(nullable=True, max=1000, packed=True)
    note = Text()
    note_html = RichText()
    note_mentions = Words(writable="never", packed=True, doc="The users that the note mentions.")
    pinned = Boolean(packed=True)
    pinned_at = DateTime(nullable=True, writable="never", packed=True)
    source = Choice(*CREATION_SOURCES, nullable=True, writable="never", packed=True)
    attachments = ListOf(Attachment, packed=True)
