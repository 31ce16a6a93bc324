"""Lead statuses: where a lead stands, in the organization's own words and order."""

from collections.abc import Iterable

from clinch.db.schema import Index
from clinch.resources.declaration import Audited
from clinch.resources.errors import BadRequest
from clinch.resources.fields import Integer, Text
from clinch.resources.query.tree import In, Not
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work


def other_statuses(work: Work, changes: list[Change]) -> Iterable[Load]:
    deleted = tuple(change.id for change in changes if change.kind == "delete")
    if deleted:
        yield Load(LeadStatus, Not(In(LeadStatus.id, deleted)), limit=1)


def keep_one(work: Work, changes: list[Change]) -> None:
    """A new lead needs a status to begin with."""
    deleted = {change.id for change in changes if change.kind == "delete"}
    left = [row for row in work.known(LeadStatus) if row["id"] not in deleted]
    if deleted and not left:
        raise BadRequest("The last lead status cannot be deleted.")


class LeadStatus(Audited, path="status/lead", prefix="stat"):
    """A status of leads; the first one in the organization's order is that of a new lead."""

    needs = {
        "create": "manage_customizations",
        "update": "manage_customizations",
        "delete": "manage_customizations",
    }
    default_order = "position"
    indexes = (
        Index(("organization_id", "lower(label)"), unique=True),
        Index(("organization_id", "position", "id")),
    )
    loads = [other_statuses]
    before = [keep_one]

    label = Text(required=True, max=200)
    color = Text(nullable=True, max=32)
    position = Integer(
        shown=False,
        writable="internally",
        default=lambda actor: int(actor.clock().timestamp() * 1000),
    )


def first_statuses() -> list[Change]:
    """The statuses that a new organization starts with."""
    labels = ("Potential", "Bad Fit", "Qualified", "Customer", "Interested", "Canceled")
    return [
        Change.create(LeadStatus, {"label": label, "position": position}, trusted=True)
        for position, label in enumerate(labels)
    ]
