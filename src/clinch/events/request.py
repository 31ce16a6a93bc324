"""What `/event/` is asked for: its filters in the combinations that are served, and its cursor."""

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from clinch.resources.actor import Actor
from clinch.resources.errors import BadRequest, Invalid
from clinch.resources.fields import parse_datetime

MAX_LIMIT = 50

FILTERS = {
    "object_type": "A type of object, such as lead.",
    "object_id": "An object; together with object_type, action or user_id.",
    "lead_id": "A lead, with its contacts, opportunities and tasks.",
    "user_id": "Who did it.",
    "action": "created, updated or deleted; together with another filter.",
    "request_id": "The request that did it.",
}

DATES = {
    "date_updated__gt": ">",
    "date_updated__gte": ">=",
    "date_updated__lt": "<",
    "date_updated__lte": "<=",
}

_SERVED = {
    frozenset(names.split())
    for names in (
        "",
        "object_type",
        "object_type object_id",
        "object_type action",
        "object_id action",
        "lead_id",
        "lead_id object_type",
        "lead_id object_type action",
        "lead_id user_id",
        "lead_id user_id object_type",
        "lead_id user_id object_type action",
        "user_id",
        "user_id object_id",
        "user_id object_id action",
        "user_id object_type",
        "user_id object_type action",
        "request_id",
    )
}

_INTEGER = re.compile(r"[+-]?\d{1,18}")


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the log and a direction from it, with the times between which events were asked.

    Sent as base64url of its JSON, which is nobody's business but ours.
    """

    seq: int
    direction: Literal["older", "newer"]
    dates: dict[str, datetime] = {}

    def encoded(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def decoded(cls, text: str) -> "Cursor":
        """Raises BadRequest for what is not a cursor of ours."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            cursor = msgspec.json.decode(raw, type=cls)
        except (binascii.Error, ValueError):
            raise BadRequest("_cursor is not one that this API has given out.") from None
        dated = set(cursor.dates) <= set(DATES) and all(d.tzinfo for d in cursor.dates.values())
        if not dated or not 0 <= cursor.seq < 2**62:
            raise BadRequest("_cursor is not one that this API has given out.")
        return cursor


@dataclass(frozen=True, slots=True)
class EventPage:
    """The events to list: those that equal `filters`, between `dates`, from `cursor` on.

    `dates` are moments by the name of their parameter.
    """

    filters: dict[str, str] = field(default_factory=dict)
    dates: dict[str, datetime] = field(default_factory=dict)
    cursor: Cursor | None = None
    limit: int = MAX_LIMIT


def read_event_page(parameters: dict[str, str], actor: Actor) -> EventPage:
    """What a list's parameters ask for; raises BadRequest. An empty parameter is as good as none.

    The times of events are answered without an offset and in UTC, so that is how a filter's time
    without an offset is read. A cursor brings the times along with which its walk was begun.
    """
    filters = {name: parameters[name] for name in FILTERS if parameters.get(name)}
    if frozenset(filters) not in _SERVED:
        names = " and ".join(filters)
        raise BadRequest(
            f"Events cannot be filtered by {names}. Filter by object_type, lead_id, user_id or"
            " request_id; object_id and action are served together, or with object_type or user_id."
        )
    if parameters.get("_skip", "0") not in ("", "0"):
        raise BadRequest("_skip is not supported here. Please follow cursor_next in _cursor.")
    cursor = Cursor.decoded(parameters["_cursor"]) if parameters.get("_cursor") else None
    in_utc = replace(actor, utc_offset=timedelta())
    dates = {}
    for name in DATES:
        if parameters.get(name):
            try:
                dates[name] = parse_datetime(parameters[name], in_utc)
            except Invalid as error:
                raise BadRequest(f"{name}: {error.problem}") from None
    return EventPage(filters, cursor.dates if cursor else dates, cursor, _limit(parameters))


def _limit(parameters: dict[str, str]) -> int:
    text = parameters.get("_limit") or str(MAX_LIMIT)
    if not _INTEGER.fullmatch(text):
        raise BadRequest(f'_limit must be an integer (got "{text}" instead).')
    if int(text) < 0:
        raise BadRequest(f'_limit must be a non-negative integer (got "{text}" instead).')
    if int(text) > MAX_LIMIT:
        raise BadRequest(
            "The limit you set is larger than the maximum limit for this resource"
            f" (max_limit = {MAX_LIMIT})."
        )
    return int(text)
