"""The schema of a kind of objects, or of a type: all of its custom fields, in their order."""

from typing import Any

import msgspec

from clinch.crm.custom_fields import (
    AccountCustomField,
    ContactCustomField,
    CustomField,
    LeadCustomField,
    OpportunityCustomField,
)
from clinch.crm.custom_types import CustomActivityType, CustomObjectType, CustomType
from clinch.crm.field_lists import field_list
from clinch.crm.shared_fields import CustomFieldAssociation
from clinch.db.database import Transaction
from clinch.resources.actor import Actor
from clinch.resources.query.read import Page, ReadPath
from clinch.resources.query.tree import Equal
from clinch.resources.write.change import Change
from clinch.resources.write.order import in_order

KINDS: dict[str, type[CustomField]] = {
    "lead": LeadCustomField,
    "contact": ContactCustomField,
    "opportunity": OpportunityCustomField,
    "account": AccountCustomField,
}
"""The definitions of what all objects of a kind have, by the word of the API."""

TYPES: dict[str, type[CustomType]] = {
    "activity": CustomActivityType,
    "custom_object": CustomObjectType,
}
"""The types of objects that have the fields of their type, by the word of the API."""

Schema = dict[str, Any]


async def read_schema(transaction: Transaction, actor: Actor, kind: str) -> Schema:
    """The schema of leads or other objects that have one kind."""
    fields = field_list(f"f.kind = '{kind}'", f"a.object_type = '{kind}'")
    found = await transaction.value(
        f"select ({fields.format(org='$1', organization='o')})::text"
        " from organization o where o.organization_id = $1",
        actor.organization_id,
    )
    return _schema(actor, kind, kind.capitalize(), msgspec.json.decode(found))


async def read_schema_of_type(
    transaction: Transaction, actor: Actor, reads: ReadPath, kind: str, type_id: str
) -> Schema:
    """The schema of the activities or objects of a type; raises NotFound."""
    of_type = TYPES[kind]
    body = await reads.get(transaction, actor, of_type, type_id, ("name", "fields"))
    found = msgspec.json.decode(body)
    return _schema(actor, kind, found["name"], found["fields"]) | {f"{of_type.noun}_id": type_id}


def _schema(actor: Actor, object_type: str, name: str, fields: list[Any]) -> Schema:
    organization = {"organization_id": actor.organization}
    return {"name": name, "object_type": object_type} | organization | {"fields": fields}


async def put_in_order(
    transaction: Transaction, actor: Actor, reads: ReadPath, kind: str, listed: list[str]
) -> list[Change]:
    """The changes by which the fields listed come first among those of a kind of objects."""
    known = [field["id"] for field in (await read_schema(transaction, actor, kind))["fields"]]
    page = Page(
        Equal(CustomFieldAssociation.object_type, kind),
        limit=len(known),
        keys=("id", "custom_field_id"),
    )
    found = await reads.page(transaction, actor, CustomFieldAssociation, page)
    shared = {row["custom_field_id"]: row["id"] for row in msgspec.json.decode(found)["data"]}
    return [
        Change.update(
            CustomFieldAssociation if id in shared else KINDS[kind],
            shared.get(id, id),
            {"position": position},
            trusted=True,
        )
        for position, id in enumerate(in_order(listed, known, "fields"))
    ]
