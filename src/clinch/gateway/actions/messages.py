"""Emails and text messages, as they were exchanged with leads."""

from clinch.gateway.actions.action import Words
from clinch.gateway.actions.calls import DATES, FILTERS
from clinch.gateway.actions.lists import listing
from clinch.gateway.actions.records import LIST, TEXT, Shape

_LEAD = "lead_3bKzq8RjwTnVYxHdPsUmFA"

EMAIL = Shape(
    noun="email",
    short={
        "id": TEXT,
        "lead_id": TEXT,
        "contact_id": TEXT,
        "direction": TEXT,
        "status": TEXT,
        "sender": TEXT,
        "to": LIST,
        "subject": TEXT,
        "body_preview": TEXT,
        "activity_at": TEXT,
        "date_created": TEXT,
    },
    cut={"body_preview": 200, "subject": 200},
    reads=("_type",),
)
SMS = Shape(
    noun="SMS",
    short={
        "id": TEXT,
        "lead_id": TEXT,
        "contact_id": TEXT,
        "direction": TEXT,
        "status": TEXT,
        "remote_phone": TEXT,
        "text": TEXT,
        "activity_at": TEXT,
        "date_created": TEXT,
    },
    cut={"text": 500},
    reads=("_type",),
)

LIST_EMAILS = listing(
    Words(
        "list-emails",
        "List emails",
        "List emails, with optional filtering by lead, user, contact, or date range; the newest"
        " come first.",
        ({"leadId": _LEAD}, {"userId": "me", "limit": 5}),
    ),
    EMAIL,
    "/activity/email/",
    FILTERS,
    dates=DATES,
)
LIST_SMS = listing(
    Words(
        "list-sms",
        "List SMS",
        "List text messages, with optional filtering by lead, user, contact, or date range; the"
        " newest come first.",
        ({"leadId": _LEAD},),
    ),
    SMS,
    "/activity/sms/",
    FILTERS,
    dates=DATES,
)
