"""Actions that list: paged inside, with an opaque cursor, filtered here where the app cannot."""

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from clinch.gateway.actions.action import Action, Words
from clinch.gateway.actions.dates import (
    Span,
    around,
    days,
    moments,
    offset_hours,
    parse_zone,
    within,
)
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.inputs import (
    Flag,
    Input,
    OneOf,
    Schema,
    Text,
    TimeZone,
    When,
    Whole,
)
from clinch.gateway.actions.records import FIELDS, Record, Shape, view_of
from clinch.gateway.actions.references import IdOf
from clinch.gateway.actions.refusals import not_found
from clinch.gateway.actions.run import Run
from clinch.resources.actor import OperationClass

PAGE = 100
DEFAULT_LIMIT = 20
MOST = 10_000
MOST_READ = 10_000

Keep = Callable[[Record], bool]
Pairs = tuple[tuple[str, str], ...]

PAGING: tuple[Input, ...] = (
    Whole(
        name="limit",
        min=1,
        max=1000,
        default=DEFAULT_LIMIT,
        also=("_limit", "pageSize"),
        doc="How many records to answer.",
    ),
    Whole(name="skip", max=250_000, also=("_skip", "offset"), doc="How many to leave out first."),
    Text(name="cursor", max=1000, doc="Where the answer before ended; the filters stay the same."),
    Flag(name="all", doc=f"Answer all records, up to {MOST:,}, whatever limit says."),
    FIELDS,
)

_PAGING_NAMES = frozenset(("limit", "cursor", "all", "fields", "skip"))


@dataclass(slots=True)
class Source:
    """A list of the API from a position on, read page by page.

    `keep` filters here, and `adapt` makes of each record what the list shows.
    """

    path: str
    query: Pairs
    keep: Keep | None = None
    adapt: Callable[[Record], Record] | None = None
    may_be_missing: bool = False
    next: int = 0
    ended: bool = False
    total: int | None = None
    read: int = 0
    waiting: deque[tuple[int, Record]] = field(default_factory=deque)

    @property
    def position(self) -> int:
        """Where to go on: how many records of the API's list are done with."""
        return self.waiting[0][0] if self.waiting else self.next

    async def fill(self, run: Run, size: int) -> None:
        """Read until a record waits, the list ends or enough was read."""
        size = min(PAGE, size) if self.keep is None else PAGE
        while not self.waiting and not self.ended and self.read < MOST_READ:
            place = (("_skip", str(self.next)), ("_limit", str(size)))
            try:
                page = await run.get(self.path, (*self.query, *place))
            except ActionError as error:
                if not (self.may_be_missing and error.status == 404):
                    raise
                page = {"data": [], "has_more": False}
            rows = page["data"]
            self.total = page.get("total_results")
            self.ended = not page.get("has_more") or not rows
            for row in rows:
                if self.keep is None or self.keep(row):
                    self.waiting.append((self.next, self.adapt(row) if self.adapt else row))
                self.next += 1
            self.read += len(rows)

    async def has_more(self, run: Run) -> bool:
        if self.keep is not None:
            await self.fill(run, PAGE)
        return bool(self.waiting) or not self.ended


@dataclass(slots=True)
class Found:
    """What sources gave: `more` says that there is more, `total` how many there are, if known."""

    records: list[Record]
    more: bool
    total: int | None
    positions: list[int]


async def collect(
    run: Run, sources: Sequence[Source], newest_by: str | None, skip: int, want: int
) -> Found:
    """The next records of all sources, merged newest first by the date named `newest_by`."""
    begun = any(source.next for source in sources)
    if len(sources) == 1 and sources[0].keep is None:
        sources[0].next, skip = sources[0].next + skip, 0
    records: list[Record] = []
    first = skip
    while len(records) < want:
        await _fill(run, sources, want - len(records) + first)
        ready = [source for source in sources if source.waiting]
        if not ready:
            break
        source = max(ready, key=lambda one: _date(one.waiting[0][1], newest_by))
        _, record = source.waiting.popleft()
        if first:
            first -= 1
        else:
            records.append(record)
    more = any([await source.has_more(run) for source in sources])
    if len(sources) == 1 and sources[0].keep is None:
        end = sources[0].next if sources[0].read and not more else None
        total = end if sources[0].total is None else sources[0].total
    else:
        total = None if more or begun else len(records) + skip - first
    return Found(records, more, total, [source.position for source in sources])


async def _fill(run: Run, sources: Sequence[Source], size: int) -> None:
    waits = [source.fill(run, size) for source in sources if not source.waiting]
    for failure in await asyncio.gather(*waits, return_exceptions=True):
        if failure is not None:
            raise failure


def _date(record: Record, name: str | None) -> str:
    return str(record.get(name) or "") if name else ""


Sources = Callable[[Run, dict[str, Any], Pairs], Awaitable[tuple[list[Source], str | None]]]


