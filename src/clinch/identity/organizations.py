"""Organizations: the tenants. Each has a row of its own, a clock for its log, and a public id."""

import uuid
from collections.abc import Iterable
from typing import Any

import msgspec
import phonenumbers

from clinch.db.database import Tenant, Transaction
from clinch.db.ids import new_id
from clinch.db.schema import Column, Index, Table, id_column
from clinch.identity.credentials import read_actors_anew
from clinch.identity.roles import built_in_roles
from clinch.identity.users import User
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Audited
from clinch.resources.errors import NO_CHOICE, Invalid
from clinch.resources.fields import Boolean, Children, Computed, Text
from clinch.resources.query.read import ReadPath
from clinch.resources.query.tree import EVERYTHING
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.load import FOR_UPDATE, Load
from clinch.resources.write.order import in_order, listed_ids
from clinch.resources.write.work import Work

Json = dict[str, Any]

LEAD_STATUS = "lead_status"

ORGANIZATION_DIRECTORY = Table(
    "organization_directory",
    "reference",
    (Column("organization_id", "uuid"), id_column(), Column("name", "text")),
    ("organization_id",),
    indexes=(Index(("id",), unique=True),),
    rights="select, insert",
)


# What people write before an amount; other currencies are written with their code.
_SYMBOLS = {
    "USD": "$",
    "CAD": "CA$",
    "AUD": "A$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "CNY": "CN¥",
    "INR": "₹",
    "BRL": "R$",
}

# ISO 4217's of countries, without funds and metals.
_CURRENCIES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN "
    "BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL "
    "GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF "
    "KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
    "MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD "
    "SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH "
    "UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)


class Country(Text):
    """Two capital letters, as in ISO 3166, of a country that has phone numbers."""

    def read(self, value: Any, actor: Actor) -> Any:
        value = super().read(value, actor).upper()
        if value not in phonenumbers.SUPPORTED_REGIONS:
            raise Invalid(NO_CHOICE)
        return value

    def limits(self) -> dict[str, Any]:
        return {"minLength": 2, "maxLength": 2}


class Currency(Text):
    """Three capital letters, as in ISO 4217."""

    def read(self, value: Any, actor: Actor) -> Any:
        value = super().read(value, actor).upper()
        if value not in _CURRENCIES.split():
            raise Invalid(NO_CHOICE)
        return value

    def limits(self) -> dict[str, Any]:
        return {"minLength": 3, "maxLength": 3}


def set_symbol(work: Work, changes: list[Change]) -> None:
    for change in changes:
        currency = change.get(Organization.currency)
        change.set(Organization.currency_symbol, _SYMBOLS.get(currency, f"{currency} "))


def statuses_to_order(work: Work, changes: list[Change]) -> Iterable[Load]:
    if any(_listed(change) is not None for change in changes):
        statuses = work.declarations[LEAD_STATUS]
        yield Load(statuses, EVERYTHING, FOR_UPDATE, order="position")


def order_statuses(work: Work, changes: list[Change]) -> None:
    """The lead statuses listed come first; those left out follow in the order they had."""
    statuses = work.declarations[LEAD_STATUS]
    for change in changes:
        listed = _listed(change)
        if listed is None:
            continue
        known = [row["id"] for row in work.known(statuses)]
        order = in_order(listed, known, "lead_statuses")
        if order != known:
            for position, id in enumerate(order):
                work.update(statuses, id, {"position": position})
            work.touch(Organization, change.id, "lead_statuses")


def _listed(change: Change) -> list[str] | None:
    """The ids of the lead statuses that an update lists, or None when it lists none."""
    return listed_ids(change.body, "lead_statuses") if change.kind == "update" else None


def refresh_actors(work: Work, changes: list[Change]) -> None:
    """An actor remembers the country of the organization: all of them must be read anew."""
    if any(change.moved(Organization.country) for change in changes):
        read_actors_anew(work)


