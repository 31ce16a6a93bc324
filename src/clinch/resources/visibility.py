"""Lead visibility: what belongs to a lead is seen by whom sees the lead."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from clinch.resources.fields import Ref
from clinch.resources.query.tree import And, Exists, Mine, Node, Not, Or, Related

if TYPE_CHECKING:
    from clinch.resources.declaration import Resource

LEAD = "lead"

ASSIGNED = "assigned_lead"
"""The view by whose custom values leads are found that are assigned to somebody.

It is there for the reason that `searched_text` is: below a policy `@>` would not use the index.
"""


def find_parents(resources: "Iterable[type[Resource]]") -> dict[str, tuple[Ref, ...]]:
    """By the name of a resource, the references by which its objects belong to leads.

    These are the references to leads themselves, and to what the object goes with if that belongs
    to a lead.
    """
    resources = list(resources)
    bound, found = {LEAD}, dict[str, tuple[Ref, ...]]()
    while True:
        found = {resource.noun: _parents(resource, bound) for resource in resources}
        now = {LEAD, *(name for name, parents in found.items() if parents)}
        if now == bound:
            return found
        bound = now


def _parents(resource: "type[Resource]", bound: set[str]) -> tuple[Ref, ...]:
    return tuple(
        ref
        for ref in resource.refs
        if ref.target != resource.noun
        and (ref.target == LEAD or (ref.target_deleted == "delete" and ref.target in bound))
    )


def seen_with(resource: "type[Resource]", parents: tuple[Ref, ...]) -> Node:
    """The condition that the actor sees what a row belongs to or, if that is nothing, owns it."""
    nodes: list[Node] = [
        Or((Not(Exists(ref)), Related(ref, And()))) if ref.nullable else Related(ref, And())
        for ref in parents
    ]
    if all(ref.nullable for ref in parents):
        owners = resource.owned.owner if resource.owned is not None else ()
        own = (Mine(resource.fields[key]) for key in owners)
        nodes.append(Or((*map(Exists, parents), *own)))
    return nodes[0] if len(nodes) == 1 else And(tuple(nodes))
