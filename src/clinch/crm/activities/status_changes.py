"""The history of statuses: those of leads and those of opportunities.

An entry is made with the change that it tells of. Entries that clients post tell of changes that
happened elsewhere, and change nothing but the history.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal

from clinch.crm.activities.activity import Activity
from clinch.crm.lead_statuses import LeadStatus
from clinch.crm.pipelines import OpportunityStatus, Pipeline
from clinch.resources.fields import (
    EQ,
    Boolean,
    Choice,
    Computed,
    Date,
    Integer,
    Ref,
    Shown,
    Text,
)
from clinch.resources.query.tree import And, Equal, In, Range
from clinch.resources.write.change import Change
from clinch.resources.write.load import FOR_DELETE, FOR_SHARE, Load
from clinch.resources.write.work import Work

FOLDED_WITHIN = timedelta(minutes=1)
"""Changes that follow each other so soon, by one user, are one entry; back again is none."""


def label_lead_statuses(work: Work, changes: list[Change]) -> None:
    """An entry keeps the labels of the time, whatever becomes of the statuses."""
    fields = LeadStatusChange.fields
    for change in changes:
        for side in ("old", "new"):
            status, label = fields[f"{side}_status_id"], fields[f"{side}_status_label"]
            row = work.row(LeadStatus, change.get(status))
            if row is not None and change.moved(status) and not change.sets(label):
                change.set(label, row["label"])


class LeadStatusChange(
    Activity,
    path="activity/status_change/lead",
    prefix="acti",
    table="activity",
    only={"_type": "LeadStatusChange"},
):
    """That a lead went from one status to another."""

    operations = ("list", "get", "create", "delete")
    before = [*Activity.before, label_lead_statuses]

    old_status = Ref(LeadStatus, enforced=False, packed=True)
    old_status_label = Text(max=200, packed=True)
    new_status = Ref(LeadStatus, enforced=False, packed=True)
    new_status_label = Text(max=200, packed=True)
    automatic = Boolean(writable="internally", packed=True, shown=False)


def describe_opportunities(work: Work, changes: list[Change]) -> None:
    """An entry keeps what the opportunity was worth when it came to its new status."""
    for change in changes:
        deal = work.row(work.declarations["opportunity"], change.get(OpportunityStatusChange.about))
        if change.moved(OpportunityStatusChange.new_status) and deal is not None:
            change.set(OpportunityStatusChange.opportunity_value, deal["value"])
            change.set(OpportunityStatusChange.opportunity_value_period, deal["value_period"])
            change.set(OpportunityStatusChange.opportunity_confidence, deal["confidence"])
            change.set(OpportunityStatusChange.day_won, deal["date_won"])


def describe_opportunity_statuses(work: Work, changes: list[Change]) -> None:
    """An entry keeps what the statuses were called and meant at the time."""
    fields = OpportunityStatusChange.fields
    for change in changes:
        for side in ("old", "new"):
            status = fields[f"{side}_status_id"]
            row = work.row(OpportunityStatus, change.get(status))
            if row is not None and change.moved(status):
                change.set(fields[f"{side}_status_label"], row["label"])
                change.set(fields[f"{side}_status_type"], row["type"])
                change.set(fields[f"{side}_pipeline_id"], row["pipeline_id"])


def opportunities_told_of(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What entries that clients post tell of, which does not go to another lead meanwhile."""
    ids = tuple({c.after[OpportunityStatusChange.about.column]: None for c in changes if c.after})
    if ids:
        deal = work.declarations["opportunity"]
        yield Load(deal, In(deal.fields["id"], ids), FOR_SHARE)


