"""Documents from outside as plain values: JSON or YAML, within bounds."""

from typing import Any

import msgspec
import yaml

LARGEST = 10_000_000
"""A document's bytes, at most."""

_DEEPEST = 100
_MOST_VALUES = 500_000
_TOO_DEEP = f"it is nested more than {_DEEPEST} deep"


class NotPlain(Exception):
    """A text is neither JSON nor YAML, or goes beyond the bounds; the message says which."""


def read_plain(text: bytes) -> Any:
    """The value: objects with texts as names, lists, texts, numbers, true, false, null.

    Raises NotPlain.
    """
    if len(text) > LARGEST:
        raise NotPlain(f"it is larger than {LARGEST // 1_000_000} MB")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if text.lstrip()[:1] in (b"{", b"["):
            raise NotPlain(f"it is no JSON: {error}") from None
        value = _yaml(text)
    return _Bounds().plain(value, 0)


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """YAML as documents of APIs mean it: what looks like a date is a text, and nothing is merged,
    which could write out a short text at any length."""

    def flatten_mapping(self, node: Any) -> None:
        pass


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in resolvers if pair[0].rpartition(":")[2] not in ("timestamp", "merge")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _yaml(text: bytes) -> Any:
    try:
        _check_depth(text)
        return yaml.load(text, _Loader)  # noqa: S506 - it is a safe loader, with fewer types
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        at = f" at line {where.line + 1}" if where is not None else ""
        raise NotPlain(f"it is neither JSON nor YAML{at}") from None


def _check_depth(text: bytes) -> None:
    """Refuse what is nested too deep before it is put together: that goes down the C stack, whose
    end is the end of the process."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise NotPlain(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Bounds:
    """Counts what is met. An alias of YAML counts each time, as if it were written out."""

    def __init__(self) -> None:
        self._met = 0

    def plain(self, value: Any, depth: int) -> Any:
        self._met += 1
        if self._met > _MOST_VALUES:
            raise NotPlain(f"it has more than {_MOST_VALUES} values")
        if depth > _DEEPEST:
            raise NotPlain(_TOO_DEEP)
        if isinstance(value, dict):
            return {_name(key): self.plain(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.plain(inner, depth + 1) for inner in value]
        if value is None or isinstance(value, str | bool | int):
            return value
        if isinstance(value, float) and value == value and abs(value) != float("inf"):
            return value
        raise NotPlain(f"it has a value that JSON does not know: {type(value).__name__}")


def _name(key: Any) -> str:
    """A name in an object; YAML also takes numbers, as the status 200, and yes and no."""
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise NotPlain(f"it has a name that is no text: {key!r:.50}")
    return str(key)
