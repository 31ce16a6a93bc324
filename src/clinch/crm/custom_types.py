"""Types of custom activities and of custom objects: what an organization adds to the program."""

from collections.abc import Iterable
from typing import Any, ClassVar

from clinch.crm.custom_fields import (
    CUSTOMIZATIONS,
    ActivityCustomField,
    CustomField,
    CustomObjectCustomField,
)
from clinch.crm.editing_roles import editing_roles, role_problems
from clinch.crm.field_lists import field_list
from clinch.crm.shared_fields import CustomFieldAssociation
from clinch.resources.declaration import Audited
from clinch.resources.errors import ValidationError
from clinch.resources.fields import Boolean, Computed, Ref, Text, Words
from clinch.resources.query.tree import Equal
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.order import in_order, listed_ids
from clinch.resources.write.work import Work


def check_roles(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if problems := role_problems(work, change):
            raise ValidationError(problems)


def fields_to_order(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What places the fields of the types that a change puts in order."""
    for change in changes:
        if _orders(change):
            for resource, ref in _placed(change.resource):
                yield Load(resource, Equal(ref, change.id), "for no key update")


def order_fields(work: Work, changes: list[Change]) -> None:
    """The fields that an update lists come first; those left out keep their order behind."""
    for change in changes:
        if not _orders(change):
            continue
        places = {
            str(row.get("custom_field_id") or row["id"]): (resource, row)
            for resource, ref in _placed(change.resource)
            for row in work.known(resource)
            if row[ref.column] == change.id
        }
        known = sorted(places, key=lambda id: (places[id][1]["position"], id))
        order = in_order(listed_ids(change.body, "fields") or (), known, "fields")
        for position, id in enumerate(order):
            resource, row = places[id]
            work.update(resource, row["id"], {"position": position})
        if order != known:
            work.touch(change.resource, change.id, "fields")


def _orders(change: Change) -> bool:
    by_request = change.resource is CustomActivityType or change.trusted
    return change.kind == "update" and by_request and change.body.get("fields") is not None


def _placed(of_type: Any) -> Iterable[tuple[type[CustomField | CustomFieldAssociation], Ref]]:
    """What has a place among the fields of a type, with the reference to it."""
    for resource in (of_type.definitions, CustomFieldAssociation):
        yield resource, next(ref for ref in resource.refs if ref.key == f"{of_type.noun}_id")


class CustomType(Audited):
    """What both kinds of types share."""

    needs = CUSTOMIZATIONS
    default_order = "date_created"
    max_limit = 1000
    create_status = 201
    delete_status = 204
    naive_times = True
    loads = [editing_roles, fields_to_order]
    before = [check_roles, order_fields]

    definitions: ClassVar[type[CustomField]]
    """The resource that defines the fields of its objects."""

    name = Text(required=True, max=200)
    description = Text(nullable=True, max=1000)
    api_create_only = Boolean(doc="Whether nobody who is signed in to the page can make one.")
    editable_with_roles = Words(
        doc="The roles that may make, change and delete what is of the type; empty for everybody."
    )
    is_archived = Boolean(doc="Whether nothing more of the type can be made.")

    @classmethod
    def event_type(cls) -> str:
        return cls.noun


class CustomActivityType(CustomType, path="custom_activity", prefix="actitype"):
    """A type of activities, with fields of its own."""

    definitions = ActivityCustomField

    own_fields = Computed(
        field_list("f.custom_activity_type_id = {row}.id", "a.custom_activity_type_id = {row}.id"),
        key="fields",
        json_type="array",
        doc="In their order, which an update may change.",
    )


class CustomObjectType(CustomType, path="custom_object_type", prefix="cotype"):
    """A type of objects that leads have, with fields of its own."""

    definitions = CustomObjectCustomField

    name_plural = Text(required=True, max=200)
    own_fields = Computed(
        field_list("f.custom_object_type_id = {row}.id", "a.custom_object_type_id = {row}.id"),
        key="fields",
        json_type="array",
        doc="In their order.",
    )
    back_reference_fields = Computed(
        field_list("f.referenced_custom_type_id = {row}.id"),
        json_type="array",
        doc="The fields whose values are objects of the type.",
    )
