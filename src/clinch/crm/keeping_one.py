"""What new objects begin with: a resource that lists these rules keeps its last object."""

from collections.abc import Iterable

from clinch.identity.organizations import in_turn
from clinch.resources.errors import BadRequest
from clinch.resources.query.tree import In, Not
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work


def deleting_in_turn(work: Work, changes: list[Change]) -> Iterable[Load]:
    if any(change.kind == "delete" for change in changes):
        yield in_turn()


def others(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What is left, now that those who delete at the same time have had their turn or wait."""
    deleted = tuple(change.id for change in changes if change.kind == "delete")
    if deleted:
        resource = changes[0].resource
        yield Load(resource, Not(In(resource.fields["id"], deleted)), limit=1)


def keep_one(work: Work, changes: list[Change]) -> None:
    resource = changes[0].resource
    deleted = {change.id for change in changes if change.kind == "delete"}
    left = [row for row in work.known(resource) if row["id"] not in deleted]
    if deleted and not left:
        words = resource.noun.replace("_", " ")
        raise BadRequest(f"The last {words} cannot be deleted.")
