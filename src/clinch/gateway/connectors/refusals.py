"""What an app says was wrong, in its own words."""

from typing import Any

import msgspec

from clinch.gateway.api import ApiAnswer
from clinch.gateway.connectors.connector import Connector

_LONGEST = 500


def refusal(connector: Connector, answer: ApiAnswer) -> str:
    """What the app says in an answer that is not good: the status, and its own words."""
    words = words_of(connector, answer)
    return f"({answer.status}): {words}" if words else f"({answer.status})."


def words_of(connector: Connector, answer: ApiAnswer) -> str | None:
    """The app's own words for what was wrong, on one line, if it has any."""
    try:
        told = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for place in connector.errors:
        text = _text_in(_at(told, place))
        if text is not None:
            line = "".join(one if one.isprintable() else " " for one in text).strip()
            return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    return None


def _at(value: Any, place: str) -> Any:
    """What stands at a place in a value, None where there is no such place; a whole answer may be
    a list of errors, of which the first counts."""
    if isinstance(value, list) and value:
        value = value[0]
    for name in place.split("."):
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value.get(name)
        else:
            return None
    return value


def _text_in(value: Any) -> str | None:
    """The first text in a value, with the names that lead to it."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, list):
        return next((text for one in value if (text := _text_in(one)) is not None), None)
    if isinstance(value, dict):
        for name, one in value.items():
            text = _text_in(one)
            if text is not None:
                return f"{name}: {text}"
    return None
