"""What becomes of the stored values of a custom field that changes or goes.

An errand of the log. A new type converts what converts; a choice that is gone, entries beyond the
first of a field that has one value by now, and all values of a deleted field are destroyed. Each
value is judged in the write that changes it, so it makes no difference when, or how often, that is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from clinch.crm.custom_fields import CustomField
from clinch.events.follower import Errand, Event
from clinch.identity.organizations import system_actor
from clinch.resources.actor import Actor, Provenance
from clinch.resources.custom_values import CustomValue
from clinch.resources.declaration import Resource
from clinch.resources.errors import NotFound
from clinch.resources.query.read import Page
from clinch.resources.query.tree import And, Exists, Range
from clinch.resources.store import Store
from clinch.resources.write.change import Change

_JUDGE = frozenset(("type", "choices", "accepts_multiple_values"))
"""What, changed in a definition, stored values may not fit any more."""

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Altered:
    """A definition that was changed or deleted, and in which way, for people."""

    definitions: type[Resource]
    field_id: str
    reason: str


async def refit_values(store: Store, organization_id: str, events: list[Event]) -> None:
    """Make the values of the fields that the events alter fit these fields."""
    altered = {one.field_id: one for event in events for one in _altered(store, event)}
    if not altered:
        return
    actor = await system_actor(store, organization_id)
    for one in altered.values():
        for resource in store.declared:
            custom = resource.custom_fields
            if custom is not None and custom.definitions == one.definitions.noun:
                await _refit_objects(store, actor, resource, one)
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


async def _refit_objects(
    store: Store, actor: Actor, resource: type[Resource], altered: _Altered
) -> None:
    provenance = Provenance(source="custom_field", reason=altered.reason)
    last = ""
    while ids := await _having(store, actor, resource, altered.field_id, last):
        changes = [Change.refit(resource, id, altered.field_id) for id in ids]
        try:
            await store.write(actor, changes, provenance, answer=False)
        except NotFound:  # one was deleted in between; the others are looked up anew
            continue
        last = ids[-1]


async def _having(
    store: Store, actor: Actor, resource: type[Resource], field_id: str, after: str
) -> list[str]:
    """The next objects, by id, that have a value in the field."""
    where = And(
        (Range(resource.fields["id"], "gt", after), Exists(CustomValue(resource, field_id)))
    )
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
