"""Leads: the companies that the organization sells to."""

from collections.abc import Iterable
from typing import Any

from clinch.crm.addresses import Address
from clinch.crm.lead_statuses import LeadStatus
from clinch.db.schema import Index
from clinch.resources.custom_fields import CustomFields
from clinch.resources.declaration import Audited
from clinch.resources.fields import (
    ChildIds,
    Children,
    Computed,
    ListOf,
    Lookup,
    Ref,
    Shown,
    Text,
    Url,
)

# The first contact that has one, in the order in which contacts are shown.
_FIRST_OF_CONTACTS = (
    "(select c.{column} -> 0 from contact c where c.organization_id = {{org}}"
    " and c.lead_id = {{row}}.id and c.{column} <> '[]' order by c.date_created, c.id limit 1)"
)


class Lead(Audited, path="lead", prefix="lead"):
    """A company or other party, with everything that belongs to it below."""

    needs = {"delete": "delete_leads"}
    orders = ("date_created", "date_updated")
    default_order = "-date_updated"
    indexes = (
        Index(("organization_id", "date_updated desc", "id desc")),
        Index(("organization_id", "date_created desc", "id desc")),
    )
    counted = True
    search_lead = "id"

    name = Text(max=1000, doc="The company's name.")
    display_name = Computed(
        "coalesce(nullif({row}.name, ''), (select coalesce(nullif(c.name, ''),"
        " c.emails -> 0 ->> 'email', c.phones -> 0 ->> 'phone') from contact c"
        " where c.organization_id = {org} and c.lead_id = {row}.id"
        " order by c.date_created, c.id limit 1), 'Untitled')",
        doc="The name, else that of the first contact.",
    )
    description = Text()
    url = Url()
    html_url = Computed("{public_url} || '/lead/' || {row}.id || '/'", doc="The lead's page.")
    status = Ref(
        LeadStatus,
        lookup=Lookup(
            label="label",
            body_key="status",
            order="position",
            unknown="Not a valid choice. Please go to Customizations in your organization settings"
            ' and add "{label}" to the list of lead statuses.',
        ),
    )
    status_label = Shown(status, LeadStatus.label)
    addresses = ListOf(Address)
    contacts = Children("contact", by="lead_id", order="date_created")
    contact_ids = ChildIds(contacts)
    opportunities = Children("opportunity", by="lead_id", order="date_created", writable="never")
    tasks = Children(
        "task",
        by="lead_id",
        order="date_created",
        only="not {row}.is_complete",
        writable="never",
        doc="What is still to do.",
    )
    primary_email = Computed(
        _FIRST_OF_CONTACTS.format(column="emails"),
        json_type="object",
        nullable=True,
        optional=True,
    )
    primary_phone = Computed(
        _FIRST_OF_CONTACTS.format(column="phones"),
        json_type="object",
        nullable=True,
        optional=True,
    )
    custom = CustomFields("lead_custom_field")
    created_by_name = Shown("created_by", "name")
    updated_by_name = Shown("updated_by", "name")

    @classmethod
    def search_texts(cls, row: dict[str, Any]) -> Iterable[str]:
        yield row["name"]
        yield row["url"] or ""
