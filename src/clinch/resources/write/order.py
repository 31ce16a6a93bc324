"""Objects are put in order by a body that lists some of them, as `[{"id": …}, …]`."""

from collections.abc import Sequence
from typing import Any

from clinch.resources.errors import NO_OBJECT, ValidationError, wrong_type

_MOST = 1000


def listed_ids(body: dict[str, Any], key: str) -> list[str] | None:
    """The ids that a body lists under the key, None when there is no list; raises
    ValidationError."""
    listed = body.get(key)
    if listed is None:
        return None
    if not isinstance(listed, list):
        raise ValidationError({key: wrong_type("list").problem})
    if len(listed) > _MOST:
        raise ValidationError({key: "List is too long."})
    ids = [entry.get("id") if isinstance(entry, dict) else None for entry in listed]
    return [_id(id, key) for id in ids]


def in_order(listed: Sequence[str], known: Sequence[str], key: str) -> list[str]:
    """Those listed come first, then the others as they are; raises ValidationError for one that is
    not known."""
    order = list(dict.fromkeys([*listed, *known]))
    if len(order) > len(known):
        raise ValidationError({key: NO_OBJECT})
    return order


def _id(id: Any, key: str) -> str:
    if not isinstance(id, str) or "\x00" in id:
        raise ValidationError({key: NO_OBJECT})
    return id
