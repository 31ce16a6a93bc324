"""The definitions of custom fields: one resource for each kind of object that may have them."""

from clinch.db.schema import Index
from clinch.identity.roles import PERMISSIONS
from clinch.resources.custom_fields import MULTIPLE, TYPES
from clinch.resources.declaration import Audited, Operation
from clinch.resources.errors import (
    IMMUTABLE,
    NO_CHOICE,
    REQUIRED,
    ValidationError,
)
from clinch.resources.fields import Boolean, Choice, Computed, Integer, Text, Words
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

_CUSTOMIZATIONS: dict[Operation, str] = {
    "create": "manage_customizations",
    "update": "manage_customizations",
    "delete": "manage_customizations",
}


def check_definitions(work: Work, changes: list[Change]) -> None:
    """Only a choices field has choices, and only some types have several values."""
    for change in changes:
        if change.after is None:
            continue
        row, problems = change.after, {}
        if row["type"] == "choices" and not row["choices"]:
            problems["choices"] = REQUIRED
        if row["type"] != "choices":
            row["choices"] = None
        if row["accepts_multiple_values"] and row["type"] not in MULTIPLE:
            problems["accepts_multiple_values"] = "This type has one value only."
        if change.kind == "update" and "type" in change.changed():
            problems["type"] = IMMUTABLE
        if not set(row["editable_with_roles"]) <= set(PERMISSIONS):
            problems["editable_with_roles"] = NO_CHOICE
        if problems:
            raise ValidationError(problems)


class CustomField(Audited, table="custom_field"):
    """What the definitions of every kind share."""

    needs = _CUSTOMIZATIONS
    default_order = "position"
    max_limit = 1000
    indexes = (
        Index(("organization_id", "kind", "name"), unique=True),
        Index(("organization_id", "kind", "position", "id")),
    )
    before = [check_definitions]

    name = Text(required=True, max=200)
    description = Text(nullable=True, max=280)
    type = Choice(*TYPES, required=True)
    choices = Words(nullable=True)
    accepts_multiple_values = Boolean()
    editable_with_roles = Words(doc="The roles that may change values; empty for everybody.")
    is_shared = Computed("false", json_type="boolean")
    referenced_custom_type_id = Text(nullable=True, max=100)
    back_reference_is_visible = Boolean(nullable=True)
    kind = Text(shown=False, writable="never")
    position = Integer(
        shown=False,
        writable="internally",
        default=lambda actor: int(actor.clock().timestamp() * 1_000_000),
    )

    @classmethod
    def event_type(cls) -> str:
        return cls.path.replace("custom_field/", "custom_fields.")


class LeadCustomField(
    CustomField, path="custom_field/lead", prefix="cf", table="custom_field", only={"kind": "lead"}
):
    """A field that the organization adds to its leads."""

    also_at = ("custom_fields/lead",)


class ContactCustomField(
    CustomField,
    path="custom_field/contact",
    prefix="cf",
    table="custom_field",
    only={"kind": "contact"},
):
    """A field that the organization adds to its contacts."""

    also_at = ("custom_fields/contact",)


class OpportunityCustomField(
    CustomField,
    path="custom_field/opportunity",
    prefix="cf",
    table="custom_field",
    only={"kind": "opportunity"},
):
    """A field that the organization adds to its opportunities."""

    also_at = ("custom_fields/opportunity",)


KINDS: dict[str, type[CustomField]] = {
    kind.only["kind"]: kind
    for kind in (LeadCustomField, ContactCustomField, OpportunityCustomField)
}
"""The kinds of objects that may have custom fields, by the word of the API."""
