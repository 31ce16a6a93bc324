"""The sample's deals: open, won and lost, in three pipelines."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from clinch.crm.activities.status_changes import OpportunityStatusChange
from clinch.crm.opportunities import Opportunity
from clinch.resources.write.change import Change

PIPELINES = {
    "Sales": ("Discovery", "Demo", "Proposal", "Negotiation"),
    "Partners": ("Introduced", "Joint plan"),
    "Renewals": ("Due", "In talks"),
}
"""The pipelines, and the steps in each before a deal is won or lost."""

DEAL = ("id", "lead_id", "user_id", "status_id", "status_type", "pipeline_name", "date_won")
"""What `wins` are told from."""

_COMPETITORS = ("", "", "Pier CRM", "A spreadsheet", "Built in-house")
_NEXT_STEPS = ("Send the contract", "Meet their finance", "Run the pilot", "Wait for the budget")
_NOTES = (
    "Two sites, twelve seats each. They want to begin after the summer.",
    "Replaces what they built themselves. Migration is the question.",
    "Came through the partner in Porto; price is agreed in principle.",
    "Pilot went well. Legal reads the contract.",
)
_CONFIDENCE = {
    "Discovery": 20,
    "Demo": 40,
    "Proposal": 60,
    "Negotiation": 80,
    "Introduced": 30,
    "Joint plan": 60,
    "Due": 70,
    "In talks": 85,
    "Won": 100,
    "Lost": 0,
}


def deals(
    random: Random, lead: dict[str, Any], steps: dict[tuple[str, str], str], today: date
) -> Iterator[Change]:
    """The deals of one lead, by how far it has come; `steps` are statuses by pipeline and label."""
    for pipeline, label in _stages(random, lead["status_label"]):
        done = label in ("Won", "Lost")
        closes = today + timedelta(days=random.randint(-300, -1) if done else _due(random))
        made = lead["date_created"][:10]
        yield Change.create(
            Opportunity,
            {
                "lead_id": lead["id"],
                "contact_id": lead["contacts"][0]["id"],
                "user_id": lead["owner"],
                "status_id": steps[pipeline, label],
                "value": random.choice((12, 18, 24, 36, 60, 95, 140, 220))
                * 100_000
                // (12 if pipeline == "Renewals" else 1),
                "value_period": "monthly" if pipeline == "Renewals" else "one_time",
                "confidence": _CONFIDENCE[label],
                "note": random.choice(_NOTES),
                "date_won": max(closes.isoformat(), made) if label != "Lost" else None,
                "created_by": lead["owner"],
                "date_created": lead["date_created"],
                "custom": {
                    "Competitor": random.choice(_COMPETITORS) or None,
                    "Next step": None if done else random.choice(_NEXT_STEPS),
                },
            },
        )


def _due(random: Random) -> int:
    """In how many days an open deal should close; some are late."""
    return random.choice((-12, -3, 2, 7, 14, 21, 30, 45, 60, 90))


def _stages(random: Random, status: str) -> Iterator[tuple[str, str]]:
    match status:
        case "Customer":
            yield "Sales", "Won"
            if random.random() < 0.6:
                yield "Renewals", random.choice(("Due", "In talks", "Won"))
        case "Qualified":
            yield "Sales", random.choice(("Demo", "Proposal", "Proposal", "Negotiation"))
            if random.random() < 0.3:
                yield "Partners", random.choice(("Introduced", "Joint plan"))
        case "Interested":
            yield "Sales", "Discovery"
        case "Bad Fit":
            if random.random() < 0.5:
                yield "Sales", "Lost"


def wins(
    deals: list[dict[str, Any]], steps: dict[tuple[str, str], str], now: datetime
) -> Iterator[Change]:
    """That deals were won, each in the afternoon of the day that it says."""
    for deal in deals:
        if deal["status_type"] != "won":
            continue
        day = datetime.fromisoformat(f"{deal['date_won']}T16:00:00+00:00")
        pipeline = deal["pipeline_name"]
        yield Change.create(
            OpportunityStatusChange,
            {
                "lead_id": deal["lead_id"],
                "opportunity_id": deal["id"],
                "user_id": deal["user_id"],
                "created_by": deal["user_id"],
                "date_created": min(day, now).isoformat(timespec="seconds"),
                "old_status_id": steps[pipeline, PIPELINES[pipeline][-1]],
                "new_status_id": deal["status_id"],
            },
        )
