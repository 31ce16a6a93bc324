"""Dates of the search language, at a clock that stands still: each names a span of time."""

from datetime import UTC, date, datetime, timedelta

import pytest

from clinch.db.database import Tenant
from clinch.resources.actor import Actor
from clinch.resources.errors import Invalid
from clinch.search.moments import read_span

# A Wednesday evening in London, and already Thursday, three in the morning, where the actor is.
NOW = datetime(2026, 5, 6, 19, 0, tzinfo=UTC)
ACTOR = Actor(
    Tenant("11111111-1111-1111-1111-111111111111"),
    "orga_1",
    utc_offset=timedelta(hours=8),
    clock=lambda: NOW,
)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("today", "2026-05-07 00:00", "2026-05-08 00:00"),
        ("TODAY", "2026-05-07 00:00", "2026-05-08 00:00"),
        ("yesterday", "2026-05-06 00:00", "2026-05-07 00:00"),
        ("tomorrow", "2026-05-08 00:00", "2026-05-09 00:00"),
        ("7 days ago", "2026-04-30 00:00", "2026-05-01 00:00"),
        ("7_days_ago", "2026-04-30 00:00", "2026-05-01 00:00"),
        ("1 day  ago", "2026-05-06 00:00", "2026-05-07 00:00"),
        ("2 weeks ago", "2026-04-23 00:00", "2026-04-24 00:00"),
        ("3 months ago", "2026-02-07 00:00", "2026-02-08 00:00"),
        ("2 years from now", "2028-05-07 00:00", "2028-05-08 00:00"),
        ("in 3 days", "2026-05-10 00:00", "2026-05-11 00:00"),
        ("2 hours ago", "2026-05-07 01:00", "2026-05-07 02:00"),
        ("90 minutes ago", "2026-05-07 01:30", "2026-05-07 01:31"),
        ("last 3 days", "2026-05-04 00:00", "2026-05-08 00:00"),
        ("past 1 week", "2026-04-30 00:00", "2026-05-08 00:00"),
        ("next 3 days", "2026-05-07 00:00", "2026-05-11 00:00"),
        ("last 2 hours", "2026-05-07 01:00", "2026-05-07 03:00"),
        ("this week", "2026-05-04 00:00", "2026-05-11 00:00"),
        ("last week", "2026-04-27 00:00", "2026-05-04 00:00"),
        ("next week", "2026-05-11 00:00", "2026-05-18 00:00"),
        ("this month", "2026-05-01 00:00", "2026-06-01 00:00"),
        ("last month", "2026-04-01 00:00", "2026-05-01 00:00"),
        ("this quarter", "2026-04-01 00:00", "2026-07-01 00:00"),
        ("last quarter", "2026-01-01 00:00", "2026-04-01 00:00"),
        ("next year", "2027-01-01 00:00", "2028-01-01 00:00"),
        ("2026-05-04", "2026-05-04 00:00", "2026-05-05 00:00"),
        ("2026-02", "2026-02-01 00:00", "2026-03-01 00:00"),
        ("2026", "2026-01-01 00:00", "2027-01-01 00:00"),
        ("2026-05-04T10:11", "2026-05-04 10:11", "2026-05-04 10:12"),
        ("2026-05-04 10:11:12", "2026-05-04 10:11:12", "2026-05-04 10:11:13"),
        ("2026-05-04T10:11:12.5", "2026-05-04 10:11:12.5", "2026-05-04 10:11:12.500001"),
        ("2026-05-04T00:00:00.000+0000", "2026-05-04 08:00", "2026-05-04 08:00:00.000001"),
        ("2026-05-04T10:00Z", "2026-05-04 18:00", "2026-05-04 18:01"),
        ("2026-05-04T10:00-02:30", "2026-05-04 20:30", "2026-05-04 20:31"),
        ("2026-05-04T10:00+14", "2026-05-04 04:00", "2026-05-04 04:01"),
    ],
)
def test_a_text_names_a_span(text: str, start: str, end: str) -> None:
    span = read_span(text, ACTOR)
    here = timedelta(hours=8)
    assert span.start == datetime.fromisoformat(f"{start}+00:00") - here
    assert span.end == datetime.fromisoformat(f"{end}+00:00") - here


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("today", date(2026, 5, 7), date(2026, 5, 8)),
        ("this week", date(2026, 5, 4), date(2026, 5, 11)),
        ("2026-05-04T10:11", date(2026, 5, 4), date(2026, 5, 5)),
        ("last 2 hours", date(2026, 5, 7), date(2026, 5, 8)),
    ],
)
def test_a_span_has_days(text: str, first: date, after: date) -> None:
    assert read_span(text, ACTOR).days == (first, after)


def test_a_month_has_no_more_days_than_it_has() -> None:
    leap = Actor(ACTOR.tenant, "orga_1", clock=lambda: datetime(2026, 3, 31, tzinfo=UTC))
    assert read_span("1 month ago", leap).start == datetime(2026, 2, 28, tzinfo=UTC)
    assert read_span("25 months ago", leap).start == datetime(2024, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "2026-13-01", "2026-02-30", "0000", "9999", "26-05-04", "2026-05-04T25:00"),
        *("2026T10:00", "2026-05-04T10:00+99:00", "999999 years ago", "next 999999 years"),
        "٢٠٢٦",
    ],
)
def test_what_is_no_date_is_told(text: str) -> None:
    with pytest.raises(Invalid, match="is not a date"):
        read_span(text, ACTOR)
