"""Attachments: the files that hang on notes, opportunities and the like."""

from typing import Any

from clinch.resources.actor import Actor
from clinch.resources.fields import Boolean, FileItem, Text


class Attachment(FileItem):
    """A file, with what it is called at the object."""

    thumbnail_url = Text(nullable=True, writable="never")


class MailAttachment(Attachment):
    """An attachment of a mail, which its HTML may show as `cid:` and the content id."""

    content_id = Text(nullable=True, max=1000)
    inline_only = Boolean(doc="It is there for the HTML alone.")

    @classmethod
    def completed(cls, entry: dict[str, Any], actor: Actor) -> dict[str, Any]:
        """What is not shown so is kept as mails had it before there were content ids: one that was
        sent may be sent back, and must not differ then."""
        return {k: v for k, v in entry.items() if v or k not in ("content_id", "inline_only")}


class Medium(Attachment):
    """An attachment of a text message, which has an id of its own there."""

    media_id = Text(nullable=True, writable="never")

    @classmethod
    def completed(cls, entry: dict[str, Any], actor: Actor) -> dict[str, Any]:
        """The id follows from that of the file and is not kept."""
        return {key: value for key, value in entry.items() if key != "media_id"}

    @classmethod
    def values(cls, entry: str) -> dict[str, str]:
        media_id = f"replace({entry} ->> 'file_id', 'file_', 'media_')"
        return super().values(entry) | {"media_id": media_id}
