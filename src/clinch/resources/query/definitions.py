"""The custom fields that a query names, as fields that conditions may ask."""

from collections.abc import Iterable

import msgspec

from clinch.db.database import Transaction
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import ASSOCIATION, SHARED
from clinch.resources.custom_values import CustomValue
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.fields import Children
from clinch.resources.query.compiler import Conditions
from clinch.resources.query.tree import EVERYTHING, Equal, Node, Related


async def custom_values(
    transaction: Transaction, declarations: Declarations, actor: Actor, names: Iterable[str]
) -> list[CustomValue]:
    """The fields of all resources, regular and shared, that have one of the names as their id or,
    in any case, name.

    A shared field is one of each resource whose objects, or some of them, it is associated with.
    One statement.
    """
    query = Conditions(declarations, actor)
    wanted = query.bind(list(names))
    arms = []
    for resource in declarations:
        for definitions, having in _defined(declarations, resource):
            where = query.where(definitions, "r", having)
            arms.append(
                f"select '{resource.noun}', r.id, r.type, r.name, r.choices::text"
                f" from {definitions.table} r where {where} and (r.id = any({wanted}::text[])"
                f" or lower(r.name) in (select lower(n) from unnest({wanted}::text[]) n))"
            )
    rows = await transaction.rows(" union all ".join(arms), *query.parameters)
    return [
        CustomValue(
            declarations[noun], id, type, name, tuple(msgspec.json.decode(choices or "[]") or ())
        )
        for noun, id, type, name, choices in rows
    ]


def _defined(
    declarations: Declarations, resource: type[Resource]
) -> Iterable[tuple[type[Resource], Node]]:
    """Where the fields of a resource's objects are defined, and which of those there they have."""
    custom = resource.custom_fields
    if custom is not None:
        yield declarations[custom.definitions], EVERYTHING
        here = Equal(declarations[ASSOCIATION].fields["object_type"], custom.object_type)
        yield declarations[SHARED], Related(Children(ASSOCIATION, "custom_field_id"), here)