class Organization(Audited, path="organization", prefix="orga"):
    """A company that works here: its name, its currency, its people."""

    operations = ("list", "get", "update")
    needs = {"update": "manage_organization"}
    looks = [statuses_to_order]
    before = [set_symbol, order_statuses]
    within = [refresh_actors]

    organization_id = Computed("{row}.id", shown=False)
    name = Text(required=True, max=200)
    currency = Currency(default="USD", doc="ISO 4217 code of the currency.")
    currency_symbol = Text(default="$", writable="never")
    country = Country(default="US", doc="ISO 3166 code that local phone numbers are read in.")
    enable_unsubscribe_link = Boolean()
    require_unsubscribe_link = Boolean()
    plan_type = Computed("'enterprise'", doc="There is one plan, with everything.")
    status = Computed("'active'")
    user_count = Computed(
        "(select count(*) from membership m where m.organization_id = {org} and m.active)",
        json_type="integer",
    )
    pipelines = Children("pipeline", by="", order="date_created", writable="never")
    lead_statuses = Children("lead_status", by="", order="position", writable="never")
    opportunity_statuses = Children(
        "opportunity_status", by="", order="position", writable="never", doc="Deprecated."
    )
    lead_custom_fields = Children(
        "lead_custom_field", by="", order="position", writable="never", doc="Deprecated."
    )
    memberships = Children("membership", by="", only="{row}.active", writable="never")
    inactive_memberships = Children("membership", by="", only="not {row}.active", writable="never")


def in_turn() -> Load:
    """What writes lock that go one after another: what each looks at then, it sees with all that
    those before it have made or taken away."""
    return Load(Organization, EVERYTHING, FOR_UPDATE)


async def create_organization(
    store: Store,
    name: str,
    provenance: Provenance,
    start_with: Iterable[Change] = (),
) -> Actor:
    """Make an organization with the objects it starts with; the system as an actor in it."""
    actor = Actor(Tenant(str(uuid.uuid4())), new_id("orga"))
    make = [Change.create(Organization, {"name": name}, actor.organization), *built_in_roles()]
    async with store.database.tenant(actor.tenant) as transaction:
        await transaction.execute(
            "insert into organization_directory (organization_id, id, name) values ($1, $2, $3)",
            actor.organization_id,
            actor.organization,
            name,
        )
        await transaction.execute(
            "insert into event_clock (organization_id, seq) values ($1, 0)", actor.organization_id
        )
        await store.writes.write_within(
            transaction, actor, [*make, *start_with], provenance, answer=False
        )
    return actor


async def expand_users(
    transaction: Transaction, actor: Actor, reads: ReadPath, memberships: list[Json]
) -> None:
    """Put the users in place of what memberships show of them under `user_` names."""
    ids = [membership["user_id"] for membership in memberships if "user_id" in membership]
    users = await reads.several(transaction, actor, User, ids)
    for membership in memberships:
        for key in [key for key in membership if key.startswith("user_") and key != "user_id"]:
            del membership[key]
        if membership.get("user_id") in users:
            membership["user"] = msgspec.Raw(users[membership["user_id"]])


async def delete_organization(store: Store, organization_id: str) -> None:
    """Take an organization out of every table, with its log and its credentials; for good.

    Who signs in nowhere else is forgotten too.
    """
    async with store.database.owner() as transaction:
        tables = await transaction.rows(
            "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " and a.attname = 'organization_id' and not a.attisdropped"
            " where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by 1"
        )
        # One statement, because foreign keys are looked at when it ends.
        parts = [
            f"d{number} as (delete from {table} where organization_id = $1::uuid)"
            for number, (table,) in enumerate(tables)
        ]
        await transaction.execute(f"with {', '.join(parts)} select 1", organization_id)
        await transaction.execute(
            "update login set organization_ids = array_remove(organization_ids, $1::uuid)"
            " where $1::uuid = any(organization_ids)",
            organization_id,
        )
        await transaction.execute(
            "with gone as (delete from login where organization_ids = '{}' returning user_id)"
            " delete from second_factor where user_id in (select user_id from gone)"
        )


async def system_actor(store: Store, organization_id: str) -> Actor:
    """The system as an actor in the organization of this uuid."""
    async with store.database.installation() as transaction:
        id = await transaction.value(
            "select id from organization_directory where organization_id = $1", organization_id
        )
    return Actor(Tenant(organization_id), id)


async def find_organization(store: Store, named: str | None) -> Actor | None:
    """The system as an actor in the organization with this public id or name.

    With None, in the only organization there is. None when nothing, or more than one, fits.
    """
    async with store.database.installation() as transaction:
        rows = await transaction.rows(
            "select organization_id::text, id from organization_directory d"
            " where $1::text is null or d.id = $1 or d.name = $1 limit 2",
            named,
        )
    return Actor(Tenant(rows[0][0]), rows[0][1]) if len(rows) == 1 else None
