"""The sample's companies and the people at them."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from clinch.crm.accounts import Account
from clinch.crm.leads import Lead
from clinch.resources.write.change import Change

# The second words of names, by the industry that they tell of.
_TRADES = {
    "Logistics": ("Freight", "Shipping"),
    "Robotics": ("Robotics", "Automation"),
    "Foods": ("Foods", "Bakeries"),
    "Dental": ("Dental", "Orthodontics"),
    "Energy": ("Energy", "Solar"),
    "Textiles": ("Textiles", "Weavers"),
    "Print": ("Press", "Labels"),
    "Software": ("Software", "Systems"),
}
INDUSTRIES = tuple(_TRADES)
SOURCES = ("Referral", "Trade fair", "Website", "Outbound")
PARTS = ("Decides", "Uses", "Advises")

_FIRST = (
    *("Anna", "Bo", "Carla", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kira"),
    *("Luca", "Mei", "Nadia", "Oskar", "Paula", "Quentin", "Ruth", "Sana", "Theo", "Uma", "Yuki"),
)
_LAST = (
    *("Berg", "Costa", "Dahl", "Eriksen", "Faro", "Gupta", "Holm", "Ito", "Kaya", "Novak"),
    *("Okoye", "Petit", "Quist", "Rossi", "Silva", "Tanaka", "Urban", "Vega", "Weber", "Young"),
)
_WORDS = (
    *("Harbour", "North", "Silver", "Blue", "Stone", "River", "Bright", "Copper", "Cedar"),
    *("Amber", "Falcon", "Granite", "Juniper", "Lantern", "Meadow", "Orchard", "Summit", "Tidal"),
    *("Willow", "Beacon"),
)
_NAMES = [
    (f"{word} {trade}", industry)
    for industry, trades in _TRADES.items()
    for trade in trades
    for word in _WORDS
]
_TITLES = ("Buyer", "Head of Sales", "Operations Lead", "Founder", "Office Manager", "CTO")
# City, country, and how numbers there begin, with how many digits follow.
_PLACES = (
    ("Leith", "GB", "+44131555", 4),
    ("Oslo", "NO", "+472155", 4),
    ("Porto", "PT", "+3512255", 5),
    ("Austin", "US", "+1512555", 4),
    ("Osaka", "JP", "+81665", 6),
    ("Berlin", "DE", "+4930555", 5),
)
_GROUPS = 6
# How many of a hundred leads have come how far.
_STATUSES = {"Potential": 38, "Interested": 18, "Qualified": 18, "Customer": 16, "Bad Fit": 10}


def accounts(sellers: list[str]) -> list[Change]:
    """The groups that some companies belong to, which have the first words of their names."""
    return [
        Change.create(
            Account,
            {
                "name": f"{word} Group",
                "domains": [f"{word}-group.example".lower()],
                "owner_id": sellers[number % len(sellers)],
            },
        )
        for number, word in enumerate(_WORDS[:_GROUPS])
    ]


def lead(
    random: Random,
    number: int,
    sellers: list[str],
    groups: list[dict[str, Any]],
    now: datetime,
) -> Change:
    """The company with this number; who made it is its owner."""
    name, industry = _NAMES[number * 7 % len(_NAMES)]
    domain = f"{name.replace(' ', '-')}.example".lower()
    city, country, begins, digits = random.choice(_PLACES)
    owner = random.choice(sellers)
    group = next((one["id"] for one in groups if name.startswith(one["name"].split()[0])), None)
    made = now - timedelta(days=random.randint(2, 360), minutes=random.randint(0, 600))
    people = [
        _contact(random, domain, begins, digits) for _ in range(random.choice((1, 1, 2, 2, 3)))
    ]
    return Change.create(
        Lead,
        {
            "name": name,
            "url": f"https://{domain}",
            "account_id": group,
            "status": random.choices(list(_STATUSES), list(_STATUSES.values()))[0],
            "addresses": [{"label": "business", "city": city, "country": country}],
            "contacts": people,
            "created_by": owner,
            "date_created": made.isoformat(),
            "custom": {
                "Owner": owner,
                "Industry": industry,
                "Source": random.choice(SOURCES),
                "Employees": random.choice((8, 15, 40, 75, 120, 300, 900)),
            },
        },
    )


def _contact(random: Random, domain: str, begins: str, digits: int) -> dict[str, Any]:
    first, last = random.choice(_FIRST), random.choice(_LAST)
    phone = f"{begins}{random.randrange(10**digits):0{digits}}"
    return {
        "name": f"{first} {last}",
        "title": random.choice(_TITLES),
        "emails": [{"email": f"{first}.{last}@{domain}".lower(), "type": "office"}],
        "phones": [{"phone": phone, "type": random.choice(("office", "mobile"))}],
        "custom": {"Part in the deal": random.choice(PARTS)},
    }
