"""Postal and electronic addresses: the items of the lists that leads and contacts carry."""

import importlib.resources
from functools import cache
from typing import Any

import phonenumbers

from clinch.resources.actor import Actor
from clinch.resources.errors import REQUIRED, Invalid
from clinch.resources.fields import EmailAddress, Item, Text
from clinch.resources.fields import Url as UrlField


class Address(Item):
    """Where a lead is; `tz_ids` follow from the country."""

    label = Text(default="business", max=100)
    address_1 = Text(nullable=True, max=500)
    address_2 = Text(nullable=True, max=500)
    city = Text(nullable=True, max=500)
    state = Text(nullable=True, max=500)
    zipcode = Text(nullable=True, max=100)
    country = Text(nullable=True, max=100)

    @classmethod
    def completed(cls, entry: dict[str, Any], actor: Actor) -> dict[str, Any]:
        return entry | {"tz_ids": list(time_zones().get((entry["country"] or "").upper(), ()))}


class Email(Item):
    """An address to write to."""

    email = EmailAddress(required=True)
    type = Text(default="office", max=100)

    @classmethod
    def completed(cls, entry: dict[str, Any], actor: Actor) -> dict[str, Any]:
        return entry | {"is_unsubscribed": False}


class Phone(Item):
    """A number to call: E.164 as far as it can be read, and as people write it."""

    phone = Text(required=True, max=100)
    type = Text(default="office", max=100)

    @classmethod
    def completed(cls, entry: dict[str, Any], actor: Actor) -> dict[str, Any]:
        try:
            number = phonenumbers.parse(entry["phone"], actor.country)
        except phonenumbers.NumberParseException:
            problem = {"phone": "Invalid phone number."}
            raise Invalid({"errors": [], "field-errors": problem}) from None
        return entry | {
            "phone": phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
            "phone_formatted": phonenumbers.format_number(
                number, phonenumbers.PhoneNumberFormat.INTERNATIONAL
            ),
            "country": phonenumbers.region_code_for_number(number),
        }


class Url(Item):
    """A page about somebody."""

    url = UrlField(required=True, nullable=False)
    type = Text(default="url", max=100)

    @classmethod
    def completed(cls, entry: dict[str, Any], actor: Actor) -> dict[str, Any]:
        if not entry["url"]:
            raise Invalid({"errors": [], "field-errors": {"url": REQUIRED}})
        return entry


@cache
def time_zones() -> dict[str, tuple[str, ...]]:
    """The IANA time zones of each country, by ISO 3166 code, as the time zone data lists them."""
    zones: dict[str, tuple[str, ...]] = {}
    table = importlib.resources.files("tzdata") / "zoneinfo" / "zone.tab"
    for line in table.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            zones[country] = (*zones.get(country, ()), zone)
    return zones
