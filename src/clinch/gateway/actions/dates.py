"""Days and times in inputs, and what they mean in a time zone."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from clinch.gateway.actions.errors import ActionError

Record = dict[str, Any]

_FIRST_YEAR, _LAST_YEAR = 1900, 2999


def parse_when(field: str, text: str, *, time: bool = True) -> date | datetime:
    """A day, or a time that may lack its offset. Raises ActionError."""
    text = text.strip()
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
        if time:
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    forms = "2026-03-05 or 2026-03-05T14:30:00Z" if time else "2026-03-05"
    raise ActionError(
        f"{field} is not a {'day or a time' if time else 'day'} (got {text[:40]!r}).",
        f"Write it as {forms}.",
        field,
    )


def parse_zone(field: str, name: str | None) -> tzinfo:
    """The time zone with an IANA name, UTC for None. Raises ActionError."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name.strip())
    except (ValueError, OSError, LookupError):
        raise ActionError(
            f"{field} is not a time zone (got {name[:40]!r}).",
            "Write its IANA name, such as Europe/London.",
            field,
        ) from None


def start_of(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)


class Span:
    """From a day or time to another, both included; a day is all of it, in a time zone."""

    def __init__(self, since: str | None, until: str | None, zone: tzinfo) -> None:
        self.zone = zone
        self.since = self._read("dateFrom", since)
        self.until = self._read("dateTo", until)
        first, last = self.first_moment(), self.end()
        if first and last and (first > last[0] or (first == last[0] and not last[1])):
            raise ActionError("dateFrom is after dateTo.", "Exchange the two.", "dateFrom")

    def _read(self, field: str, text: str | None) -> date | datetime | None:
        """What the input says; a day that stands for "always" is no bound."""
        if text is None:
            return None
        when = parse_when(field, text)
        if not _FIRST_YEAR <= when.year <= _LAST_YEAR:
            if (when.year < _FIRST_YEAR) == (field == "dateFrom"):
                return None
            raise ActionError(
                f"{field} is a day that nothing has (got {text.strip()[:40]}).",
                f"Give a year from {_FIRST_YEAR} to {_LAST_YEAR}, or leave {field} out.",
                field,
            )
        if isinstance(when, datetime) and when.tzinfo is None:
            return when.replace(tzinfo=self.zone)
        return when

    def first_moment(self) -> datetime | None:
        if self.since is None or isinstance(self.since, datetime):
            return self.since
        return start_of(self.since, self.zone)

    def end(self) -> tuple[datetime, bool] | None:
        """The moment at which it ends, and whether that is included."""
        if self.until is None:
            return None
        if isinstance(self.until, datetime):
            return self.until, True
        return start_of(self.until + timedelta(days=1), self.zone), False

    def days(self) -> tuple[date | None, date | None]:
        """The first and the last day."""
        return self._day(self.since), self._day(self.until)

    def _day(self, when: date | datetime | None) -> date | None:
        return when.astimezone(self.zone).date() if isinstance(when, datetime) else when


def moments(name: str, span: Span) -> list[tuple[str, str]]:
    """Filters on a property that is a moment."""
    filters = []
    first, end = span.first_moment(), span.end()
    if first is not None:
        filters.append((f"{name}__gte", _written(first)))
    if end is not None:
        filters.append((f"{name}__lte" if end[1] else f"{name}__lt", _written(end[0])))
    return filters


def days(name: str, span: Span) -> list[tuple[str, str]]:
    """Filters on a property that is a day."""
    first, last = span.days()
    return [
        *([(f"{name}__gte", first.isoformat())] if first else []),
        *([(f"{name}__lte", last.isoformat())] if last else []),
    ]


def around(name: str, span: Span) -> list[tuple[str, str]]:
    """Filters on a property that is a day or a moment, a day wider at both ends, because which
    moments a day has depends on the app; `within` tells exactly."""
    first, last = span.days()
    day = timedelta(days=1)
    return [
        *([(f"{name}__gte", (first - day).isoformat())] if first else []),
        *([(f"{name}__lt", (last + 2 * day).isoformat())] if last else []),
    ]


def within(name: str, span: Span) -> Callable[[Record], bool]:
    """Whether the day or moment that a record has under a name is in the span."""
    first, end = span.first_moment(), span.end()
    first_day, last_day = span.days()

    def test(record: Record) -> bool:
        text = record.get(name)
        if not isinstance(text, str):
            return False
        when = parse_when(name, text)
        if not isinstance(when, datetime):
            return (first_day is None or when >= first_day) and (
                last_day is None or when <= last_day
            )
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        if first is not None and when < first:
            return False
        return end is None or when < end[0] or (end[1] and when == end[0])

    return test


def offset_hours(zone: tzinfo, now: datetime) -> str:
    """The zone's distance from UTC, as the header `X-TZ-Offset` has it."""
    offset = now.astimezone(zone).utcoffset() or timedelta()
    return f"{offset.total_seconds() / 3600:g}"


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
