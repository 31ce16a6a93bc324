"""The kinds of field that a resource is declared with.

A field knows its column, how a value from a request is read, how it is written as JSON by the
database, which list filters it takes and how it is described to a client. `key` is its name in
the API, `alias` another that bodies may use; `error_key` the name under which a mistake is
reported.
"""

from clinch.resources.fields.field import (
    BY_REQUEST,
    EQ,
    EQ_IN,
    PACKED,
    RANGE,
    Field,
    Json,
    Output,
    Summary,
    literal,
)
from clinch.resources.fields.files import ContentType, FileItem, FileName
from clinch.resources.fields.lists import Item, ListOf, Words, read_each
from clinch.resources.fields.once import ToldOnce
from clinch.resources.fields.relations import (
    ChildIds,
    Children,
    Computed,
    ComputedTime,
    Lookup,
    Ref,
    RollUp,
    Shown,
)
from clinch.resources.fields.values import (
    Boolean,
    Choice,
    Date,
    DateTime,
    EmailAddress,
    Id,
    Integer,
    Text,
    Url,
    local_time,
    parse_datetime,
    stored_time,
)

__all__ = [
    "BY_REQUEST",
    "EQ",
    "EQ_IN",
    "PACKED",
    "RANGE",
    "Boolean",
    "ChildIds",
    "Children",
    "Choice",
    "Computed",
    "ComputedTime",
    "ContentType",
    "Date",
    "DateTime",
    "EmailAddress",
    "Field",
    "FileItem",
    "FileName",
    "Id",
    "Integer",
    "Item",
    "Json",
    "ListOf",
    "Lookup",
    "Output",
    "Ref",
    "RollUp",
    "Shown",
    "Summary",
    "Text",
    "ToldOnce",
    "Url",
    "Words",
    "literal",
    "local_time",
    "parse_datetime",
    "read_each",
    "stored_time",
]
