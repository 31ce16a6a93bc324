"""Contacts: the people at a lead, and how to reach them."""

import zoneinfo
from collections.abc import Iterable
from typing import Any

from clinch.crm.addresses import Email, Phone, Url
from clinch.crm.at_a_glance import recent_calls
from clinch.crm.leads import Lead
from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import CustomFields
from clinch.resources.declaration import Restorable
from clinch.resources.errors import Invalid
from clinch.resources.fields import EQ_IN, Computed, ListOf, Ref, Text
from clinch.resources.links import Links
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work


class TimeZone(Text):
    """The IANA name of a time zone, such as Europe/London."""

    def read(self, value: Any, actor: Actor) -> Any:
        value = super().read(value, actor)
        if value:
            try:
                zoneinfo.ZoneInfo(value)
            except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
                raise Invalid("Invalid time zone.") from None
        return value


def make_lead(work: Work, changes: list[Change]) -> None:
    """A contact that names no lead gets one of its own, named after it."""
    for change in changes:
        if change.kind == "create" and change.get(Contact.lead) is None:
            lead = work.create(Lead, {"name": change.get(Contact.name)})
            change.set(Contact.lead, lead.id)


def touch_leads(work: Work, changes: list[Change]) -> None:
    """The lead shows its contacts, so a contact's change is one of the lead."""
    for change in changes:
        if change.inner or not (change.kind != "update" or change.changed()):
            continue
        moved = change.kind != "update" or change.moved(Contact.lead)
        for lead_id in {change.was(Contact.lead), change.get(Contact.lead)} - {None}:
            work.touch(Lead, lead_id, "contact_ids" if moved else "contacts")


class Contact(Restorable, path="contact", prefix="cont"):
    """A person at a lead."""

    orders = ("date_created", "date_updated")
    indexes = (
        Index(("organization_id", "lead_id", "date_created", "id")),
        Index(("organization_id", "date_created desc", "id desc")),
    )
    first = [make_lead]
    within = [touch_leads]
    search_lead = "lead_id"

    lead = Ref(Lead, target_deleted="delete", locks=True, filters=EQ_IN)
    name = Text(max=1000)
    display_name = Computed(
        "coalesce(nullif({row}.name, ''), {row}.emails -> 0 ->> 'email',"
        " {row}.phones -> 0 ->> 'phone', '')",
        doc="The name, else the first address or number.",
    )
    title = Text(max=1000, doc="What the person does at the lead.")
    emails = ListOf(Email)
    phones = ListOf(Phone)
    urls = ListOf(Url)
    integration_links = Links()
    timezone = TimeZone(nullable=True, max=64)
    custom = CustomFields("contact_custom_field")
    timezone_source = Computed(
        "case when {row}.timezone is not null then 'manual' end", nullable=True
    )

    # By the lead, for which there is an index.
    recent_calls = Computed(
        recent_calls("a.lead_id = {row}.lead_id and a.contact_id = {row}.id"),
        json_type="array",
        optional=True,
    )
    subscriptions = Computed("'[]'::json", json_type="array", optional=True, doc="Always empty.")
    lead_suggestions_operation_id = Computed(
        "null::text", nullable=True, optional=True, doc="Always null: no lead is suggested."
    )

    @classmethod
    def search_texts(cls, row: dict[str, Any]) -> Iterable[str]:
        yield row["name"]
        for email in row["emails"]:
            yield email["email"]
        for phone in row["phones"]:
            yield "".join(filter(str.isdigit, phone["phone"]))
