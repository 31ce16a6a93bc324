"""The log as `/event/` shows it: folded, in the form of the API, and no more than one may see.

Nothing of this is stored. An object in an event is its logged row, composed as every read is:
labels, names and children are those of the moment of reading.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.events.folding import Row, Seen, find_one, find_page, folds, read_runs
from clinch.events.request import Cursor, EventPage
from clinch.resources.actor import Actor, OperationClass
from clinch.resources.declaration import Resource
from clinch.resources.errors import Forbidden, NotFound
from clinch.resources.fields import Children
from clinch.resources.query.read import ReadPath

PRIVATE_AFTER = timedelta(hours=1)

Json = dict[str, Any]
Object = dict[str, msgspec.Raw]

_NULL = msgspec.Raw(b"null")

_decode = partial(msgspec.json.decode, type=Object)


async def list_events(
    transaction: Transaction, actor: Actor, reads: ReadPath, page: EventPage
) -> Json:
    """`{"data": [...], "cursor_next": ..., "cursor_previous": ...}`, newest first.

    `cursor_next` leads to older events, `cursor_previous` to newer ones; None where there were
    none. Two statements, and one for each resource on the page.
    """
    seen = _seen(actor, reads)
    ends = await find_page(transaction, reads.declarations, actor, seen, page)
    more, ends = len(ends) > page.limit, ends[: page.limit]
    came = page.cursor.direction if page.cursor is not None else None
    if came == "newer":
        ends.reverse()
    runs = await read_runs(transaction, actor, ends, folded=folds(page)) if ends else []
    events = await _events(transaction, actor, reads, seen, runs)
    # On the side that the walk came from there is at least the event that it came from.
    older = more if came != "newer" else bool(ends)
    newer = more if came == "newer" else came is not None
    return {
        "data": events,
        "cursor_next": Cursor(ends[-1], "older", page.dates).encoded() if older and ends else None,
        "cursor_previous": (
            Cursor(ends[0], "newer", page.dates).encoded() if newer and ends else None
        ),
    }


async def get_event(transaction: Transaction, actor: Actor, reads: ReadPath, id: str) -> Json:
    """One event, as lists show it; one that was folded into an earlier one is shown by itself.

    Raises NotFound.
    """
    seen = _seen(actor, reads)
    found = await find_one(transaction, reads.declarations, actor, seen, id)
    if found is None:
        raise NotFound("Event")
    end, folded = found
    runs = await read_runs(transaction, actor, [end], folded=folded)
    [event] = await _events(transaction, actor, reads, seen, runs)
    return event


def _seen(actor: Actor, reads: ReadPath) -> Seen:
    """The resources that the actor may read, for so are their events; raises Forbidden."""
    if OperationClass.READ not in actor.grant:
        raise Forbidden(f"This grant does not allow {OperationClass.READ} operations.")
    return {
        type: resource
        for resource in reads.declarations
        if actor.may(resource.needs.get("list")) and actor.may(resource.needs.get("get"))
        for type in resource.event_types()
    }


@dataclass(slots=True)
class _States:
    """What an object was before and after a run, as rows, and then as the API answers them."""

    resource: type[Resource]
    at: datetime
    changed: set[str]
    """What the log says has changed: columns, and names of what the object shows of others."""
    kept: frozenset[str] = frozenset()
    """The columns of which the log has the old value."""
    rows: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, resource: type[Resource], run: list[Row]) -> "_States":
        states = cls(resource, run[0]["at"], {name for event in run for name in event["changed"]})
        old: Object = {}
        for event in run:  # from the last to the first, whose values hold
            old |= _decode(event["before"]) if event["before"] else {}
        after = run[0]["after"]
        if after:
            states.rows["data"] = after.encode()
        if old:
            whole = _decode(after) | old if after else old
            states.rows["previous_data"] = msgspec.json.encode(whole)
            states.kept = frozenset(old)
        return states

    def differences(self, actor: Actor) -> tuple[list[str], Object]:
        """The names of the fields that an update changed, and the old values there are of them."""
        told = {name for name in self.changed if _is_shown(self.resource, name, actor)}
        if len(self.answers) < 2:
            return sorted(told), {}
        new, old = _decode(self.answers["data"]), _decode(self.answers["previous_data"])
        if self.resource.custom_fields is not None:
            for values in (new, old):  # the same by name, which are there by id
                values.pop(self.resource.custom_fields.key, None)
        # Lists of other objects, which show some of this one, have changed if the log says so.
        lists = {key for key, f in self.resource.fields.items() if isinstance(f, Children)} - told
        moved = {key for key in new | old if new.get(key, _NULL) != old.get(key, _NULL)} - lists
        back = {name for name in told if name in self.kept or name.startswith("custom.")}
        return sorted(told | moved), {
            key: old.get(key, _NULL) for key in old | new if key in moved | back
        }


def _is_shown(resource: type[Resource], name: str, actor: Actor) -> bool:
    field = resource.fields.get(name)
    if field is None:
        return resource.custom_fields is not None and name.startswith("custom.")
    return field.shown and actor.may(field.seen_with)


async def _events(
    transaction: Transaction, actor: Actor, reads: ReadPath, seen: Seen, runs: list[list[Row]]
) -> list[Json]:
    states = [_States.of(seen[run[0]["object_type"]], run) for run in runs]
    for resource in dict.fromkeys(state.resource for state in states):
        wanted = [
            (state, side) for state in states if state.resource is resource for side in state.rows
        ]
        rows = [(state.rows[side], state.at) for state, side in wanted]
        answers = await reads.logged(transaction, actor, resource, rows)
        for (state, side), answer in zip(wanted, answers, strict=True):
            state.answers[side] = answer
    return [_event(actor, run, state) for run, state in zip(runs, states, strict=True)]


def _event(actor: Actor, run: list[Row], states: _States) -> Json:
    last, first = run[0], run[-1]
    meta = {"request_method": last["method"], "request_path": last["path"]}
    meta |= msgspec.json.decode(last["meta"] or "{}")
    event: Json = {
        "id": first["id"],
        "date_created": _time(first["at"]),
        "date_updated": _time(last["at"]),
        "organization_id": actor.organization,
        "user_id": last["user_id"],
        "request_id": last["request_id"],
        "api_key_id": last["api_key_id"],
        "oauth_client_id": last["oauth_client_id"],
        "oauth_scope": last["oauth_scope"],
        "object_type": last["object_type"],
        "object_id": last["object_id"],
        "lead_id": last["lead_id"],
        "action": last["action"],
        "changed_fields": [],
        "meta": {name: value for name, value in meta.items() if value is not None},
    }
    previous: Any = {}
    if last["action"] == "updated":
        event["changed_fields"], previous = states.differences(actor)
    elif "previous_data" in states.answers:
        previous = msgspec.Raw(states.answers["previous_data"])
    private = first["at"] < actor.clock() - PRIVATE_AFTER
    if not private or actor.may("manage_organization"):
        data = states.answers.get("data")
        event["data"] = msgspec.Raw(data) if data is not None else None
        event["previous_data"] = previous
    return event


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
