"""Accounts: the companies above leads, in trees of parents and children."""

import re
from collections.abc import Iterable
from typing import Any

from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import CustomFields
from clinch.resources.declaration import Restorable
from clinch.resources.errors import Forbidden, Invalid
from clinch.resources.fields import EQ_IN, Ref, RollUp, Shown, Text, Words, read_each
from clinch.resources.query.tree import And, Fragment, Has, Node, Or, TextMatch
from clinch.resources.query.words import split_words
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")
_MOST_DOMAINS = 100


def read_domain(text: str) -> str:
    """A domain name as it is kept: small letters, without `www.`, international ones in their
    ASCII form; the rest of an address that was pasted is left away. Raises Invalid."""
    host = re.sub(r"^[a-z][a-z0-9+.-]*://", "", text.strip().lower())
    host = re.split(r"[/?#]", host, maxsplit=1)[0].removesuffix(".")
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        name = ""
    if len(name) > 253 or not _DOMAIN.fullmatch(name):
        raise Invalid("Invalid domain name.")
    return name.removeprefix("www.") if name.count(".") > 1 else name


class Domains(Words):
    """The domain names of a company."""

    def read(self, value: Any, actor: Actor) -> Any:
        words = super().read(value, actor)
        if len(words) > _MOST_DOMAINS:
            raise Invalid("List is too long.")
        return list(dict.fromkeys(read_each(words, read_domain)))


def keep_hidden(work: Work, changes: list[Change]) -> None:
    """Whose leads an account has is not told to those who do not see them: they leave it there."""
    if work.actor.visibility is not None and any(c.kind == "delete" for c in changes):
        raise Forbidden("You need the permission view_all_leads to do this.")


def _leads(value: str, **rest: Any) -> RollUp:
    return RollUp("lead", "account_id", value, **rest)


def _sum(column: str) -> RollUp:
    return _leads(f"coalesce(sum({{row}}.{column}), 0)::bigint")


class Account(Restorable, path="account", prefix="acct"):
    """A company with leads below it, and perhaps a company above."""

    needs = {"delete": "delete_leads"}
    orders = ("name", "date_created", "date_updated")
    indexes = (
        Index(("organization_id", "date_created desc", "id desc")),
        Index(("organization_id", "name", "id")),
    )
    before = [keep_hidden]
    search_lead = "id"
    list_parameters = {
        "name": "The whole name, in any case.",
        "domain": "Domain names with commas between, of which an account has one.",
    }

    name = Text(required=True, max=500, doc="The company's name.")
    domains = Domains(doc="Its domain names, in small letters and without www.")
    parent = Ref(
        "account",
        nullable=True,
        acyclic=True,
        target_deleted="clear",
        filters=EQ_IN,
        doc="The company above it.",
    )
    owner = Ref("user", nullable=True, filters=EQ_IN, doc="Who takes care of it.")
    owner_name = Shown(owner, "name")
    num_children = RollUp("account", "parent_id", "count(*)", doc="The accounts right below it.")
    child_ids = RollUp(
        "account",
        "parent_id",
        "coalesce(json_agg({row}.id order by {row}.date_created, {row}.id), '[]')",
        json_type="array",
        optional=True,
    )
    num_leads = _leads("count(*)", doc="As all sums: of the leads right below it that one sees.")
    num_contacts = _leads(
        "coalesce(sum((select count(*) from contact c where c.organization_id = $1"
        " and c.lead_id = {row}.id)), 0)::bigint"
    )
    num_opportunities = _sum("num_opportunities")
    num_active_opportunities = _sum("num_active_opportunities")
    num_won_opportunities = _sum("num_won_opportunities")
    active_opportunity_value = _sum("active_opportunity_value")
    won_opportunity_value = _sum("won_opportunity_value")
    last_communication_date = _leads(
        "api_time(max({row}.last_communication_date))", json_type="string", nullable=True
    )
    custom = CustomFields("account_custom_field")
    created_by_name = Shown("created_by", "name")
    updated_by_name = Shown("updated_by", "name")

    @classmethod
    def search_texts(cls, row: dict[str, Any]) -> Iterable[str]:
        yield row["name"]
        yield from row["domains"]

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """By name and by domain, which the search texts find."""
        nodes: list[Node] = []
        if name := parameters.get("name", "").strip():
            nodes.append(And((cls.found(*split_words(name)), TextMatch(cls.name, "is", name))))
        if domains := parameters.get("domain", "").strip():
            nodes.append(Or(tuple(map(cls.of_domain, domains.split(",")))))
        return nodes

    @classmethod
    def of_domain(cls, text: str) -> Node:
        """The accounts that have a domain, however it is written."""
        try:
            domain = read_domain(text)
        except Invalid:
            return Or()
        return And((cls.found(domain), Has(cls.domains, domain)))

    @classmethod
    def found(cls, *words: str) -> Node:
        return Fragment(cls.fields["id"], words, "object") if words else And()
