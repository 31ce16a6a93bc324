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


class PhoneNumber(Text):
    """A number as it is dialled: E.164, as far as it can be read in the actor's country, with an
    extension as RFC 3966 writes it (`;ext=5`)."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(max=100, **rest)

    def read(self, value: Any, actor: Actor) -> Any:
        value = super().read(value, actor)
        if not value:
            return value
        try:
            number = phonenumbers.parse(value, actor.country)
        except phonenumbers.NumberParseException:
            raise Invalid("Invalid phone number.") from None
        dialled = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return f"{dialled};ext={number.extension}" if number.extension else dialled


def describe_phone(number: str | None) -> tuple[str | None, str | None]:
    """A number in E.164 as people write it, and the ISO code of its country."""
    if not number:
        return None, None
    parsed = phonenumbers.parse(number)
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return written, phonenumbers.region_code_for_number(parsed)


class Phone(Item):
    """A number to call: E.164 as far as it can be read, and as people write it."""

    phone = PhoneNumber(required=True)
    type = Text(default="office", max=100)

    @classmethod
    def completed(cls, entry: dict[str, Any], actor: Actor) -> dict[str, Any]:
        written, country = describe_phone(entry["phone"])
        return entry | {"phone_formatted": written, "country": country}


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
