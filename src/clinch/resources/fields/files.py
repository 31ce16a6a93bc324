"""Files that an object holds: the entry of their list, and what a file may be called."""

import json
import re
import unicodedata
from typing import Any

from clinch.resources.actor import Actor
from clinch.resources.errors import Invalid
from clinch.resources.fields.field import Json, Output
from clinch.resources.fields.lists import Item, ListOf
from clinch.resources.fields.values import Integer, Text
from clinch.resources.files import FILES, NOT_IN_ADDRESSES


class FileName(Text):
    """A name without a folder, of at most 255 characters, all of which can be seen."""

    # Controls, lone surrogates, ends of lines; and what makes a name read backwards.
    _CATEGORIES = frozenset(("Cc", "Cs", "Zl", "Zp"))
    _TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

    def __init__(self, **rest: Any) -> None:
        super().__init__(max=255, **rest)

    def read(self, value: Json, actor: Actor) -> Json:
        value = super().read(value, actor)
        if value in (".", "..") or re.search(r"[/\\]", value or ""):
            raise Invalid("A filename must not name a folder.")
        if any(
            unicodedata.category(c) in self._CATEGORIES or c in self._TURNS for c in value or ""
        ):
            raise Invalid("A filename must not contain control characters.")
        return value


class ContentType(Text):
    """A media type, such as `text/plain; charset=utf-8`."""

    _TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
    _TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}(\s*;[\x20-\x7e]*)?")

    def __init__(self, **rest: Any) -> None:
        super().__init__(max=255, **rest)

    def read(self, value: Json, actor: Actor) -> Json:
        value = super().read(value, actor)
        if value and not self._TYPE.fullmatch(value):
            raise Invalid("Invalid content type.")
        return value


class FileItem(Item):
    """An entry that holds a file, in a list of files.

    It is sent with the address of a file that the user has uploaded, or that an object which they
    see has; it is kept with the file's id, and answered with the address that the file has at the
    object.
    """

    url = Text(required=True, max=2000)
    filename = FileName(required=True)
    content_type = ContentType()
    size = Integer(writable="never", nullable=True, doc="In bytes.")

    @classmethod
    def output(cls, field: ListOf, row: str, out: Output) -> str:
        entries = field.sql(row)
        url = (
            f"{out.public_url} || '{FILES}/persisted/' || {out.organization}.id"
            f" || '/{field.resource.event_type()}/' || {row}.id || '/' || (e.entry ->> 'file_id')"
            f" || '/' || regexp_replace(e.entry ->> 'filename', '{NOT_IN_ADDRESSES}', '_', 'g')"
            " || '/'"
        )
        values = cls.values("e.entry") | {"url": url}
        pairs = ", ".join(f"'{key}', {value}" for key, value in values.items())
        return (
            f"case when {entries} = '[]' then '[]'::json else"
            f" (select json_agg(json_build_object({pairs}) order by e.place)"
            f" from jsonb_array_elements({entries}) with ordinality e(entry, place)) end"
        )

    @classmethod
    def values(cls, entry: str) -> dict[str, str]:
        """SQL for what is answered of an entry beside its address, by key."""
        # An entry is without what its item has come to have since, or leaves out.
        return {
            key: f"coalesce({entry} -> '{key}', '{json.dumps(part.empty())}')"
            for key, part in cls.fields.items()
        }
