"""What a new organization starts with."""

from clinch.crm.lead_statuses import first_statuses
from clinch.crm.pipelines import first_pipeline
from clinch.resources.write.change import Change


def first_objects() -> list[Change]:
    """The lead statuses and the pipeline that nobody has to make first."""
    return [*first_statuses(), first_pipeline()]
