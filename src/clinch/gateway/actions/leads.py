"""Leads: companies and other parties, with everything that belongs to them below."""

from typing import Any

from clinch.gateway.actions.action import Action, Words
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.inputs import Input, Objects, Text
from clinch.gateway.actions.lists import listing
from clinch.gateway.actions.objects import creating, deleting, done, getting, id_of, updating
from clinch.gateway.actions.people import PERSON
from clinch.gateway.actions.records import TEXT, Shape
from clinch.gateway.actions.references import LeadStatusRef, custom_values, lead_id
from clinch.gateway.actions.refusals import not_found
from clinch.gateway.actions.run import Run
from clinch.resources.actor import OperationClass

PATH = "/lead/"
_ID = id_of("lead", "lead", PATH)
_EXAMPLE = "lead_3bKzq8RjwTnVYxHdPsUmFA"
_OTHER = "lead_5cMzq9RjwTnVYxHdPsUmFB"

LEAD = Shape(
    noun="lead",
    short={
        "id": TEXT,
        "display_name": TEXT,
        "status_label": TEXT,
        "url": TEXT,
        "description": TEXT,
        "created_by_name": TEXT,
        "date_created": TEXT,
        "date_updated": TEXT,
    },
    cut={"description": 60, "display_name": 80, "url": 80},
    custom=True,
)

_ADDRESSES = Objects(
    name="addresses",
    also=("address",),
    inner=(
        Text(name="label", max=40, doc="business, mailing or other."),
        Text(name="address1", api="address_1", max=500, also=("street",), doc="The street."),
        Text(name="address2", api="address_2", max=500, doc="What else belongs to the street."),
        Text(name="city", max=200, doc="The city."),
        Text(name="state", max=200, doc="The state or region."),
        Text(name="zipcode", max=40, also=("zip", "postalCode", "postcode"), doc="Its code."),
        Text(name="country", max=60, also=("countryCode",), doc="Two letters, such as US."),
    ),
    doc="Postal addresses. On an update they replace all.",
)
_STATUS = LeadStatusRef(
    name="status",
    api="status_id",
    also=("statusLabel",),
    doc="The lead's status, by its label or id; list-lead-statuses lists them.",
)
_OWN: tuple[Input, ...] = (
    Text(name="name", max=1000, clears=True, also=("company", "companyName"), doc="Its name."),
    Text(name="url", max=2000, clears=True, also=("website",), doc="Its web address."),
    Text(name="description", clears=True, doc="What there is to say about it."),
    _STATUS,
)
_CONTACTS = Objects(
    name="contacts",
    also=("contact",),
    text="name",
    inner=(*PERSON, custom_values("contact")),
    doc="People to create with the lead, as names or with title, emails, phones, urls.",
)

LIST_LEADS = listing(
    Words(
        "list-leads",
        "List leads",
        "List leads, with optional paging; the last changed come first.",
        ({}, {"limit": 50, "skip": 50}, {"fields": ["display_name", "contacts"]}),
    ),
    LEAD,
    PATH,
)
SEARCH = listing(
    Words(
        "search",
        "Search leads",
        "Search leads by a text: names, people, email addresses, phone numbers, or the query"
        " language, such as status:Qualified.",
        ({"query": "Harbour"}, {"query": 'status:"Qualified"', "limit": 5}),
    ),
    LEAD,
    PATH,
    (
        Text(
            name="query",
            required=True,
            min=1,
            max=5000,
            also=("q", "text", "search"),
            doc="What to look for.",
        ),
    ),
)
GET_LEAD = getting(
    Words(
        "get-lead",
        "Get a lead",
        "Get one lead by its id, with its contacts, opportunities, open tasks and addresses.",
        ({"id": _EXAMPLE}, {"id": _EXAMPLE, "fields": ["display_name", "contacts"]}),
    ),
    LEAD,
    _ID,
)
CREATE_LEAD = creating(
    Words(
        "create-lead",
        "Create a lead",
        "Create a lead, with optional contacts and addresses, all at once or not at all.",
        (
            {"name": "Harbour Tools", "status": "Qualified"},
            {
                "name": "North Foods",
                "url": "https://north.example",
                "contacts": [{"name": "Ada Moss", "emails": ["ada@north.example"]}],
                "addresses": [{"address1": "1 Quay Rd", "city": "Leith", "country": "GB"}],
            },
        ),
    ),
    LEAD,
    PATH,
    (*_OWN, _CONTACTS, _ADDRESSES, custom_values("lead")),
)
UPDATE_LEAD = updating(
    Words(
        "update-lead",
        "Update a lead",
        "Update an existing lead: what is given is changed, the rest stays.",
        ({"id": _EXAMPLE, "status": "Customer"}, {"id": _EXAMPLE, "customFields": {}, "name": "X"}),
    ),
    LEAD,
    _ID,
    (*_OWN, _ADDRESSES, custom_values("lead")),
)
DELETE_LEAD = deleting(
    Words(
        "delete-lead",
        "Delete a lead",
        "Delete a lead for good, with its contacts, opportunities, tasks and activities.",
        ({"id": _EXAMPLE},),
    ),
    _ID,
)


async def _merge(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    source, destination = given["source"], given["destination"]
    if source == destination:
        raise ActionError(
            "source and destination are the same lead.", "Give two leads.", "destination"
        )
    # The app says of either that the source is missing: what stays is looked for first.
    for name in ("source", "destination"):
        try:
            await run.get(f"{PATH}{given[name]}/", (("_fields", "id"),))
        except ActionError as error:
            if error.status != 404:
                raise
            raise not_found("lead", name) from None
    await run.write("POST", "/lead/merge/", {"source": source, "destination": destination})
    return done(run, {"id": destination, "merged": not run.options.dry_run})


MERGE_LEADS = Action(
    "merge-leads",
    "Merge two leads",
    "Let one lead, the source, come into another with all that belongs to it; it is gone then.",
    OperationClass.DESTRUCTIVE,
    (
        lead_id("The lead that goes.", name="source", api="source", required=True, also=()),
        lead_id(
            "The lead that stays.",
            name="destination",
            api="destination",
            required=True,
            also=("target",),
        ),
    ),
    {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The lead that stays."},
            "merged": {"type": "boolean"},
            "dryRun": {"type": "boolean"},
        },
        "required": ["id", "merged"],
    },
    ({"source": _OTHER, "destination": _EXAMPLE},),
    _merge,
)
