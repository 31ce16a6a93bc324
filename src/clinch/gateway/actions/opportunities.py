"""Opportunities: the deals with leads."""

from clinch.gateway.actions.action import Words
from clinch.gateway.actions.inputs import Input, Money, OneOf, SeveralOf, Text, When, Whole, same
from clinch.gateway.actions.lists import Dates, listing
from clinch.gateway.actions.objects import creating, deleting, getting, id_of, updating
from clinch.gateway.actions.records import NUMBER, TEXT, Shape
from clinch.gateway.actions.references import (
    OpportunityStatusRef,
    PipelineRef,
    UserRef,
    contact_id,
    custom_values,
    lead_id,
)

PATH = "/opportunity/"
_ID = id_of("opportunity", "oppo", PATH)
_EXAMPLE = "oppo_4dQw8RjzTnVYxHdPsUmFAB"
_LEAD = "lead_3bKzq8RjwTnVYxHdPsUmFA"
_PERIODS = {"yearly": "annual", "annually": "annual", "once": "one_time", "month": "monthly"}

OPPORTUNITY = Shape(
    noun="opportunity",
    short={
        "id": TEXT,
        "lead_id": TEXT,
        "lead_name": TEXT,
        "status_id": TEXT,
        "status_label": TEXT,
        "status_type": TEXT,
        "user_name": TEXT,
        "value": NUMBER | {"description": "In cents."},
        "value_period": TEXT,
        "value_formatted": TEXT,
        "confidence": NUMBER | {"description": "Percent."},
        "date_won": TEXT,
        "date_created": TEXT,
    },
    cut={"lead_name": 80},
    custom=True,
)

_VALUES: tuple[Input, ...] = (
    Money(
        name="value",
        also=("valueInCents", "valueCents"),
        clears=True,
        doc="The value in cents of the organization's currency: 50000 for 500.00.",
    ),
    OneOf(
        name="valuePeriod",
        api="value_period",
        also=("period",),
        words=same("one_time", "monthly", "annual"),
        synonyms=_PERIODS,
        doc="Whether the value comes once, every month or every year; one_time when left out.",
    ),
    Whole(
        name="confidence",
        max=100,
        also=("probability",),
        doc="How likely the deal is, in percent; 50 when left out.",
    ),
)
_USER = UserRef(
    name="userId",
    api="user_id",
    also=("user", "owner", "ownerId"),
    doc='Who owns the deal: "me", an id, an email address or a full name.',
)
_NOTE = Text(name="note", clears=True, doc="What there is to say about it.")
_DATE_WON = When(
    name="dateWon",
    api="date_won",
    time=False,
    clears=True,
    also=("closeDate", "expectedCloseDate"),
    doc="The day it was won or, of an active one, is expected to close.",
)

_STATUS = OpportunityStatusRef(
    name="status",
    api="status_id",
    also=("statusLabel",),
    doc="The status, by its label or id; list-opportunity-statuses lists them.",
)

LIST_OPPORTUNITIES = listing(
    Words(
        "list-opportunities",
        "List opportunities",
        "List opportunities, with optional filtering by lead, user, status, or date range.",
        (
            {"status": "Active", "userId": "me"},
            {"leadId": _LEAD},
            {"statusType": "won", "dateFrom": "2026-01-01", "dateField": "date_won"},
        ),
    ),
    OPPORTUNITY,
    PATH,
    (
        lead_id("Only those of this lead."),
        UserRef(
            name="userId",
            api="user_id",
            also=("user", "owner", "ownerId"),
            doc='Only those that this user owns: "me", an id, an email address or a full name.',
        ),
        OpportunityStatusRef(
            name="status",
            api="status_id",
            several=True,
            also=("statusLabel",),
            doc="Only those in this status, by its label or id. A label that several pipelines"
            " have means all of them, and active, won or lost all statuses of that type.",
        ),
        SeveralOf(
            name="statusType",
            api="status_type__in",
            words=same("active", "won", "lost"),
            doc="Only those whose status is of these types.",
        ),
    ),
    dates=Dates(
        kinds={"date_created": "moment", "date_updated": "moment", "date_won": "day"},
    ),
)
GET_OPPORTUNITY = getting(
    Words(
        "get-opportunity",
        "Get an opportunity",
        "Get one opportunity by its id.",
        ({"id": _EXAMPLE},),
    ),
    OPPORTUNITY,
    _ID,
)
CREATE_OPPORTUNITY = creating(
    Words(
        "create-opportunity",
        "Create an opportunity",
        "Create an opportunity for a lead.",
        (
            {"leadId": _LEAD, "value": 50000, "valuePeriod": "monthly", "status": "Active"},
            {"leadId": _LEAD, "note": "Asked for a quote", "confidence": 70, "userId": "me"},
        ),
    ),
    OPPORTUNITY,
    PATH,
    (
        lead_id("The lead that the deal is with.", required=True),
        contact_id("The person at the lead whom it is with."),
        _STATUS,
        PipelineRef(
            name="pipeline",
            api="pipeline_id",
            doc="The pipeline, by its name or id, where several have the status.",
        ),
        _USER,
        *_VALUES,
        _NOTE,
        _DATE_WON,
        custom_values("opportunity"),
    ),
)
UPDATE_OPPORTUNITY = updating(
    Words(
        "update-opportunity",
        "Update an opportunity",
        "Update an existing opportunity: what is given is changed, the rest stays.",
        ({"id": _EXAMPLE, "status": "Won"}, {"id": _EXAMPLE, "value": 120000}),
    ),
    OPPORTUNITY,
    _ID,
    (
        contact_id("The person at the lead whom it is with."),
        _STATUS,
        _USER,
        *_VALUES,
        _NOTE,
        _DATE_WON,
        custom_values("opportunity"),
    ),
)
DELETE_OPPORTUNITY = deleting(
    Words(
        "delete-opportunity",
        "Delete an opportunity",
        "Delete an opportunity for good.",
        ({"id": _EXAMPLE},),
    ),
    _ID,
)
