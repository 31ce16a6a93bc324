"""Pipelines and their statuses: the ways that deals go, and the steps on them."""

from collections.abc import Iterable

from clinch.crm.keeping_one import deleting_in_turn, keep_one, others
from clinch.db.schema import Index
from clinch.resources.declaration import Audited, Operation
from clinch.resources.fields import Children, Choice, Computed, Integer, Lookup, Ref, Shown, Text
from clinch.resources.query.tree import Equal, In, Or
from clinch.resources.write.change import Change
from clinch.resources.write.load import FOR_UPDATE, Load
from clinch.resources.write.order import in_order, listed_ids
from clinch.resources.write.work import Work

_CUSTOMIZATIONS: dict[Operation, str] = {
    "create": "manage_customizations",
    "update": "manage_customizations",
    "delete": "manage_customizations",
}


def statuses_to_order(work: Work, changes: list[Change]) -> Iterable[Load]:
    for change in changes:
        listed = _listed(change)
        if listed is not None:
            here = Equal(OpportunityStatus.pipeline, change.id)
            where = Or((here, In(OpportunityStatus.id, tuple(listed))))
            yield Load(OpportunityStatus, where, FOR_UPDATE, order="position")


def order_statuses(work: Work, changes: list[Change]) -> None:
    """The statuses listed come first and into this pipeline; those left out keep their order."""
    for change in changes:
        listed = _listed(change)
        if listed is None:
            continue
        known = work.known(OpportunityStatus)
        here = [row["id"] for row in known if row["pipeline_id"] == change.id]
        coming = [row["id"] for row in known if row["pipeline_id"] != change.id]
        order = in_order(listed, [*here, *coming], "statuses")
        if order != here:
            for position, id in enumerate(order):
                place = {"position": position, "pipeline_id": change.id}
                work.update(OpportunityStatus, id, place)
            work.touch(Pipeline, change.id, "statuses")


def _listed(change: Change) -> list[str] | None:
    """The ids of the statuses that an update lists, or None when it lists none."""
    return listed_ids(change.body, "statuses") if change.kind == "update" else None


class Pipeline(Audited, path="pipeline", prefix="pipe"):
    """A way that deals go, in steps."""

    needs = _CUSTOMIZATIONS
    default_order = "date_created"
    create_status = 201
    delete_status = 204
    naive_times = True
    loads = [deleting_in_turn]
    looks = [statuses_to_order, others]
    before = [order_statuses, keep_one]

    name = Text(required=True, max=200)
    statuses = Children("opportunity_status", by="pipeline_id", order="position")


def number_statuses(work: Work, changes: list[Change]) -> None:
    """Statuses that are made together keep the order in which they were sent."""
    created = [change for change in changes if change.kind == "create"]
    for number, change in enumerate(created):
        change.set(OpportunityStatus.position, change.get(OpportunityStatus.position) + number)


class OpportunityStatus(Audited, path="status/opportunity", prefix="stat"):
    """A step of a pipeline: still open, won or lost."""

    needs = _CUSTOMIZATIONS
    default_order = "position"
    indexes = (Index(("organization_id", "pipeline_id", "position", "id")),)
    loads = [deleting_in_turn]
    looks = [others]
    before = [number_statuses, keep_one]

    label = Text(required=True, max=200)
    type = Choice("active", "won", "lost", required=True, writable="create", alias="status_type")
    pipeline = Ref(Pipeline, writable="create", lookup=Lookup(order="date_created"))
    pipeline_name = Shown(pipeline, Pipeline.name, shown=False)
    display_name = Computed(
        "case when (select count(*) from pipeline p where p.organization_id = {org}) > 1"
        " then {pipeline}.name || ': ' else '' end || {row}.label",
        shown=False,
        doc="The label, with its pipeline where there are several.",
    )
    pipeline_started = Shown(pipeline, Pipeline.date_created, shown=False)
    position = Integer(
        shown=False, writable="never", default=lambda actor: int(actor.clock().timestamp() * 1000)
    )


def first_pipeline() -> Change:
    """The pipeline that a new organization starts with."""
    types = {"Active": "active", "Won": "won", "Lost": "lost"}
    statuses = [{"label": label, "type": type} for label, type in types.items()]
    return Change.create(Pipeline, {"name": "Sales", "statuses": statuses})
