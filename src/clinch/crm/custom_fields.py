"""The definitions of custom fields: one resource for each kind of object that may have them."""

from typing import ClassVar

from clinch.crm.assigning_fields import assigning_roles, keep_assigning
from clinch.crm.editing_roles import editing_roles, role_problems
from clinch.crm.field_names import fields_of_same_name, keep_names_apart, naming_in_turn
from clinch.db.schema import Index
from clinch.resources.custom_fields import MULTIPLE, TYPES
from clinch.resources.declaration import Audited, Operation
from clinch.resources.errors import IMMUTABLE, REQUIRED, ValidationError
from clinch.resources.fields import Boolean, Choice, Computed, Integer, Ref, Text, Words
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

CUSTOMIZATIONS: dict[Operation, str] = {
    "create": "manage_customizations",
    "update": "manage_customizations",
    "delete": "manage_customizations",
}

_FIXED = {
    "type": "type",
    "custom_activity_type_id": "custom_activity_type",
    "custom_object_type_id": "custom_object_type",
}
"""The columns that never change (the type: where it may not), by the names of their errors."""


def check_definitions(work: Work, changes: list[Change]) -> None:
    """Only a choices field has choices, and only some types have several values."""
    for change in changes:
        if change.after is None:
            continue
        row, problems = change.after, role_problems(work, change)
        if row["type"] == "choices" and not row["choices"]:
            problems["choices"] = REQUIRED
        if row["type"] != "choices":
            row["choices"] = None
        _keep_reference(change, problems)
        if row["accepts_multiple_values"] and row["type"] not in MULTIPLE:
            problems["accepts_multiple_values"] = "This type has one value only."
        fixed = {name for name in change.changed() if name in _FIXED}
        if "type" in fixed and issubclass(change.resource, CustomField):
            row["converting_to_type"] = row["type"]
            fixed -= {"type"} if change.resource.type_changes else set()
        problems |= {_FIXED[name]: IMMUTABLE for name in fixed}
        if problems:
            raise ValidationError(problems)


def _keep_reference(change: Change, problems: dict[str, str]) -> None:
    """Whoever makes a field one of custom objects says of which type; that stays."""
    referenced = CustomField.referenced_custom_type
    if change.get(CustomField.type) != "custom_object":
        change.set(referenced, None)
    elif not change.moved(CustomField.type):
        change.set(referenced, change.was(referenced))
    elif change.get(referenced) is None:
        problems[referenced.error_key] = REQUIRED


OF_LEADS = ("contact", "custom_object")
"""The types of fields whose values are objects that a lead has."""


def keep_to_accounts(work: Work, changes: list[Change]) -> None:
    """An account has neither contacts nor custom objects: those are its leads'."""
    for change in changes:
        type = CustomField.type
        if change.after is not None and change.moved(type) and change.get(type) in OF_LEADS:
            raise ValidationError({type.error_key: NOT_OF_ACCOUNTS})


NOT_OF_ACCOUNTS = "Accounts have no fields of this type, whose values would be objects of a lead."


def last_place() -> Integer:
    """The place of a field among the others of an object: a new one comes last."""
    return Integer(
        shown=False,
        writable="internally",
        default=lambda actor: int(actor.clock().timestamp() * 1_000_000),
    )


class CustomField(Audited, table="custom_field"):
    """What the definitions of every kind share."""

    needs = CUSTOMIZATIONS
    default_order = "position"
    max_limit = 1000
    indexes = (
        Index(
            (
                "organization_id",
                "kind",
                "coalesce(custom_activity_type_id, custom_object_type_id, '')",
                "name",
            ),
            unique=True,
            name="custom_field_name",
        ),
        Index(("organization_id", "kind", "position", "id")),
    )
    loads = [naming_in_turn, editing_roles]
    looks = [fields_of_same_name]
    before = [check_definitions, keep_names_apart]
    type_changes: ClassVar[bool] = False
    """Whether the type may change; the stored values follow it, see `custom_values`."""

    name = Text(required=True, max=200)
    description = Text(nullable=True, max=280)
    type = Choice(*TYPES, required=True)
    converting_to_type = Text(
        nullable=True,
        writable="internally",
        doc="The new type, until what is stored has been converted to it.",
    )
    choices = Words(nullable=True)
    accepts_multiple_values = Boolean()
    editable_with_roles = Words(doc="The roles that may change values; empty for everybody.")
    is_shared = Computed("false", json_type="boolean")
    referenced_custom_type = Ref(
        "custom_object_type",
        key="referenced_custom_type_id",
        nullable=True,
        target_deleted="delete",
        doc="The type of the custom objects that are its values.",
    )
    back_reference_is_visible = Boolean(nullable=True)
    kind = Text(shown=False, writable="never")
    position = last_place()

    @classmethod
    def event_type(cls) -> str:
        return f"custom_fields.{cls.only['kind']}"


class LeadCustomField(
    CustomField, path="custom_field/lead", prefix="cf", table="custom_field", only={"kind": "lead"}
):
    """A field that the organization adds to its leads."""

    type_changes = True
    also_at = ("custom_fields/lead",)
    looks = [*CustomField.looks, assigning_roles]
    before = [*CustomField.before, keep_assigning]


class ContactCustomField(
    CustomField,
    path="custom_field/contact",
    prefix="cf",
    table="custom_field",
    only={"kind": "contact"},
):
    """A field that the organization adds to its contacts."""

    type_changes = True
    also_at = ("custom_fields/contact",)


class OpportunityCustomField(
    CustomField,
    path="custom_field/opportunity",
    prefix="cf",
    table="custom_field",
    only={"kind": "opportunity"},
):
    """A field that the organization adds to its opportunities."""

    type_changes = True

    also_at = ("custom_fields/opportunity",)


class AccountCustomField(
    CustomField,
    path="custom_field/account",
    prefix="cf",
    table="custom_field",
    only={"kind": "account"},
):
    """A field that the organization adds to its accounts."""

    type_changes = True
    also_at = ("custom_fields/account",)
    before = [*CustomField.before, keep_to_accounts]


class ActivityCustomField(
    CustomField,
    path="custom_field/activity",
    prefix="cf",
    table="custom_field",
    only={"kind": "activity"},
):
    """A field of the activities of one type."""

    also_at = ("custom_fields/activity",)

    custom_activity_type = Ref("custom_activity_type", target_deleted="delete")
    required = Boolean(doc="Whether an activity must have a value to be published.")


class CustomObjectCustomField(
    CustomField,
    path="custom_field/custom_object_type",
    prefix="cf",
    table="custom_field",
    only={"kind": "custom_object"},
):
    """A field of the custom objects of one type."""

    also_at = ("custom_fields/custom_object_type",)
    create_status = 201
    delete_status = 204

    custom_object_type = Ref("custom_object_type", target_deleted="delete")
    required = Boolean(doc="Whether an object must have a value.")
