"""What a client would send to make the leads of a benchmark, and when it did.

The values come from a seed, so every run measures the same data.
"""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

CONTACTS = 3
OPPORTUNITIES = 2
FIRST = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)

_COMPANIES = ("Harbour", "Lantern", "Juniper", "Copper", "Meadow", "Northgate", "Sable", "Tidal")
_TRADES = ("Logistics", "Robotics", "Foods", "Textiles", "Energy", "Clinics", "Press", "Studios")
_GIVEN = ("Ada", "Bruno", "Chiara", "Dmitri", "Élodie", "Farid", "Grace", "Hideo", "Ines", "Jonas")
_FAMILY = ("Moss", "Okafor", "Lindqvist", "Tanaka", "Rossi", "Nowak", "Silva", "Weiß", "Khan")
_TITLES = ("Head of Operations", "Buyer", "Chief Executive", "Engineer", "Office Manager")
_SENTENCE = "They asked about delivery times, a pilot in spring and what support costs. "

Row = dict[str, Any]


def lead_body(number: int, seed: int) -> Row:
    """What a client would send to make the lead with this number."""
    random = Random(seed << 32 | number)
    company = f"{random.choice(_COMPANIES)} {random.choice(_TRADES)} {number}"
    domain = f"{company.lower().replace(' ', '-')}.example"
    return {
        "name": company,
        "url": f"https://{domain}",
        "description": _SENTENCE * random.randint(0, 4),
        "contacts": [_contact_body(random, domain) for _ in range(CONTACTS)],
    }


def _contact_body(random: Random, domain: str) -> Row:
    given, family = random.choice(_GIVEN), random.choice(_FAMILY)
    number = random.randint(2_000_000, 9_999_999)
    return {
        "name": f"{given} {family}",
        "title": random.choice(_TITLES),
        "emails": [{"email": f"{given[0].lower()}.{number}@{domain}", "type": "office"}],
        "phones": [{"phone": f"+1415{number}", "type": "office"}],
    }


def opportunity_bodies(number: int, seed: int) -> list[Row]:
    """What a client would send to make the deals with that lead."""
    random = Random(seed << 34 | number)
    return [
        {
            "value": random.randrange(10_000, 5_000_000),
            "value_period": random.choice(("one_time", "monthly", "annual")),
            "confidence": random.randrange(0, 101, 5),
            "note": (_SENTENCE * random.randint(1, 2)).strip(),
            "date_won": (FIRST + timedelta(days=random.randrange(400))).date().isoformat(),
        }
        for _ in range(OPPORTUNITIES)
    ]


def times(number: int, seed: int) -> tuple[datetime, datetime]:
    """When the lead was made and last changed: one a minute, changed within a month."""
    made = FIRST + timedelta(minutes=number)
    return made, made + timedelta(seconds=Random(seed << 33 | number).randrange(30 * 86_400))
