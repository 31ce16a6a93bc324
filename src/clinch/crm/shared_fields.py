"""Shared custom fields: defined once, and given to several kinds of objects by associations."""

from clinch.crm.custom_fields import (
    CUSTOMIZATIONS,
    NOT_OF_ACCOUNTS,
    OF_LEADS,
    CustomField,
    last_place,
)
from clinch.crm.editing_roles import editing_roles, role_problems
from clinch.crm.field_lists import associations_of
from clinch.crm.field_names import fields_of_same_objects, keep_names_apart, naming_in_turn
from clinch.db.schema import Index
from clinch.resources.declaration import Audited
from clinch.resources.errors import REQUIRED, ValidationError
from clinch.resources.fields import Boolean, Choice, Computed, Ref, Summary, Words
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work


class SharedCustomField(
    CustomField,
    path="custom_field/shared",
    prefix="cf",
    table="custom_field",
    only={"kind": "shared"},
):
    """A field that several kinds of objects have."""

    also_at = ("custom_fields/shared",)

    accepts_multiple_values = Boolean(writable="create")
    editable_with_roles = Words(shown=False, writable="never")
    is_shared = Computed("true", json_type="boolean")
    associations = Computed(
        associations_of("{row}"), json_type="array", doc="What has the field, and how."
    )
    given_to = Words(
        nullable=True,
        shown=False,
        writable="never",
        summary=Summary(
            ("custom_field_association",),
            "jsonb_agg({place} order by {place})".format(
                place="coalesce({row}.custom_activity_type_id, {row}.custom_object_type_id,"
                " {row}.object_type)"
            ),
        ),
        doc="The kinds of objects, or the ids of the types, that have the field.",
    )


def check_associations(work: Work, changes: list[Change]) -> None:
    """Types are named where fields belong to a type, and nowhere else; no field comes to objects
    that could have no value of it."""
    for change in changes:
        if change.after is None:
            continue
        problems = role_problems(work, change)
        shared = work.row(SharedCustomField, change.get(CustomFieldAssociation.custom_field))
        of_account = change.get(CustomFieldAssociation.object_type) == "account"
        if change.kind == "create" and of_account and shared and shared["type"] in OF_LEADS:
            problems[CustomFieldAssociation.object_type.error_key] = NOT_OF_ACCOUNTS
        for ref in (
            CustomFieldAssociation.custom_activity_type,
            CustomFieldAssociation.custom_object_type,
        ):
            if ref.target != change.get(CustomFieldAssociation.object_type):
                change.set(ref, None)
            elif change.get(ref) is None:
                problems[ref.error_key] = REQUIRED
        if problems:
            raise ValidationError(problems)


def touch_shared_fields(work: Work, changes: list[Change]) -> None:
    """A shared field shows its associations, so their change is one of it."""
    shown = {"required", "editable_with_roles"}
    for change in changes:
        if not change.inner and (change.kind != "update" or shown & set(change.changed())):
            field_id = change.get(CustomFieldAssociation.custom_field)
            work.touch(SharedCustomField, field_id, "associations")


class CustomFieldAssociation(Audited, path="custom_field_association", prefix="cfa"):
    """That objects of one kind, or of one type, have a shared field."""

    operations = ()
    needs = CUSTOMIZATIONS
    default_order = "position"
    indexes = (
        Index(
            (
                "organization_id",
                "custom_field_id",
                "coalesce(custom_activity_type_id, custom_object_type_id, '')",
                "object_type",
            ),
            unique=True,
            name="custom_field_association_place",
        ),
    )
    loads = [naming_in_turn, editing_roles]
    looks = [fields_of_same_objects]
    before = [check_associations, keep_names_apart]
    within = [touch_shared_fields]

    custom_field = Ref(SharedCustomField, writable="create", target_deleted="delete", locks=True)
    object_type = Choice(
        "lead",
        "contact",
        "opportunity",
        "account",
        "custom_activity_type",
        "custom_object_type",
        required=True,
        writable="create",
    )
    custom_activity_type = Ref(
        "custom_activity_type", nullable=True, writable="create", target_deleted="delete"
    )
    custom_object_type = Ref(
        "custom_object_type", nullable=True, writable="create", target_deleted="delete"
    )
    editable_with_roles = Words(doc="The roles that may change values; empty for everybody.")
    required = Boolean(doc="Whether an object must have a value, or an activity to be published.")
    position = last_place()
