"""What has happened with the sample's leads, and what is to do."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from clinch.crm.activities.calls import Call
from clinch.crm.activities.emails import Email
from clinch.crm.activities.meetings import Meeting
from clinch.crm.activities.notes import Note
from clinch.crm.activities.status_changes import LeadStatusChange
from clinch.crm.tasks import Task
from clinch.resources.write.change import Change

_NOTES = (
    "Met at the fair. Wants to see how the hand-over from marketing works.",
    "Spoke to reception; the buyer is back next week.",
    "They run on spreadsheets and lose track of call-backs.",
    "Asked for two references in their trade.",
    "Happy with the pilot, budget is decided next month.",
)
_TALKED = ("Good talk, sends us their process.", "Price came up early.", "Wants a demo for four.")
_MAILS = (
    ("Your offer", "Thank you for the offer. Two questions remain; can we talk on Thursday?"),
    ("Pilot", "The pilot begins on Monday. Who takes care of it on your side?"),
    ("References", "As promised, two companies of your trade that work with it."),
)
_MEETINGS = ("Demo", "First talk", "Review of the pilot", "Contract", "Planning for next year")
_TO_DO = ("Send the quote", "Call about the offer", "Prepare the demo", "Ask for a reference")


def history(
    random: Random, lead: dict[str, Any], labels: dict[str, str], now: datetime
) -> Iterator[Change]:
    """Notes, calls, mails and changes of status from a lead's making to now, and a meeting."""
    made = datetime.fromisoformat(lead["date_created"])
    for _ in range(random.randint(0, 6)):
        at = made + random.random() * (now - made)
        stamp = {
            "lead_id": lead["id"],
            "user_id": lead["owner"],
            "created_by": lead["owner"],
            "date_created": at.isoformat(timespec="seconds"),
        }
        match random.choice(("note", "note", "call", "call", "call", "mail")):
            case "note":
                yield Change.create(Note, stamp | {"note": random.choice(_NOTES)})
            case "call":
                yield Change.create(Call, stamp | _call(random, lead))
            case "mail":
                yield Change.create(Email, stamp | _mail(random, lead))
    if lead["status_label"] in ("Qualified", "Customer", "Interested"):
        yield _meeting(random, lead, now)
    if lead["status_label"] != "Potential":
        yield _lead_status(random, lead, labels, made, now)


def _call(random: Random, lead: dict[str, Any]) -> dict[str, Any]:
    reached = random.random() < 0.6
    return {
        "contact_id": lead["contacts"][0]["id"],
        "phone": lead["contacts"][0]["phones"][0]["phone"],
        "direction": random.choice(("outbound", "outbound", "inbound")),
        "status": "completed" if reached else "no-answer",
        "duration": random.randint(60, 1500) if reached else 0,
        "note": random.choice(_TALKED) if reached else "",
    }


def _mail(random: Random, lead: dict[str, Any]) -> dict[str, Any]:
    """A mail to the first contact, or from them."""
    contact = lead["contacts"][0]
    address = contact["emails"][0]["email"]
    came_in = random.random() < 0.4
    subject, text = random.choice(_MAILS)
    return {
        "contact_id": contact["id"],
        "status": "inbox" if came_in else "sent",
        "subject": subject,
        "body_text": text,
        **({"sender": f"{contact['name']} <{address}>"} if came_in else {"to": [address]}),
    }


def _meeting(random: Random, lead: dict[str, Any], now: datetime) -> Change:
    """A meeting on some day of the last weeks or the next ones, at a full hour."""
    day = now.date() + timedelta(days=random.choice((-40, -21, -14, -9, -6, -2, 0, 1, 3, 6, 10)))
    contact = lead["contacts"][0]
    return Change.create(
        Meeting,
        {
            "lead_id": lead["id"],
            "contact_id": contact["id"],
            "user_id": lead["owner"],
            "created_by": lead["owner"],
            "title": random.choice(_MEETINGS),
            "starts_at": f"{day.isoformat()}T{random.randint(8, 16):02}:00:00+00:00",
            "duration": random.choice((1800, 2700, 3600)),
            "attendees": [{"email": contact["emails"][0]["email"], "status": "yes"}],
        },
    )


def _lead_status(
    random: Random,
    lead: dict[str, Any],
    labels: dict[str, str],
    made: datetime,
    now: datetime,
) -> Change:
    at = made + (0.1 + 0.5 * random.random()) * (now - made)
    return Change.create(
        LeadStatusChange,
        {
            "lead_id": lead["id"],
            "user_id": lead["owner"],
            "created_by": lead["owner"],
            "date_created": at.isoformat(timespec="seconds"),
            "old_status_id": labels["Potential"],
            "new_status_id": labels[lead["status_label"]],
        },
    )


def tasks(random: Random, lead: dict[str, Any], today: date) -> Iterator[Change]:
    """What is to do with a lead: some late, some today, some to come, some done."""
    if lead["status_label"] == "Bad Fit" or random.random() < 0.3:
        return
    day = today + timedelta(days=random.choice((-9, -4, -2, -1, 0, 0, 0, 1, 2, 3, 5, 8, 14)))
    yield Change.create(
        Task,
        {
            "lead_id": lead["id"],
            "contact_id": lead["contacts"][0]["id"],
            "text": random.choice(_TO_DO),
            "assigned_to": lead["owner"],
            "date": day.isoformat(),
            "is_complete": random.random() < 0.2,
        },
    )
