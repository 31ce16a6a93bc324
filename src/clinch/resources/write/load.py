"""What a write asks to see before it decides."""

from collections.abc import Iterable
from dataclasses import dataclass

from clinch.db.database import Busy
from clinch.resources.declaration import Resource
from clinch.resources.fields import Field
from clinch.resources.query.tree import Node

FOR_SHARE, FOR_UPDATE, FOR_DELETE = "for share", "for no key update", "for update"


class Moved(Busy):
    """An object came to another place while its lock was awaited. Locking what is there now would
    be out of order, so the write is to begin again."""


@dataclass(frozen=True, slots=True)
class Load:
    """Rows of `resource` to read before the write: those that meet `where` or one of `others`,
    locked or not. What may be deleted is read `FOR_DELETE`: what goes with it is read, too.

    Each condition is looked up by itself: where it is on other tables, `or` would read every row.
    Where `fields` are named only these are read, by column and beside the id: the rows are there to
    look at (`Work.looked_at`), and the objects are no part of the write.
    """

    resource: type[Resource]
    where: Node
    lock: str = ""
    order: str = "id"
    limit: int | None = None
    others: tuple[Node, ...] = ()
    fields: tuple[Field, ...] = ()


def locked_together(loads: Iterable[Load]) -> list[Load]:
    """The loads with those of one resource as one, so that its rows are locked in one order.

    The strongest lock that was asked for is taken on all of them.
    """
    by_resource: dict[type[Resource], list[Load]] = {}
    for load in dict.fromkeys(loads):
        by_resource.setdefault(load.resource, []).append(load)
    return [
        Load(
            resource,
            first.where,
            FOR_DELETE if FOR_DELETE in {load.lock for load in (first, *rest)} else FOR_UPDATE,
            others=tuple(load.where for load in rest),
        )
        for resource, (first, *rest) in by_resource.items()
    ]
