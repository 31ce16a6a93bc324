"""Attachments: the files that hang on notes, opportunities and the like."""

from clinch.resources.fields import FileItem, Text


class Attachment(FileItem):
    """A file, with what it is called at the object."""

    thumbnail_url = Text(nullable=True, writable="never")
