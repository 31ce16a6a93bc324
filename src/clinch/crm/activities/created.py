"""How leads came: the first entry of each one's history."""

from clinch.crm.activities.activity import CREATION_SOURCES, Activity
from clinch.resources.fields import Choice, Text


class Created(
    Activity,
    path="activity/created",
    prefix="acti",
    table="activity",
    only={"_type": "Created"},
):
    """That a lead was made, and by what."""

    operations = ("list", "get")

    source = Choice(*CREATION_SOURCES, nullable=True, writable="internally", packed=True)
    import_id = Text(nullable=True, writable="internally", packed=True)
