"""Custom objects: what a lead has beside contacts and deals, of types that are made for it."""

from clinch.crm.custom_types import CustomObjectType
from clinch.crm.leads import Lead
from clinch.crm.typed_objects import check_types, require_values, types_of_objects
from clinch.db.schema import Index
from clinch.resources.custom_fields import CustomFields
from clinch.resources.declaration import Audited
from clinch.resources.fields import EQ, Ref, Text


class CustomObject(Audited, path="custom_object", prefix="custobj"):
    """An object of a custom type at a lead."""

    default_order = "date_created"
    create_status = 201
    delete_status = 204
    list_needs = ("lead_id",)
    indexes = (Index(("organization_id", "lead_id", "date_created", "id")),)
    loads = [types_of_objects]
    before = [check_types, require_values]

    lead = Ref(Lead, target_deleted="delete", writable="create", filters=EQ)
    custom_object_type = Ref(
        CustomObjectType, target_deleted="delete", writable="create", filters=EQ
    )
    name = Text(required=True, max=1000)
    custom = CustomFields("custom_object_custom_field", owner="custom_object_type_id", shown=False)
