"""What new objects begin with: a resource that lists these rules keeps its last object."""

from collections.abc import Iterable

from clinch.resources.errors import BadRequest
from clinch.resources.query.tree import In, Not
from clinch.resources.write.change import Change
from clinch.resources.write.load import FOR_SHARE, Load
from clinch.resources.write.work import Work


def others(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What is left, locked: of two that delete at once, one goes first and the other sees it."""
    deleted = tuple(change.id for change in changes if change.kind == "delete")
    if deleted:
        resource = changes[0].resource
        yield Load(resource, Not(In(resource.fields["id"], deleted)), FOR_SHARE)


def keep_one(work: Work, changes: list[Change]) -> None:
    resource = changes[0].resource
    deleted = {change.id for change in changes if change.kind == "delete"}
    left = [row for row in work.known(resource) if row["id"] not in deleted]
    if deleted and not left:
        words = resource.noun.replace("_", " ")
        raise BadRequest(f"The last {words} cannot be deleted.")
