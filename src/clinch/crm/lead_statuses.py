"""Lead statuses: where a lead stands, in the organization's own words and order."""

from clinch.crm.keeping_one import deleting_in_turn, keep_one, others
from clinch.db.schema import Index
from clinch.resources.declaration import Audited
from clinch.resources.fields import Integer, Text
from clinch.resources.write.change import Change


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
    loads = [deleting_in_turn]
    looks = [others]
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
    labels = (
        *("Potential", "Bad Fit", "Qualified", "Customer"),
        *("Interested", "Canceled", "Not Interested"),
    )
    return [
        Change.create(LeadStatus, {"label": label, "position": position}, trusted=True)
        for position, label in enumerate(labels)
    ]
