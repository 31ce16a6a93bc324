"""The rules of a merge: a lead goes, and another is its heir.

What belongs to the lead moves by itself (`Change.heir`); here the heir gets the values that it has
not, and its history says where they come from.
"""

from collections.abc import Iterable
from typing import Any

from clinch.crm.activities.lead_merges import LeadMerge
from clinch.resources.declaration import Resource
from clinch.resources.query.tree import In
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work


def contacts_of_heirs(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What an heir without a name is called by; those of the lead that goes are read anyway."""
    contact = work.declarations["contact"]
    heirs = tuple(change.heir for change in changes if change.heir)
    if heirs:
        yield Load(contact, In(contact.fields["lead_id"], heirs))


def complete_heirs(work: Work, changes: list[Change]) -> None:
    """What an heir has no value for, it takes over."""
    for change in changes:
        if change.heir and change.before is not None:
            heir = work.stored[change.resource.noun, change.heir]
            work.update(change.resource, change.heir, _gaps(change.resource, change.before, heir))


def _gaps(lead: type[Resource], source: Row, heir: Row) -> Row:
    """The values of `source` where `heir` has none, custom ones each by itself."""
    empty: tuple[Any, ...] = (None, "", [], {})
    values = {
        field.column: source[field.column]
        for field in lead.stored_fields
        if field.writable == "always" and heir[field.column] in empty
    }
    custom = lead.custom_fields
    if custom is not None:
        values[custom.column] = source[custom.column] | heir[custom.column]
    return values


def tell_merges(work: Work, changes: list[Change]) -> None:
    """The heir's history and all events of the write say which lead came into which."""
    for change in changes:
        if not change.heir or change.before is None:
            continue
        heir = work.update(change.resource, change.heir, {})
        if any(row["lead_id"] == change.id for row in work.known(work.declarations["contact"])):
            work.touch(change.resource, change.heir, "contact_ids")
        heir.announced.append("merged")
        work.meta = {
            "merge_source_lead_id": change.id,
            "merge_destination_lead_id": change.heir,
        }
        entry = {
            "lead_id": change.heir,
            "source_lead_id": change.id,
            "source_display_name": _display_name(work, change.before),
            "destination_lead_id": change.heir,
            "destination_display_name": _display_name(work, heir.before or {}),
        }
        work.create(LeadMerge, entry)


def _display_name(work: Work, lead: Row) -> str:
    """What the lead was called before the merge."""
    if lead["name"]:
        return str(lead["name"])
    contacts = [
        row for row in work.known(work.declarations["contact"]) if row["lead_id"] == lead["id"]
    ]
    for contact in sorted(contacts, key=lambda row: (row["date_created"], row["id"]))[:1]:
        [first_email, *_] = contact["emails"] or [{"email": ""}]
        [first_phone, *_] = contact["phones"] or [{"phone": ""}]
        name = contact["name"] or first_email["email"] or first_phone["phone"]
        return str(name or "Untitled")
    return "Untitled"
