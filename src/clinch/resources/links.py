"""Links to other programs that objects show: addresses with values of the object in them.

In the template of an address `{{lead.name}}` stands for what the object answers under that name:
the object itself, or the one of that kind that it refers to. `{{lead.custom.Berth}}` stands for
the value of a custom field. What means nothing, or has no value, is left empty.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clinch.resources.custom_fields import CustomFields
from clinch.resources.fields import Field, Output, literal

PLACEHOLDER = re.compile(r"\{\{([^{}]*+)\}\}")
_CUSTOM = "custom."


class Links(Field):
    """The organization's links for objects of this kind, with the object's values in them.

    The actor remembers the templates, so that they are part of the statement, and where there are
    none nothing is asked for.
    """

    stored = False
    json_type = "array"

    def __init__(self) -> None:
        super().__init__(writable="never", doc="The organization's links to other programs.")

    def output(self, row: str, out: Output) -> str:
        links = [
            f"json_build_object('name', {literal(link.name)}, 'url', {url})"
            for link in out.links
            if link.noun == self.resource.noun
            for url in (self._url(link.url, row, out),)
        ]
        return f"array_to_json(array[{', '.join(links)}])" if links else "'[]'::json"

    def schema(self) -> dict[str, Any]:
        texts = {name: {"type": "string"} for name in ("name", "url")}
        return super().schema() | {"items": {"type": "object", "properties": texts}}

    def _url(self, template: str, row: str, out: Output) -> str:
        """SQL for the address: the template's own text as literals, values between them."""
        parts = []
        for part in _parts(template):
            if not isinstance(part, _Value):
                parts.append(literal(part))
            elif (value := self._value(part.name, row, out)) is not None:
                coded = f"url_encoded({value})"
                coded = f"replace({coded}, '%20', '+')" if part.in_query else coded
                parts.append(f"coalesce({coded}, '')")
        return " || ".join(parts)

    def _value(self, name: str, row: str, out: Output) -> str | None:
        """SQL for the text of the value, or None for what no object of the kind has."""
        noun, _, key = name.partition(".")
        if noun == self.resource.noun:
            return _text(noun, key, row, out)
        ref = next((ref for ref in self.resource.refs if ref.target == noun), None)
        if ref is None:
            return None
        other = out.joined(ref, row)
        value = _text(noun, key, other, out)
        # What is made of the columns of no object would not be null by itself.
        return value and f"case when {other}.id is not null then {value} end"


def _text(noun: str, key: str, row: str, out: Output) -> str | None:
    """SQL for the text of a field of the row, which is of the resource `noun`."""
    custom = key.startswith(_CUSTOM)
    field = out.field_of(noun, "custom" if custom else key)
    if custom and isinstance(field, CustomFields):
        values = out.lateral(row, field.values(row, out, ["custom"]) or "")
        value = f"({values}.by_name::json -> {literal(key.removeprefix(_CUSTOM))})"
        several = f"(select string_agg(v, ',') from json_array_elements_text({value}) v)"
        return f"case json_typeof({value}) when 'array' then {several} else {value} #>> '{{}}' end"
    if field is None or not field.shown or not _is_plain(field):
        return None
    return f"({field.output(row, out)})::text"


def _is_plain(field: Field) -> bool:
    kind = field.schema()["type"]
    return not {"array", "object"} & {*([kind] if isinstance(kind, str) else kind)}


@dataclass(frozen=True, slots=True)
class _Value:
    """A place in a template for a value; in the query of an address a space is written `+`."""

    name: str
    in_query: bool


def _parts(template: str) -> Iterator[str | _Value]:
    """The texts of a template and the values between them, in order."""
    in_query = False
    for place, piece in enumerate(PLACEHOLDER.split(template)):
        if place % 2:
            yield _Value(piece.strip(), in_query)
        else:
            in_query = in_query or "?" in piece
            yield piece
