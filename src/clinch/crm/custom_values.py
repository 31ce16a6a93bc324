"""What becomes of the stored values of a custom field that changes or goes, or of what they name.

An errand of the log. A new type converts what converts; a choice that is gone, entries beyond the
first of a field that has one value by now, and all values of a deleted field are destroyed, as are
those of a shared field on what it is not associated with any more, and those that name what is
not at their lead any more: it was deleted, or one of the two went to another lead. Each value is
judged in the write that changes it, so it makes no difference when, or how often, that is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from clinch.crm.custom_fields import CustomField
from clinch.crm.leads import Lead
from clinch.crm.shared_fields import CustomFieldAssociation, SharedCustomField
from clinch.events.follower import Errand, Event
from clinch.identity.organizations import system_actor
from clinch.resources.actor import Actor, Provenance
from clinch.resources.custom_fields import REFERENCES, SHARED
from clinch.resources.custom_values import CustomValue
from clinch.resources.declaration import Resource
from clinch.resources.errors import NotFound
from clinch.resources.query.read import Page
from clinch.resources.query.tree import And, Equal, Exists, In, Node, Range
from clinch.resources.store import Store
from clinch.resources.write.change import Change

_JUDGE = frozenset(("type", "choices", "accepts_multiple_values"))
"""What, changed in a definition, stored values may not fit any more."""

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Altered:
    """A definition that was changed or deleted, and in which way, for people.

    With `object_type` a shared field that was taken from the objects that associations call so,
    or from those of one type. With `leads` one whose values are meant at these leads alone.
    """

    definitions: type[Resource]
    field_id: str
    reason: str
    object_type: str = ""
    type_id: str | None = None
    leads: tuple[str, ...] = ()

    def condition(self, resource: type[Resource]) -> Node | None:
        """Which objects of the resource have values that may not fit; None for none of them."""
        custom = resource.custom_fields
        if custom is None or self.object_type not in ("", custom.object_type):
            return None
        if self.definitions.noun not in (custom.definitions, SHARED):
            return None
        nodes: list[Node] = [Exists(CustomValue(resource, self.field_id))]
        if self.type_id is not None:
            nodes.append(Equal(custom.owner_ref, self.type_id))
        if self.leads:
            lead = resource.fields.get("id" if resource is Lead else "lead_id")
            if lead is None:
                return None
            nodes.append(In(lead, self.leads))
        return And(tuple(nodes))


async def refit_values(store: Store, organization_id: str, events: list[Event]) -> None:
    """Make the values of the fields that the events alter, or take away, fit these fields."""
    found = {one.field_id: one for event in events for one in _altered(store, event)}
    parted = [event["seq"] for event in events if _parts(event)]
    gone = _deleted_values(store, events)
    moved = [event for event in events if _moves(store, event)]
    if not found and not parted and not gone and not moved:
        return
    actor = await system_actor(store, organization_id)
    left = await _left(store, actor, moved)
    more = [
        *await _parted(store, actor, parted),
        *await _naming(store, actor, gone, "what the value named was deleted"),
        *await _naming(store, actor, left, "what the value named is at another lead"),
    ]
    for one in (*found.values(), *more):
        for resource in store.declared:
            condition = one.condition(resource)
            if condition is not None:
                await _refit_objects(store, actor, resource, one, condition)
    for one in found.values():
        await _end_conversion(store, actor, one)


VALUES = Errand("custom_values", refit_values)


def _altered(store: Store, event: Event) -> Iterator[_Altered]:
    for resource in store.declared:
        if not issubclass(resource, CustomField) or resource.event_type() != event["object_type"]:
            continue
        changed = _JUDGE.intersection(event["changed"])
        if event["action"] == "deleted":
            yield _Altered(resource, event["object_id"], "the custom field was deleted")
        elif event["action"] == "updated" and changed:
            words = " and ".join(sorted(changed))
            yield _Altered(resource, event["object_id"], f"the custom field's {words} changed")


def _parts(event: Event) -> bool:
    """Whether a shared field was taken from objects: its association is deleted."""
    kind = (event["object_type"], event["action"])
    return kind == (CustomFieldAssociation.event_type(), "deleted")


async def _parted(store: Store, actor: Actor, seqs: list[int]) -> list[_Altered]:
    """What the events of these numbers took from objects, as the deleted associations say."""
    if not seqs:
        return []
    async with store.reading(actor) as transaction:
        rows = await transaction.rows(
            "select b.before->>'custom_field_id', b.before->>'object_type',"
            " coalesce(b.before->>'custom_activity_type_id', b.before->>'custom_object_type_id')"
            " from event_body b where b.organization_id = $1 and b.seq = any($2::bigint[])"
            " and b.before is not null order by b.seq",
            actor.organization_id,
            seqs,
        )
    reason = "the shared field was taken from these objects"
    return [
        _Altered(SharedCustomField, field_id, reason, object_type, type_id)
        for field_id, object_type, type_id in rows
    ]


def _deleted_values(store: Store, events: list[Event]) -> dict[str, tuple[str, ...]]:
    """The leads of which something was deleted that may be a value, by the type of the field."""
    types = {store.declared[noun].event_type(): type for type, noun in REFERENCES.items()}
    leads: dict[str, dict[str, None]] = {}
    for event in events:
        if event["action"] == "deleted" and event["object_type"] in types:
            leads.setdefault(types[event["object_type"]], {})[event["lead_id"]] = None
    return {type: tuple(ids) for type, ids in leads.items()}


def _moves(store: Store, event: Event) -> bool:
    """Whether something that has values, or may be one, went to another lead."""
    return "lead_id" in event["changed"] and event["object_type"] in {
        resource.event_type() for resource in store.declared if resource.custom_fields is not None
    }


async def _left(store: Store, actor: Actor, moved: list[Event]) -> dict[str, tuple[str, ...]]:
    """The leads that something left and those that it came to, by the type of each field whose
    values are of one lead."""
    if not moved:
        return {}
    async with store.reading(actor) as transaction:
        rows = await transaction.rows(
            "select b.before->>'lead_id' from event_body b"
            " where b.organization_id = $1 and b.seq = any($2::bigint[]) order by b.seq",
            actor.organization_id,
            [event["seq"] for event in moved],
        )
    leads = tuple(dict.fromkeys([*(row[0] for row in rows), *(one["lead_id"] for one in moved)]))
    return {type: leads for type in REFERENCES if type != "user"}


async def _naming(
    store: Store, actor: Actor, gone: dict[str, tuple[str, ...]], reason: str
) -> list[_Altered]:
    """The fields whose values may name what is gone, at the leads that had it."""
    if not gone:
        return []
    async with store.reading(actor) as transaction:
        rows = await transaction.rows(
            "select f.id, f.kind, f.type from custom_field f"
            " where f.organization_id = $1 and f.type = any($2) order by f.id",
            actor.organization_id,
            list(gone),
        )
    kinds = {one.only["kind"]: one for one in store.declared if issubclass(one, CustomField)}
    return [_Altered(kinds[kind], id, reason, leads=gone[type]) for id, kind, type in rows]


async def _refit_objects(
    store: Store, actor: Actor, resource: type[Resource], altered: _Altered, condition: Node
) -> None:
    provenance = Provenance(source="custom_field", reason=altered.reason)
    last = ""
    while ids := await _next_objects(store, actor, resource, condition, last):
        changes = [Change.refit(resource, id, altered.field_id) for id in ids]
        try:
            await store.write(actor, changes, provenance, answer=False)
        except NotFound:  # one was deleted in between; the others are looked up anew
            continue
        last = ids[-1]


async def _next_objects(
    store: Store, actor: Actor, resource: type[Resource], condition: Node, after: str
) -> list[str]:
    """The next objects, by id, that meet the condition."""
    where = And((Range(resource.fields["id"], "gt", after), condition))
    page = Page(where, order="id", limit=_AT_ONCE, keys=("id",), total=False)
    async with store.reading(actor, plan_anew=True) as transaction:
        found = await store.reads.page(transaction, actor, resource, page)
    return [row["id"] for row in msgspec.json.decode(found)["data"]]


async def _end_conversion(store: Store, actor: Actor, altered: _Altered) -> None:
    change = Change.update(
        altered.definitions, altered.field_id, {"converting_to_type": None}, trusted=True
    )
    provenance = Provenance(source="custom_field", reason="all values are of the new type")
    try:
        await store.write(actor, [change], provenance, answer=False)
    except NotFound:  # it was deleted, which is another event
        return
