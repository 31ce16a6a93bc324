"""Activities of every type: what they have in common, and the list of all of them."""

from typing import ClassVar

from clinch.crm.hanging_on import comment_summary, move_what_hangs, what_hangs_on_moved
from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.declaration import Operation, Owned, Restorable, of_organization
from clinch.resources.errors import BadRequest
from clinch.resources.fields import (
    EQ_IN,
    RANGE,
    Computed,
    DateTime,
    Field,
    Id,
    Ref,
    Shown,
    Text,
    Words,
)
from clinch.resources.query.tree import Equal, Node, Not, Or
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

CREATION_SOURCES = (
    "api",
    "ui",
    "import",
    "clipper",
    "email",
    "suggestion",
    "segment-integration",
    "customerio-integration",
    "calendly-integration",
    "ai",
    "whatsapp",
    "webform",
)


_CUSTOM = "CustomActivity"

MAIL_BODIES = frozenset({"body_text", "body_html", "body_text_quoted", "body_html_quoted"})
"""What mails leave out where they are shown beside their threads, or in them."""


class ObjectId(Text):
    """The id of an object, of whatever resource."""

    sql_type = 'text collate "C"'


def date_activities(work: Work, changes: list[Change]) -> None:
    """An activity happened when it was made, unless something else is known."""
    for change in changes:
        if change.kind != "delete" and change.get(Activity.activity_at) is None:
            change.set(Activity.activity_at, change.get(Activity.date_created))


class Activity(Restorable, path="activity", prefix="acti", table="activity"):
    """Something that happened with a lead. Each type is a resource of its own."""

    operations: ClassVar[tuple[Operation, ...]] = ("list",)
    orders = ("date_created", "date_updated", "activity_at")
    default_order = "-date_created"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index(("organization_id", "lead_id", "activity_at desc", "id desc")),
        Index(("organization_id", "date_created desc", "id desc")),
        Index(("organization_id", "_type", "date_created desc", "id desc")),
        Index(("organization_id", "_type", "activity_at desc", "id desc")),
        Index(("organization_id", "object_id"), where="(object_id IS NOT NULL)"),
        Index(
            ("organization_id", "lead_id", "activity_at", "id"),
            where="(_type = 'LeadStatusChange'::text)",
            name="activity_lead_status_history",
        ),
    )
    looks = [what_hangs_on_moved]
    before = [date_activities, move_what_hangs]
    owned = Owned(("user_id", "created_by"), "delete_own_activities", "manage_others_activities")
    list_parameters = {
        "_type": "Types with commas between, Custom for those of any custom type, or its id.",
        "_type__in": "The same.",
        "thread_emails": "true answers threads beside emails, only answers threads alone.",
        "organization_id": "The organization, which is that of the key.",
    }

    id = Id(filters=EQ_IN)
    type = Text(key="_type", writable="never")
    lead = Ref("lead", target_deleted="delete", locks=True, filters=EQ_IN)
    contact = Ref(
        "contact", target_deleted="clear", sharing="lead_id", nullable=True, filters=EQ_IN
    )
    user = Ref(
        "user",
        nullable=True,
        default=lambda actor: actor.user_id,
        filters=EQ_IN,
        doc="Whose activity it is.",
    )
    user_name = Shown(user, "name")
    users = Words(writable="never", doc="Further users who took part.")
    about: Field = ObjectId(
        key="object_id",
        nullable=True,
        writable="never",
        shown=False,
        doc="What a type's activities belong to besides their lead.",
    )
    activity_at: Field = DateTime(
        nullable=True, filled=True, filters=RANGE, doc="When it really happened."
    )
    comment_summary = Computed(
        comment_summary("t.object_id = {row}.id"), json_type="object", nullable=True, optional=True
    )
    created_by = Ref(
        "user",
        key="created_by",
        alias="created_by_id",
        writable="create",
        enforced=False,
        nullable=True,
    )
    created_by_name = Shown("created_by", "name")
    updated_by_name = Shown("updated_by", "name")
    date_created = DateTime(writable="create", filters=RANGE)

    @classmethod
    def event_type(cls) -> str:
        return f"activity.{cls.noun}"

    @classmethod
    def left_out(cls, parameters: dict[str, str]) -> frozenset[str]:
        beside_threads = cls.variants and parameters.get("thread_emails") == "true"
        return MAIL_BODIES if beside_threads else frozenset()

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """Types by their words."""
        nodes = of_organization(parameters, actor)
        wanted = parameters.get("_type") or parameters.get("_type__in")
        if wanted:
            nodes.append(Or(tuple(_of_type(word.strip()) for word in wanted.split(","))))
        if cls.variants:
            _check_order(parameters)
            nodes += _threads(
                parameters.get("thread_emails"), named="EmailThread" in (wanted or "")
            )
        return nodes


def _of_type(word: str) -> Node:
    """The activities of a type, of any custom type, or of the custom type with an id."""
    if word.startswith("actitype_"):
        return Equal(Activity.variants[_CUSTOM].fields["custom_activity_type_id"], word)
    return Equal(Activity.type, _CUSTOM if word == "Custom" else word)


def _check_order(parameters: dict[str, str]) -> None:
    """Raise BadRequest unless what bounds the dates is what orders the list of all types."""
    by_activity = parameters.get("_order_by") == "-activity_at"
    bounded = {key.partition("__")[0] for key in parameters if "__" in key}
    if by_activity and "lead_id" not in parameters:
        raise BadRequest("_order_by=-activity_at needs lead_id.")
    if by_activity and "date_created" in bounded:
        raise BadRequest("A list that is ordered by activity_at is bounded by activity_at.")
    if "activity_at" in bounded and not by_activity:
        raise BadRequest("Filters on activity_at need _order_by=-activity_at.")


def _threads(thread_emails: str | None, *, named: bool) -> list[Node]:
    match thread_emails:
        case "true":
            return []
        case "only":
            return [Not(Equal(Activity.type, "Email"))]
    return [] if named else [Not(Equal(Activity.type, "EmailThread"))]
