"""Custom activities: what happened with a lead, of a type that the organization makes."""

from clinch.crm.activities.activity import CREATION_SOURCES, Activity
from clinch.crm.activities.notes import date_pins, name_source
from clinch.crm.custom_types import CustomActivityType
from clinch.crm.rich_text import mentioned
from clinch.crm.typed_objects import check_types, check_values, types_of_objects
from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import CustomFields
from clinch.resources.errors import BadRequest
from clinch.resources.fields import EQ_IN, Boolean, Choice, DateTime, Ref, Words, stored_time
from clinch.resources.query.tree import Node
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

_PUBLISHED = "published"


def require_values_to_publish(work: Work, changes: list[Change]) -> None:
    """What is published has all that its type requires; a draft may lack it."""
    status = CustomActivity.status
    for change in changes:
        if change.get(status) == _PUBLISHED:
            check_values(work, change, all=change.was(status) != _PUBLISHED)


def date_publishing(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.moved(CustomActivity.status) and change.get(CustomActivity.status) == _PUBLISHED:
            change.set(CustomActivity.last_published_at, stored_time(work.now))


def derive_mentions(work: Work, changes: list[Change]) -> None:
    """The users whom its longer texts mention."""
    mentions = CustomActivity.mentions
    for change in changes:
        if change.after is None:
            continue
        longer = (row["id"] for row in work.fields_of(change) if row["type"] == "textarea")
        values = change.get(CustomActivity.custom)
        change.set(mentions, mentioned(*(values[id] for id in longer if id in values)))
        if (change.was(mentions) or []) != change.get(mentions):
            change.set(CustomActivity.mentions_updated_at, stored_time(work.now))


class CustomActivity(
    Activity,
    path="activity/custom",
    prefix="acti",
    table="activity",
    only={"_type": "CustomActivity"},
):
    """Something of a custom type that happened with a lead, with the fields of its type."""

    operations = ("list", "get", "create", "update", "delete")
    indexes = (
        *Activity.indexes,
        Index(
            ("organization_id", "custom_activity_type_id", "activity_at desc", "id desc"),
            where="(custom_activity_type_id IS NOT NULL)",
        ),
    )
    loads = [types_of_objects]
    before = [
        *Activity.before,
        check_types,
        require_values_to_publish,
        date_publishing,
        derive_mentions,
        name_source,
        date_pins,
    ]

    lead = Ref("lead", target_deleted="delete", locks=True, writable="create", filters=EQ_IN)
    custom_activity_type = Ref(
        CustomActivityType, target_deleted="delete", writable="create", filters=EQ_IN
    )
    status = Choice("draft", _PUBLISHED, default=_PUBLISHED)
    last_published_at = DateTime(nullable=True, writable="never", packed=True)
    pinned = Boolean(packed=True)
    pinned_at = DateTime(nullable=True, writable="never", packed=True)
    mentions = Words(writable="never", packed=True, doc="The users that its texts mention.")
    mentions_updated_at = DateTime(nullable=True, writable="never", packed=True)
    source = Choice(*CREATION_SOURCES, nullable=True, writable="never", packed=True)
    custom = CustomFields("activity_custom_field", owner="custom_activity_type_id", shown=False)

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """A list of some types is one of a lead."""
        key = cls.custom_activity_type.key
        if {key, f"{key}__in"} & parameters.keys() and not parameters.get("lead_id"):
            raise BadRequest(f"{key} needs lead_id.")
        return super().narrow(parameters, actor)