@dataclass(frozen=True, kw_only=True)
class Dates:
    """By which dates of the records a list may be filtered: the API's names, the first being that
    taken when none is named, with the kind of each ("moment", "day", "either")."""

    kinds: dict[str, str]

    def inputs(self) -> tuple[Input, ...]:
        default = next(iter(self.kinds))
        return (
            When(
                name="dateFrom",
                also=("from", "since", "startDate", "dateStart"),
                doc="Only records from this day or time on, which is included.",
            ),
            When(
                name="dateTo",
                also=("to", "until", "endDate", "dateEnd"),
                doc="Only records up to this day or time, which is included: a day to its end.",
            ),
            OneOf(
                name="dateField",
                words={name: name for name in self.kinds},
                synonyms={name.removeprefix("date_"): name for name in self.kinds},
                doc=f"Which date dateFrom and dateTo are about; {default} when left out.",
            ),
            TimeZone(
                name="timeZone",
                also=("tz",),
                doc="The IANA time zone of days, and of times without an offset; UTC when left"
                " out.",
            ),
        )

    def filter(self, given: dict[str, Any]) -> tuple[Pairs, Keep | None, str]:
        """The API's parameters, what is filtered here, and the date's name. Raises ActionError."""
        name = given.get("dateField") or next(iter(self.kinds))
        zone = parse_zone("timeZone", given.get("timeZone"))
        span = Span(given.get("dateFrom"), given.get("dateTo"), zone)
        if span.since is None and span.until is None:
            return (), None, name
        match self.kinds[name]:
            case "moment":
                return tuple(moments(name, span)), None, name
            case "day":
                return tuple(days(name, span)), None, name
        return tuple(around(name, span)), within(name, span), name


def listing(
    words: Words,
    shape: Shape,
    path: str,
    filters: tuple[Input, ...] = (),
    *,
    dates: Dates | None = None,
    sources: Sources | None = None,
    order: Pairs = (),
) -> Action:
    """An action that lists what the API has at a path, or what `sources` says for the filters."""
    inputs = (*filters, *(dates.inputs() if dates else ()), *PAGING)

    async def run_list(run: Run, given: dict[str, Any]) -> dict[str, Any]:
        positions = _positions(words.key, given)
        view = await view_of(run, shape, given.get("fields"))
        query = await _query(run, filters, given)
        if given.get("timeZone"):
            zone = parse_zone("timeZone", given["timeZone"])
            run.headers = (("x-tz-offset", offset_hours(zone, run.options.clock())),)
        if sources is not None:
            made, newest_by = await sources(run, given, query)
        else:
            extra, keep, _ = dates.filter(given) if dates else ((), None, "")
            made, newest_by = [Source(path, (*query, *extra, *order), keep)], None
        if positions is not None and len(positions) != len(made):
            raise _bad_cursor()
        for source, position in zip(made, positions or (), strict=False):
            source.next = position
        for source in made:
            if source.keep is None and source.adapt is None:
                source.query = (*source.query, *view.parameters())
        whole = bool(given.get("all"))
        want = MOST if whole else given.get("limit", DEFAULT_LIMIT)
        skip = 0 if positions is not None else given.get("skip", 0)
        found = await collect(run, made, newest_by, skip, want)
        if not found.records:
            await _seek(run, filters, given)
        output: dict[str, Any] = {
            "items": [await view.show(run, record) for record in found.records]
        }
        view.tell(run, len(found.records))
        if found.more:
            output["cursor"] = _cursor(words.key, given, found.positions)
        if found.total is not None:
            output["total"] = found.total
        if found.more and (whole or len(found.records) < want):
            output["truncated"] = True
            output["hint"] = (
                f"There are more than could be read at once ({MOST:,}). Narrow the filters, or go"
                " on with cursor."
            )
        return output

    return Action(
        words.key,
        words.name,
        words.description,
        OperationClass.READ,
        inputs,
        _output_schema(shape),
        words.examples,
        run_list,
    )


def _output_schema(shape: Shape) -> Schema:
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": shape.schema()},
            "cursor": {"type": "string", "description": "Give it back for what comes next."},
            "total": {"type": "integer", "description": "How many fit the filters, if known."},
            "truncated": {"type": "boolean"},
            "hint": {"type": "string"},
        },
        "required": ["items"],
    }


async def _query(run: Run, filters: tuple[Input, ...], given: dict[str, Any]) -> Pairs:
    query: list[tuple[str, str]] = []
    for input in filters:
        if input.name in given:
            sent = await input.resolve(run, given[input.name], given)
            query += [(key, _written(value)) for key, value in sent.items()]
    return tuple(query)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _seek(run: Run, filters: tuple[Input, ...], given: dict[str, Any]) -> None:
    """A list may be empty because an id in a filter is nobody's. Raises ActionError then."""
    for input in filters:
        if isinstance(input, IdOf) and input.name in given:
            try:
                await run.get(f"{input.path}{given[input.name]}/", (("_fields", "id"),))
            except ActionError as error:
                if error.status != 404:
                    raise
                raise not_found(input.noun, input.name) from None


def _digest(key: str, given: dict[str, Any]) -> str:
    filters = {name: value for name, value in given.items() if name not in _PAGING_NAMES}
    text = msgspec.json.encode([key, filters], order="sorted")
    return hashlib.sha256(text).hexdigest()[:12]


def _cursor(key: str, given: dict[str, Any], positions: list[int]) -> str:
    packed = msgspec.json.encode([_digest(key, given), positions])
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _positions(key: str, given: dict[str, Any]) -> list[int] | None:
    """Where the cursor says that each source goes on. Raises ActionError."""
    cursor = given.get("cursor")
    if not cursor:
        return None
    if given.get("skip"):
        raise ActionError("skip and cursor exclude each other.", "Leave out skip.", "cursor")
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        digest, positions = msgspec.json.decode(packed, type=tuple[str, list[int]])
    except ValueError:
        raise _bad_cursor() from None
    if digest != _digest(key, given) or any(position < 0 for position in positions):
        raise _bad_cursor()
    return positions


def _bad_cursor() -> ActionError:
    return ActionError(
        "cursor is not one that this action gave for these filters.",
        "Send the cursor of the answer before with the same filters, or leave it out.",
        "cursor",
    )