class OpportunityStatusChange(
    Activity,
    path="activity/status_change/opportunity",
    prefix="acti",
    table="activity",
    only={"_type": "OpportunityStatusChange"},
):
    """That an opportunity went from one status to another, and what it was worth then."""

    operations = ("list", "get", "create", "delete")
    loads = [opportunities_told_of]
    before = [*Activity.before, describe_opportunity_statuses, describe_opportunities]

    about = Ref(
        "opportunity",
        key="opportunity_id",
        column="object_id",
        enforced=False,
        sharing="lead_id",
        filters=EQ,
    )
    old_status = Ref(OpportunityStatus, enforced=False, packed=True)
    old_status_label = Text(writable="never", packed=True)
    old_status_type = Choice("active", "won", "lost", writable="never", packed=True)
    new_status = Ref(OpportunityStatus, enforced=False, packed=True)
    new_status_label = Text(writable="never", packed=True)
    new_status_type = Choice("active", "won", "lost", writable="never", packed=True)
    old_pipeline = Ref(Pipeline, enforced=False, nullable=True, writable="never", packed=True)
    old_pipeline_name = Shown(old_pipeline, Pipeline.name)
    new_pipeline = Ref(Pipeline, enforced=False, nullable=True, writable="never", packed=True)
    new_pipeline_name = Shown(new_pipeline, Pipeline.name)
    opportunity_value = Integer(nullable=True, writable="never", packed=True)
    opportunity_value_period = Text(nullable=True, writable="never", packed=True)
    opportunity_value_currency = Computed("{organization}.currency")
    opportunity_value_formatted = Computed(
        "api_money(({row}.data ->> 'opportunity_value')::bigint, {organization}.currency_symbol,"
        " {row}.data ->> 'opportunity_value_period')",
        nullable=True,
    )
    opportunity_confidence = Integer(nullable=True, writable="never", packed=True)
    opportunity_date_won = Computed(
        "({row}.data ->> 'opportunity_day_won') || 'T00:00:00+00:00'", nullable=True
    )
    day_won = Date(
        key="opportunity_day_won", nullable=True, writable="never", packed=True, shown=False
    )
    automatic = Boolean(writable="internally", packed=True, shown=False)


def original_status(key: Literal["id", "label"], history: type[Activity], of: Ref) -> str:
    """SQL for the status that an object had at first, in the words of a computed field: the one
    that the oldest entry of its history tells of, else the one it has."""
    [word] = history.only.values()
    return (
        f"coalesce((select a.data ->> 'old_status_{key}' from activity a"
        f" where a.organization_id = {{org}} and a.{of.column} = {{row}}.id and a._type = '{word}'"
        f" order by a.activity_at, a.id limit 1), {{status}}.{key})"
    )


def what_tells(
    work: Work, history: type[Activity], of: Ref, changes: list[Change]
) -> Iterable[Load]:
    """What changes of status are told from: the statuses that the objects had, and the entries that
    may tell of the change. To be read once the objects are locked."""
    moved = {
        change.id: change.was(change.resource.fields["status_id"])
        for change in changes
        if change.kind == "update" and change.moved(change.resource.fields["status_id"])
    }
    if moved:
        [had] = (ref for ref in history.refs if ref.key == "old_status_id")
        status = work.declarations[had.target]
        yield Load(status, In(status.fields["id"], tuple(dict.fromkeys(moved.values()))))
        since = Range(history.date_created, "gte", work.now - FOLDED_WITHIN)
        by_user = Equal(history.fields["created_by"], work.actor.user_id)
        recent = And((In(of, tuple(moved)), since, by_user))
        yield Load(history, recent, FOR_DELETE, "date_created")


def tell(
    work: Work, history: type[Activity], of: Ref, change: Change, body: dict[str, Any]
) -> None:
    """Tell of a change of status: as an entry, or in the one that told of the change just before.
    What clients have posted stays as it is."""
    status = change.resource.fields["status_id"]
    old, new = change.was(status), change.get(status)
    earlier = [
        row
        for row in work.known(history)
        if row[of.column] == change.id and row["automatic"] and row["new_status_id"] == old
    ]
    if not earlier:
        lead_id = change.after and change.after.get("lead_id", change.id)
        ids = {"lead_id": lead_id, "old_status_id": old, "new_status_id": new, "automatic": True}
        work.create(history, ids | body)
    elif earlier[-1]["old_status_id"] == new:
        work.delete(history, earlier[-1]["id"])
    else:
        work.update(history, earlier[-1]["id"], {"new_status_id": new})
