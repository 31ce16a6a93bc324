"""What a write asks to see before it decides."""

from dataclasses import dataclass

from clinch.resources.declaration import Resource
from clinch.resources.query.tree import Node


@dataclass(frozen=True, slots=True)
class Load:
    """Rows of `resource` to read before the write: those that meet `where`, locked or not."""

    resource: type[Resource]
    where: Node
    lock: str = ""
    order: str = "id"
    limit: int | None = None
