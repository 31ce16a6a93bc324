"""Leads that were merged: an entry in the history of the one that is left."""

from clinch.crm.activities.activity import Activity
from clinch.resources.fields import Choice, Text


class LeadMerge(
    Activity,
    path="activity/lead_merge",
    prefix="acti",
    table="activity",
    only={"_type": "LeadMerge"},
):
    """That another lead was merged into this one."""

    operations = ("list", "get")

    source_lead_id = Text(writable="internally", packed=True)
    source_display_name = Text(writable="internally", packed=True)
    destination_lead_id = Text(writable="internally", packed=True)
    destination_display_name = Text(writable="internally", packed=True)
    merge_status = Choice(
        "pending",
        "in_progress",
        "completed",
        "errored",
        default="completed",
        writable="internally",
        packed=True,
    )
    error_message = Text(nullable=True, writable="internally", packed=True)
