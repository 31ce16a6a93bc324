"""Dates as people and clients write them, each a span of time: a day lasts a day, `last week` a
week. Whatever names no offset is meant in the actor's zone, and `now` is the actor's clock."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from clinch.resources.actor import Actor
from clinch.resources.errors import Invalid

NO_DATE = 'is not a date. Dates are written 2026-05-04, "2026-05-04 10:00", today or "7 days ago"'

_NUMERIC = re.compile(
    r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d:?(?:\d\d)?)?)?",
    re.IGNORECASE | re.ASCII,
)
_AGO = re.compile(r"(\d{1,6}) (minute|hour|day|week|month|year)s? (ago|from now)", re.ASCII)
_IN = re.compile(r"in (\d{1,6}) (minute|hour|day|week|month|year)s?", re.ASCII)
_AROUND = re.compile(r"(last|past|next) (\d{1,6}) (minute|hour|day|week|month|year)s?", re.ASCII)
_CALENDAR = re.compile(r"(this|last|next) (day|week|month|quarter|year)")
_NAMED = {"today": 0, "yesterday": -1, "tomorrow": 1}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` until just before `end`, both with the offset of the actor or of the text."""

    start: datetime
    end: datetime

    @property
    def days(self) -> tuple[date, date]:
        """The first day, and the day after the last."""
        last = (self.end - timedelta(microseconds=1)).date()
        return self.start.date(), max(last, self.start.date()) + timedelta(days=1)


def read_span(text: str, actor: Actor) -> Span:
    """The time that a text names; raises Invalid."""
    words = " ".join(text.replace("_", " ").lower().split())
    try:
        span = _numeric(text.strip(), actor) or _relative(words, actor)
        if span is not None:
            # What the database is asked in is UTC, where the first and last hours may not exist.
            span.start.astimezone(UTC), span.end.astimezone(UTC)
            return span
    except (ValueError, OverflowError):
        pass
    raise Invalid(f'"{text[:100]}" {NO_DATE}.')


def _numeric(text: str, actor: Actor) -> Span | None:
    match = _NUMERIC.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    if hour is not None and day is None:
        return None
    zone = _offset(offset) if offset else timezone(actor.utc_offset)
    start = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        int((fraction or "0")[:6].ljust(6, "0")),
        zone,
    )
    if day is None:
        return Span(start, _months_later(start, 1 if month else 12))
    if hour is None:
        return Span(start, start + timedelta(days=1))
    if fraction is not None:
        return Span(start, start + timedelta(microseconds=1))
    return Span(start, start + timedelta(seconds=1 if second is not None else 60))


def _offset(text: str) -> timezone:
    if text.upper() == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _relative(words: str, actor: Actor) -> Span | None:
    zone = timezone(actor.utc_offset)
    now = actor.clock().astimezone(zone)
    today = datetime.combine(now.date(), time(), zone)
    if words == "now":
        return Span(now, now + timedelta(microseconds=1))
    if words in _NAMED:
        return _one_day(today + timedelta(days=_NAMED[words]))
    if match := _AGO.fullmatch(words):
        number = int(match[1]) * (-1 if match[3] == "ago" else 1)
        return _moved(now, today, number, match[2])
    if match := _IN.fullmatch(words):
        return _moved(now, today, int(match[1]), match[2])
    if match := _AROUND.fullmatch(words):
        return _around(now, today, match)
    if match := _CALENDAR.fullmatch(words):
        return _calendar(today, {"last": -1, "this": 0, "next": 1}[match[1]], match[2])
    return None


def _one_day(start: datetime) -> Span:
    return Span(start, start + timedelta(days=1))


def _moved(now: datetime, today: datetime, number: int, unit: str) -> Span:
    """The minute or hour that begins so long from now, or the day that is so far away."""
    if unit in ("minute", "hour"):
        length = timedelta(**{f"{unit}s": 1})
        return Span(now + number * length, now + (number + 1) * length)
    return _one_day(_later(today, number, unit))


def _later(start: datetime, number: int, unit: str) -> datetime:
    if unit in _MONTHS:
        return _months_later(start, number * _MONTHS[unit])
    return start + number * timedelta(**{f"{unit}s": 1})


def _around(now: datetime, today: datetime, match: re.Match[str]) -> Span:
    """The days up to today, or from today on, with today; of minutes and hours to the moment."""
    number = int(match[2]) * (1 if match[1] == "next" else -1)
    if match[3] in ("minute", "hour"):
        other = _later(now, number, match[3])
        return Span(min(now, other), max(now, other))
    other = _later(today, number, match[3])
    return Span(min(today, other), max(today, other) + timedelta(days=1))


def _calendar(today: datetime, step: int, unit: str) -> Span:
    """The day, the week from its Monday, or the calendar month, quarter or year."""
    if unit == "day":
        return _one_day(today + timedelta(days=step))
    if unit == "week":
        start = today + timedelta(days=7 * step - today.weekday())
        return Span(start, start + timedelta(days=7))
    length = _MONTHS[unit]
    first = today.replace(day=1, month=(today.month - 1) // length * length + 1)
    start = _months_later(first, step * length)
    return Span(start, _months_later(start, length))


def _months_later(start: datetime, number: int) -> datetime:
    """The same day so many months later, or the last one of a shorter month."""
    months = start.year * 12 + start.month - 1 + number
    first = start.replace(year=months // 12, month=months % 12 + 1, day=1)
    following = first + timedelta(days=31)
    last = following - timedelta(days=following.day)
    return first.replace(day=min(start.day, last.day))
