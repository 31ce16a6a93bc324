"""Notes: what somebody wrote down about a lead."""

from clinch.gateway.actions.action import Words
from clinch.gateway.actions.inputs import Flag, Input, Text, When
from clinch.gateway.actions.lists import Dates, listing
from clinch.gateway.actions.objects import creating, deleting, getting, id_of, updating
from clinch.gateway.actions.records import TEXT, Shape
from clinch.gateway.actions.references import UserRef, contact_id, lead_id

PATH = "/activity/note/"
_ID = id_of("note", "acti", PATH)
_EXAMPLE = "acti_6rVw2RjzTnVYxHdPsUmFAD"
_LEAD = "lead_3bKzq8RjwTnVYxHdPsUmFA"

NOTE = Shape(
    noun="note",
    short={
        "id": TEXT,
        "lead_id": TEXT,
        "contact_id": TEXT,
        "user_id": TEXT,
        "user_name": TEXT,
        "title": TEXT,
        "note": TEXT,
        "activity_at": TEXT,
        "date_created": TEXT,
    },
    cut={"note": 500},
    reads=("_type", "source"),
)

_REST: tuple[Input, ...] = (
    Text(name="title", max=1000, clears=True, doc="A title."),
    contact_id("The person at the lead whom it is about."),
    Flag(name="pinned", doc="Whether it stays on top."),
)


def _text(*, required: bool = False) -> Text:
    return Text(
        name="note", min=1, required=required, also=("text", "content", "body"), doc="The text."
    )


LIST_NOTES = listing(
    Words(
        "list-notes",
        "List notes",
        "List note activities, with optional filtering by lead or user; the newest come first.",
        ({"leadId": _LEAD}, {"userId": "me", "dateFrom": "2026-01-01"}),
    ),
    NOTE,
    PATH,
    (
        lead_id("Only the notes about this lead."),
        UserRef(
            name="userId",
            api="user_id",
            also=("user",),
            doc='Only the notes of this user: "me", an id, an email address or a full name.',
        ),
    ),
    dates=Dates(kinds={"date_created": "moment"}),
)
GET_NOTE = getting(
    Words("get-note", "Get a note", "Get one note by its id.", ({"id": _EXAMPLE},)), NOTE, _ID
)
CREATE_NOTE = creating(
    Words(
        "create-note",
        "Create a note",
        "Create a note on a lead.",
        ({"leadId": _LEAD, "note": "Spoke to reception."},),
    ),
    NOTE,
    PATH,
    (
        lead_id("The lead that the note is about.", required=True),
        _text(required=True),
        *_REST,
        When(
            name="activityAt",
            api="activity_at",
            also=("date",),
            doc="When it happened, where not now.",
        ),
    ),
)
UPDATE_NOTE = updating(
    Words(
        "update-note",
        "Update a note",
        "Update an existing note: what is given is changed, the rest stays.",
        ({"id": _EXAMPLE, "note": "Spoke to Ada."},),
    ),
    NOTE,
    _ID,
    (_text(), *_REST),
)
DELETE_NOTE = deleting(
    Words("delete-note", "Delete a note", "Delete a note for good.", ({"id": _EXAMPLE},)), _ID
)
