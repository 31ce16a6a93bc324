"""Calls and meetings: who spoke with whom."""

from clinch.gateway.actions.action import Words
from clinch.gateway.actions.inputs import Input, OneOf, Text, When, Whole, same
from clinch.gateway.actions.lists import Dates, listing
from clinch.gateway.actions.objects import creating
from clinch.gateway.actions.records import NUMBER, TEXT, Shape
from clinch.gateway.actions.references import UserRef, contact_id, lead_id

_LEAD = "lead_3bKzq8RjwTnVYxHdPsUmFA"

CALL = Shape(
    noun="call",
    short={
        "id": TEXT,
        "lead_id": TEXT,
        "contact_id": TEXT,
        "user_name": TEXT,
        "direction": TEXT,
        "status": TEXT,
        "disposition": TEXT,
        "duration": NUMBER | {"description": "Seconds."},
        "phone": TEXT,
        "note": TEXT,
        "activity_at": TEXT,
        "date_created": TEXT,
    },
    cut={"note": 300},
    reads=("_type", "source"),
)
MEETING = Shape(
    noun="meeting",
    short={
        "id": TEXT,
        "lead_id": TEXT,
        "user_name": TEXT,
        "title": TEXT,
        "status": TEXT,
        "location": TEXT,
        "starts_at": TEXT,
        "ends_at": TEXT,
        "duration": NUMBER | {"description": "Seconds."},
        "date_created": TEXT,
    },
    reads=("_type",),
)

FILTERS: tuple[Input, ...] = (
    lead_id("Only those of this lead."),
    UserRef(
        name="userId",
        api="user_id",
        also=("user",),
        doc='Only those of this user: "me", an id, an email address or a full name.',
    ),
    contact_id("Only those with this person."),
)
DATES = Dates(kinds={"date_created": "moment"})

LIST_CALLS = listing(
    Words(
        "list-calls",
        "List calls",
        "List calls, with optional filtering by lead, user, contact, or date range; the newest"
        " come first.",
        ({"userId": "me"}, {"leadId": _LEAD}),
    ),
    CALL,
    "/activity/call/",
    FILTERS,
    dates=DATES,
)
LOG_CALL = creating(
    Words(
        "log-call",
        "Log a call",
        "Log a call that was made or taken with another phone.",
        ({"leadId": _LEAD, "direction": "outbound", "duration": 180, "note": "Wants a quote."},),
    ),
    CALL,
    "/activity/call/",
    (
        lead_id("The lead that was spoken with.", required=True),
        contact_id("The person at the lead."),
        OneOf(
            name="direction",
            words=same("inbound", "outbound"),
            synonyms={"incoming": "inbound", "outgoing": "outbound"},
            doc="Who called: inbound they, outbound we.",
        ),
        Whole(name="duration", max=604_800, doc="How long, in seconds."),
        OneOf(
            name="status",
            words=same("completed", "no-answer", "busy", "failed", "cancel", "timeout"),
            doc="How it ended; completed when left out.",
        ),
        Text(name="phone", max=60, also=("phoneNumber",), doc="Their number."),
        Text(name="note", also=("text",), doc="What was said."),
        UserRef(
            name="userId",
            api="user_id",
            also=("user",),
            doc='Who called: "me", an id, an email address or a full name.',
        ),
        When(name="activityAt", api="activity_at", also=("date",), doc="When, where not now."),
    ),
)
LIST_MEETINGS = listing(
    Words(
        "list-meetings",
        "List meetings",
        "List meetings, with optional filtering by lead, user, contact, or date range; the newest"
        " come first.",
        ({"leadId": _LEAD}, {"userId": "me"}),
    ),
    MEETING,
    "/activity/meeting/",
    FILTERS,
    dates=DATES,
)
