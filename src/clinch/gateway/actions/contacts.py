"""Contacts: the people at leads."""

from dataclasses import replace

from clinch.gateway.actions.action import Words
from clinch.gateway.actions.lists import listing
from clinch.gateway.actions.objects import creating, deleting, getting, id_of, updating
from clinch.gateway.actions.people import PERSON
from clinch.gateway.actions.records import LIST, TEXT, Shape
from clinch.gateway.actions.references import custom_values, lead_id

PATH = "/contact/"
_ID = id_of("contact", "cont", PATH)
_EXAMPLE = "cont_7xq2mAWcrzYdNEtVhUpKGL"
_LEAD = "lead_3bKzq8RjwTnVYxHdPsUmFA"

CONTACT = Shape(
    noun="contact",
    short={
        "id": TEXT,
        "lead_id": TEXT,
        "display_name": TEXT,
        "title": TEXT,
        "emails": LIST,
        "phones": LIST,
        "created_by": TEXT,
        "date_created": TEXT,
        "date_updated": TEXT,
    },
    inner={"emails": ("email", "type"), "phones": ("phone", "type")},
    custom=True,
)

LIST_CONTACTS = listing(
    Words(
        "list-contacts",
        "List contacts",
        "List all contacts, with optional paging.",
        ({}, {"limit": 50}, {"leadId": _LEAD}),
    ),
    CONTACT,
    PATH,
    (lead_id("Only the contacts of this lead."),),
)
GET_CONTACT = getting(
    Words("get-contact", "Get a contact", "Get one contact by its id.", ({"id": _EXAMPLE},)),
    CONTACT,
    _ID,
)
CREATE_CONTACT = creating(
    Words(
        "create-contact",
        "Create a contact",
        "Create a contact: a person, at a lead or, without one, at a new lead of their own.",
        (
            {"leadId": _LEAD, "name": "Ada Moss", "emails": ["ada@harbour.example"]},
            {"name": "Bo Lind", "title": "Buyer", "phones": ["+441315550100"]},
        ),
    ),
    CONTACT,
    PATH,
    (
        lead_id("The lead that the person belongs to; a new one when left out."),
        *PERSON,
        custom_values("contact"),
    ),
)
UPDATE_CONTACT = updating(
    Words(
        "update-contact",
        "Update a contact",
        "Update an existing contact: what is given is changed, the rest stays.",
        ({"id": _EXAMPLE, "title": "Head of buying"},),
    ),
    CONTACT,
    _ID,
    (
        replace(lead_id("The lead to move the contact to."), also=()),
        *PERSON,
        custom_values("contact"),
    ),
)
DELETE_CONTACT = deleting(
    Words(
        "delete-contact",
        "Delete a contact",
        "Delete a contact for good; the lead stays.",
        ({"id": _EXAMPLE},),
    ),
    _ID,
)
