"""The custom fields that a query names, as fields that conditions may ask."""

from collections.abc import Iterable, Iterator

import msgspec

from clinch.db.database import Transaction
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import ASSOCIATION, SHARED, CustomFields
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

    One statement.
    """
    query = Conditions(declarations, actor)
    wanted = query.bind(list(names))
    arms = []
    for resource in declarations:
        if resource.custom_fields is None:
            continue
        for definitions, node in _defined(declarations, resource.custom_fields):
            where = query.where(definitions, "r", node)
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
    declarations: Declarations, custom: CustomFields
) -> Iterator[tuple[type[Resource], Node]]:
    """Where the fields of an object may be defined, each with which of what is there."""
    yield declarations[custom.definitions], EVERYTHING
    here = Equal(declarations[ASSOCIATION].fields["object_type"], custom.object_type)
    yield declarations[SHARED], Related(Children(ASSOCIATION, "custom_field_id"), here)
