"""Finding events in the log, with the small updates of one moment taken for one event.

An update joins the one before it of the same object when both are by the same user with the same
key or grant and on the same lead, at most 60 seconds apart, in the same ten minutes of the clock
and the same thousand of the log. So a run of updates is bounded, and what belongs to it is a
property of the log alone, whatever page it is seen from. A run stands where its last update does.
"""

from datetime import datetime, timedelta
from typing import Any

from clinch.db.database import Transaction
from clinch.events.request import DATES, EventPage
from clinch.resources.actor import Actor
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.query.compiler import Conditions
from clinch.resources.query.tree import EVERYTHING

RETENTION = timedelta(days=30)

Row = dict[str, Any]
Seen = dict[str, type[Resource]]
"""The resources whose events the actor may see, by the type that events have for them."""

_COLUMNS = (
    "seq, id, at, object_type, object_id, lead_id, action, changed, user_id, api_key_id,"
    " oauth_client_id, oauth_scope, request_id, method, path, meta"
)

# The log is in the order of commits, so its times run ahead of each other by what a write takes.
_OUT_OF_ORDER = "interval '1 hour'"


def _joins(later: str, earlier: str) -> str:
    """SQL that holds when an event belongs to one run with the event of its object before it."""
    same = " and ".join(
        f"{later}.{column} is not distinct from {earlier}.{column}"
        for column in ("user_id", "api_key_id", "grant_id", "lead_id")
    )
    span = "date_bin('10 minutes', {row}.at, 'epoch'::timestamptz)"
    return (
        f"{later}.action = 'updated' and {earlier}.action = 'updated' and {same}"
        f" and {later}.at - {earlier}.at <= interval '60 seconds'"
        f" and {span.format(row=later)} = {span.format(row=earlier)}"
        f" and {later}.seq / 1000 = {earlier}.seq / 1000"
    )


def _neighbour(of: str, direction: str) -> str:
    """SQL for the event of the same object next to `of`: `<` before it, `>` after it."""
    order = "desc" if direction == "<" else "asc"
    return (
        "(select n.* from event n where n.organization_id = $1"
        f" and n.object_id = {of}.object_id and n.seq {direction} {of}.seq"
        f" order by n.seq {order} limit 1)"
    )


async def find_page(
    transaction: Transaction,
    declarations: Declarations,
    actor: Actor,
    seen: Seen,
    page: EventPage,
) -> list[int]:
    """Where the runs of a page end in the log, in the order of the walk, and one more if there is.

    One statement, whose cost does not depend on how far the walk has come.
    """
    query = Conditions(declarations, actor, logged=True)
    conditions = [
        _may_see(query, declarations, actor, seen),
        *_between(query, actor, page.dates),
    ]
    conditions += [f"e.{name} = {query.bind(value)}" for name, value in page.filters.items()]
    newer = page.cursor is not None and page.cursor.direction == "newer"
    if page.cursor is not None:
        conditions.append(f"e.seq {'>' if newer else '<'} {query.bind(page.cursor.seq)}::bigint")
    if folds(page):
        after = _neighbour("e", ">")
        conditions.append(f"not exists (select from {after} n where {_joins('n', 'e')})")
    rows = await transaction.rows(
        f"select e.seq from event e where e.organization_id = $1 and {' and '.join(conditions)}"
        f" order by e.seq {'' if newer else 'desc'} limit {query.bind(page.limit + 1)}",
        *query.parameters,
    )
    return [row[0] for row in rows]


def folds(page: EventPage) -> bool:
    """A request's events are answered as it made them, not in runs with those of others."""
    return "request_id" not in page.filters


async def find_one(
    transaction: Transaction, declarations: Declarations, actor: Actor, seen: Seen, id: str
) -> tuple[int, bool] | None:
    """Where the run ends that an event is the first of, and True; or, for one that was folded into
    an earlier one, its own place and False."""
    query = Conditions(declarations, actor, logged=True)
    conditions = [_may_see(query, declarations, actor, seen), *_between(query, actor, {})]
    rows = await transaction.rows(
        "with recursive run as ("
        f"select e.*, exists (select from {_neighbour('e', '<')} p where {_joins('e', 'p')})"
        f" as folded from event e where e.organization_id = $1 and e.id = {query.bind(id)}"
        " union all select n.*, false from run cross join lateral"
        f" {_neighbour('run', '>')} n where not run.folded and {_joins('n', 'run')}),"
        " last as (select r.*, bool_or(r.folded) over () as alone from run r"
        " order by r.seq desc limit 1)"
        " select e.seq, e.alone from last e where e.organization_id = $1"
        f" and {' and '.join(conditions)}",
        *query.parameters,
    )
    return (rows[0][0], not rows[0][1]) if rows else None


