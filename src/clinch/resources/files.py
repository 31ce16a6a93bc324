"""Files: their tables, their addresses, and how long one stays that nothing holds.

A file is written before anything refers to it, and is never changed. An object holds it by a row of
`file_use`, which follows from the object as search texts do. What nothing holds goes by itself:
after a day where it was only uploaded, after 30 where an object held it, so that as long as the log
shows the object, it can be had back whole.
"""

import re
from datetime import timedelta

from clinch.db.schema import Column, ForeignKey, Index, id_column, tenant_table

PREFIX = "file"

TEMPORARY_FOR = timedelta(days=1)
RELEASED_FOR = timedelta(days=30)

FILE = tenant_table(
    "file",
    id_column(),
    id_column("user_id"),
    Column("filename", "text"),
    Column("content_type", "text"),
    Column("uploaded_at", "timestamp with time zone"),
    Column("size", "bigint", nullable=True),
    Column("image_type", "text", nullable=True),
    Column("kept_until", "timestamp with time zone", nullable=True),
    indexes=(Index(("organization_id", "kept_until"), where="(kept_until IS NOT NULL)"),),
)
"""`size` is null until all of it is there; `image_type` is what its first bytes show it to be, if
that is an image which a browser may show; `kept_until` is when to look whether anything holds it,
null where it is known that something does."""

FILE_PART = tenant_table(
    "file_part",
    id_column("file_id"),
    Column("number", "bigint"),
    Column("content", "bytea"),
    key=("file_id", "number"),
    foreign_keys=(ForeignKey("file_id", "file"),),
    rights="select, insert, delete",
)

FILE_USE = tenant_table(
    "file_use",
    id_column("object_id"),
    id_column("file_id"),
    key=("object_id", "file_id"),
    indexes=(Index(("organization_id", "file_id")),),
    foreign_keys=(ForeignKey("file_id", "file"),),
    rights="select, insert, delete",
)

FILES = "/go/file"
"""Where files are, below the public URL."""

NOT_IN_ADDRESSES = "[^A-Za-z0-9._-]+"
"""What of a name is not shown in an address, as a regular expression of Python and PostgreSQL."""


def temporary_path(user_id: str) -> str:
    """Where the files are that a user has uploaded, each at its id and name."""
    return f"{FILES}/temporary/{user_id}/"


def persisted_path(organization: str, object_type: str, object_id: str) -> str:
    """Where the files are that an object holds, each at its id and name."""
    return f"{FILES}/persisted/{organization}/{object_type}/{object_id}/"


def in_address(filename: str) -> str:
    """The name as the last part of an address, where it only helps people."""
    return re.sub(NOT_IN_ADDRESSES, "_", filename)
