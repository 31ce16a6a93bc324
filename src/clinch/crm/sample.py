"""A sample organization to look around in: the same one every time."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from clinch.crm.beginning import first_objects
from clinch.crm.custom_fields import (
    ContactCustomField,
    LeadCustomField,
    OpportunityCustomField,
)
from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.crm.pipelines import Pipeline
from clinch.crm.tasks import Task
from clinch.db.ids import new_secret
from clinch.identity.api_keys import create_key
from clinch.identity.organizations import create_organization
from clinch.identity.users import NewUser, create_user
from clinch.resources.actor import Actor, Provenance
from clinch.resources.store import Store
from clinch.resources.write.change import Change

NAME = "Harbour Sales (sample)"

PEOPLE = {
    "rep": NewUser("rosa@harbour.example", "Rosa", "Lind", "user"),
    "manager": NewUser("maya@harbour.example", "Maya", "Okafor", "superuser"),
    "executive": NewUser("erik@harbour.example", "Erik", "Sund", "superuser"),
    "admin": NewUser("ada@harbour.example", "Ada", "Moss", "admin"),
}

_FIRST = ("Anna", "Bo", "Carla", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kira")
_LAST = ("Berg", "Costa", "Dahl", "Eriksen", "Faro", "Gupta", "Holm", "Ito", "Kaya", "Novak")
_PLACES = (("Leith", "GB"), ("Oslo", "NO"), ("Porto", "PT"), ("Austin", "US"), ("Osaka", "JP"))
_WORDS = ("Harbour", "North", "Silver", "Blue", "Stone", "River", "Bright", "Copper", "Cedar")
_TRADES = ("Tools", "Freight", "Dental", "Robotics", "Foods", "Energy", "Textiles", "Labs")
_TITLES = ("Buyer", "Head of Sales", "Operations Lead", "Founder", "Office Manager", "CTO")
_TO_DO = ("Send the quote", "Call about the offer", "Prepare the demo", "Ask for a reference")
_STATUSES = ("Potential", "Qualified", "Customer", "Interested")

FROM_SAMPLE = Provenance(source="sample")


async def create_sample(store: Store, leads: int = 120) -> dict[str, Any]:
    """Make the sample organization; how to get in.

    The words are `organization_id`, its admin's `api_key`, a `password` for everybody, and
    `logins`, the address of each role.
    """
    password = new_secret()[:12]
    system = await create_organization(store, NAME, FROM_SAMPLE, first_objects())
    users = {}
    for role, person in PEOPLE.items():
        new = NewUser(person.email, person.first_name, person.last_name, person.role_id, password)
        users[role] = await create_user(store, system, new, FROM_SAMPLE)
    key = await create_key(store, system, users["admin"], "sample", FROM_SAMPLE)
    actor = Actor(system.tenant, system.organization, users["rep"])
    random = Random(7)  # noqa: S311 (the same companies every time, nothing secret)
    people = list(users.values())
    await store.write(actor, _definitions(), FROM_SAMPLE, answer=False)
    made = await store.write(
        actor,
        [_lead(random, number, people) for number in range(leads)],
        FROM_SAMPLE,
        answer=("id", "contact_ids"),
    )
    work = [
        change
        for written in made
        for change in _work(random, json.loads(written.body), people, actor.today())
    ]
    await store.write(actor, work, FROM_SAMPLE, answer=False)
    return {
        "organization_id": system.organization,
        "api_key": key,
        "password": password,
        "logins": {role: person.email for role, person in PEOPLE.items()},
    }


def _definitions() -> list[Change]:
    """The custom fields of the sample."""
    return [
        Change.create(
            LeadCustomField, {"name": "Industry", "type": "choices", "choices": list(_TRADES)}
        ),
        Change.create(LeadCustomField, {"name": "Employees", "type": "number"}),
        Change.create(ContactCustomField, {"name": "Birthday", "type": "date"}),
        Change.create(OpportunityCustomField, {"name": "Competitor", "type": "text"}),
        _pipeline("Partners", "Introduced", "Joint plan"),
        _pipeline("Renewals", "Due", "In talks"),
    ]


def _pipeline(name: str, *steps: str) -> Change:
    statuses = [{"label": step, "type": "active"} for step in steps]
    ends = [{"label": "Won", "type": "won"}, {"label": "Lost", "type": "lost"}]
    return Change.create(Pipeline, {"name": name, "statuses": [*statuses, *ends]})


def _work(random: Random, lead: dict[str, Any], people: list[str], today: date) -> Iterator[Change]:
    """The deals and the tasks of one lead: some late, some for today, some to come."""
    for _ in range(random.choice((0, 1, 1, 2))):
        status = random.choice(("Active", "Active", "Won", "Lost", "Introduced", "Due"))
        closes = today + timedelta(days=random.randint(-60, 90))
        yield Change.create(
            Opportunity,
            {
                "lead_id": lead["id"],
                "contact_id": lead["contact_ids"][0],
                "user_id": random.choice(people),
                "status": status,
                "value": random.randint(5, 400) * 10_000,
                "value_period": random.choice(("one_time", "one_time", "monthly", "annual")),
                "confidence": random.choice((20, 40, 50, 75, 90)),
                "date_won": closes.isoformat() if status in ("Active", "Won") else None,
            },
        )
    if random.random() < 0.6:
        day = today + timedelta(days=random.randint(-4, 9))
        yield Change.create(
            Task,
            {
                "lead_id": lead["id"],
                "text": random.choice(_TO_DO),
                "assigned_to": random.choice(people),
                "date": day.isoformat(),
                "is_complete": random.random() < 0.2,
            },
        )


def _lead(random: Random, number: int, users: list[str]) -> Change:
    word, trade = random.choice(_WORDS), random.choice(_TRADES)
    domain = f"{word}-{trade}-{number}.example".lower()
    city, country = random.choice(_PLACES)
    made = datetime.now(UTC) - timedelta(days=random.randint(1, 300), minutes=number)
    return Change.create(
        Lead,
        {
            "name": f"{word} {trade}",
            "url": f"https://{domain}",
            "status": random.choice(_STATUSES),
            "addresses": [{"label": "business", "city": city, "country": country}],
            "contacts": [_contact(random, domain) for _ in range(random.randint(1, 3))],
            "created_by": random.choice(users),
            "date_created": made.isoformat(),
            "custom": {"Industry": trade, "Employees": random.choice((8, 40, 120, 900))},
        },
    )


def _contact(random: Random, domain: str) -> dict[str, object]:
    first, last = random.choice(_FIRST), random.choice(_LAST)
    return {
        "name": f"{first} {last}",
        "title": random.choice(_TITLES),
        "emails": [{"email": f"{first}.{last}@{domain}".lower(), "type": "office"}],
        "phones": [{"phone": f"+1415555{random.randint(100, 9999):04}", "type": "mobile"}],
    }