async def read_runs(
    transaction: Transaction, actor: Actor, ends: list[int], *, folded: bool = True
) -> list[list[Row]]:
    """The runs that end at these places, in the order given, each from its last event to its first.

    Events come with their states as JSON texts: `before` of each, `after` of the last one alone.
    """
    back = (
        " union all select run.last, p.* from run cross join lateral"
        f" {_neighbour('run', '<')} p where {_joins('run', 'p')}"
        if folded
        else ""
    )
    rows = await transaction.rows(
        "with recursive run as (select e.seq as last, e.* from event e"
        f" where e.organization_id = $1 and e.seq = any($2){back})"
        f" select r.*, b.before::text, case when r.seq = r.last then b.after::text end as after"
        f" from (select last, {_COLUMNS} from run) r"
        " left join event_body b on b.organization_id = $1 and b.seq = r.seq"
        " order by r.last, r.seq desc",
        actor.organization_id,
        ends,
    )
    runs: dict[int, list[Row]] = {end: [] for end in ends}
    for row in rows:
        runs[row["last"]].append(dict(row))
    return list(runs.values())


def _between(query: Conditions, actor: Actor, dates: dict[str, datetime]) -> list[str]:
    """SQL for the times that are asked for, and for those that are kept at all.

    The times of the log nearly run with its numbers: where a time lies is found by halving, so
    that what is out of its range is not read; then each event's own time decides.
    """
    conditions = []
    kept = actor.clock() - RETENTION
    for sign, moment in [(">=", kept), *((DATES[name], date) for name, date in dates.items())]:
        bound = f"{query.bind(moment)}::timestamptz"
        conditions.append(f"e.at {sign} {bound}")
        if sign.startswith(">"):
            conditions.append(f"e.seq >= {_first_since(f'{bound} - {_OUT_OF_ORDER}')}")
        else:
            conditions.append(f"e.seq < {_first_since(f'{bound} + {_OUT_OF_ORDER}')}")
    return conditions


def _first_since(moment: str) -> str:
    """SQL for the number of the first event that is not older than the moment, or of the next."""
    middle = "(h.low + h.high) / 2"
    return (
        "(with recursive half(low, high) as (select 0::bigint, (select c.seq + 1"
        " from event_clock c where c.organization_id = $1)"
        f" union all select case when m.older then {middle} else h.low end,"
        f" case when m.older then h.high else {middle} end"
        " from half h cross join lateral (select coalesce((select p.at < "
        f"{moment} from event p where p.organization_id = $1 and p.seq = {middle}), true)"
        " as older) m where h.high - h.low > 1)"
        " select h.high from half h where h.high - h.low <= 1)"
    )


def _may_see(query: Conditions, declarations: Declarations, actor: Actor, seen: Seen) -> str:
    """SQL for the events of objects that the actor may see as they are now or, gone, last were."""
    whole: list[str] = []
    partly: dict[type[Resource], list[str]] = {}
    for name, resource in seen.items():
        if declarations.visible(resource, actor) is None:
            whole.append(name)
        else:
            partly.setdefault(resource, []).append(name)
    conditions = [f"e.object_type = any({query.bind(whole)})"]
    for resource, names in partly.items():
        stored = (
            f"select t.* from {resource.table} t"
            " where t.organization_id = $1 and t.id = e.object_id"
        )
        logged = (
            "select p.* from event_body b cross join lateral"
            f" jsonb_populate_record(null::{resource.table}, coalesce(b.after, b.before)::jsonb"
            " || jsonb_build_object('organization_id', $1::uuid)) p"
            " where b.organization_id = $1 and b.seq = (select max(l.seq) from event l"
            " where l.organization_id = $1 and l.object_id = e.object_id)"
            f" and not exists ({stored})"
        )
        conditions.append(
            f"(e.object_type = any({query.bind(names)}) and exists (select from"
            f" ({stored} union all {logged}) r where {query.where(resource, 'r', EVERYTHING)}))"
        )
    return f"({' or '.join(conditions)})"
