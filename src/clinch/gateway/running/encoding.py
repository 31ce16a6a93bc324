"""Values as parts of a request, and an answer's body as a value."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from clinch.gateway.errors import InvalidRequest

_FORM = "application/x-www-form-urlencoded"


def text_of(value: Any) -> str:
    """A value as a text: what is none as JSON, of a list its parts with commas between."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(text_of, value))
    return msgspec.json.encode(value).decode()


def segment(name: str, value: Any) -> str:
    """A value as one segment of a path, which it cannot leave; raises InvalidRequest."""
    text = text_of(value)
    if text in ("", ".", ".."):
        raise InvalidRequest(f"{name}: this is no part of a path.", field=name)
    return quote(text, safe="")


def header_value(name: str, value: Any) -> str:
    """A value as that of a header; raises InvalidRequest."""
    text = text_of(value)
    if not text.isascii() or not text.isprintable():
        raise InvalidRequest(f"{name}: no header can have this.", field=name)
    return text


def body_bytes(content: Any, media_type: str) -> bytes:
    """A value as a body of a type: a form, a text as it is, or else JSON; raises InvalidRequest."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind == _FORM:
        return urlencode(list(_form(content))).encode()
    if isinstance(content, str) and not kind.endswith("json"):
        return content.encode()
    return msgspec.json.encode(content)


def document_in(body: bytes) -> Any:
    """The JSON of a body; what is none is a text, in an object."""
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"text": body.decode("utf-8", "replace")}


def _form(content: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(content, dict):
        raise InvalidRequest("body: a form has names and values.", field="body")
    for name, value in content.items():
        inner = value if isinstance(value, list) else [value]
        nested = isinstance(value, dict) or any(isinstance(one, dict | list) for one in inner)
        yield name, msgspec.json.encode(value).decode() if nested else text_of(value)
