"""Making the sample: its people and settings, then its companies, deals and history."""

import json
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from clinch.crm.custom_fields import ContactCustomField, LeadCustomField, OpportunityCustomField
from clinch.crm.lead_statuses import LeadStatus, first_statuses
from clinch.crm.pipelines import Pipeline
from clinch.crm.sample.companies import INDUSTRIES, PARTS, SOURCES, accounts, lead
from clinch.crm.sample.deals import DEAL, PIPELINES, deals, wins
from clinch.crm.sample.history import history, tasks
from clinch.db.ids import new_secret
from clinch.identity.api_keys import create_key
from clinch.identity.organizations import create_organization
from clinch.identity.users import NewUser, create_user
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Resource
from clinch.resources.query.read import Page
from clinch.resources.store import Store
from clinch.resources.write.change import Change

NAME = "Harbour Sales (sample)"
LEADS = 300

LOGINS = {
    "rep": NewUser("rosa@harbour.example", "Rosa", "Lind", "user"),
    "manager": NewUser("maya@harbour.example", "Maya", "Okafor", "superuser"),
    "executive": NewUser("erik@harbour.example", "Erik", "Sund", "superuser"),
    "admin": NewUser("ada@harbour.example", "Ada", "Moss", "admin"),
}
"""A login for each way of working here."""

COLLEAGUES = (
    NewUser("tomas@harbour.example", "Tomás", "Vidal", "user"),
    NewUser("priya@harbour.example", "Priya", "Nair", "user"),
)
"""Two more who sell."""

FROM_SAMPLE = Provenance(source="sample")


async def create_sample(
    store: Store, leads: int = LEADS, begun: Callable[[str], object] = lambda _: None
) -> dict[str, Any]:
    """Make the sample organization; how to get in. `begun` is told its id before it is filled.

    The words are `organization_id`, its admin's `api_key`, a `password` for everybody, and
    `logins`, the address of each role.
    """
    password = new_secret()[:12]
    settings = [*first_statuses(), *_pipelines()]
    system = await create_organization(store, NAME, FROM_SAMPLE, settings)
    begun(system.organization)
    users = [
        await create_user(
            store,
            system,
            NewUser(one.email, one.first_name, one.last_name, one.role_id, password),
            FROM_SAMPLE,
        )
        for one in (*LOGINS.values(), *COLLEAGUES)
    ]
    rep, manager, _, admin, *others = users
    key = await create_key(store, system, admin, "sample", FROM_SAMPLE)
    await _fill(store, Actor(system.tenant, system.organization, manager), [rep, *others], leads)
    return {
        "organization_id": system.organization,
        "api_key": key,
        "password": password,
        "logins": {role: person.email for role, person in LOGINS.items()},
    }


async def _fill(store: Store, actor: Actor, sellers: list[str], leads: int) -> None:
    random = Random(7)  # noqa: S311 (the same companies every time, nothing secret)
    await store.write(actor, _custom_fields(), FROM_SAMPLE, answer=False)
    groups = await _write(store, actor, accounts(sellers), "id", "name")
    companies = [lead(random, number, sellers, groups, actor.clock()) for number in range(leads)]
    made = await _write(store, actor, companies, "id", "date_created", "status_label", "contacts")
    for company, change in zip(made, companies, strict=True):
        company["owner"] = change.body["created_by"]
    pipelines = await _all(store, actor, Pipeline, "name", "statuses")
    steps = {
        (one["name"], step["label"]): step["id"] for one in pipelines for step in one["statuses"]
    }
    sold = [change for company in made for change in deals(random, company, steps, actor.today())]
    opened = await _write(store, actor, sold, *DEAL)
    labels = {
        status["label"]: status["id"]
        for status in await _all(store, actor, LeadStatus, "id", "label")
    }
    now = actor.clock()
    told = [change for company in made for change in history(random, company, labels, now)]
    await store.write(actor, [*told, *wins(opened, steps, now)], FROM_SAMPLE, answer=False)
    to_do = [change for company in made for change in tasks(random, company, actor.today())]
    await store.write(actor, to_do, FROM_SAMPLE, answer=False)


async def _write(
    store: Store, actor: Actor, changes: list[Change], *keys: str
) -> list[dict[str, Any]]:
    """What became of the objects, by the fields named."""
    written = await store.write(actor, changes, FROM_SAMPLE, answer=keys)
    return [json.loads(one.body) for one in written]


async def _all(
    store: Store, actor: Actor, resource: type[Resource], *keys: str
) -> list[dict[str, Any]]:
    """Every object of a resource that has few of them."""
    async with store.reading(actor) as transaction:
        page = Page(limit=200, keys=keys)
        found = await store.reads.page(transaction, actor, resource, page)
    return list(json.loads(found)["data"])


def _pipelines() -> Iterable[Change]:
    for name, steps in PIPELINES.items():
        statuses = [{"label": step, "type": "active"} for step in steps]
        ends = [{"label": "Won", "type": "won"}, {"label": "Lost", "type": "lost"}]
        yield Change.create(Pipeline, {"name": name, "statuses": [*statuses, *ends]})


def _custom_fields() -> list[Change]:
    def choices(name: str, *choices: str) -> dict[str, Any]:
        return {"name": name, "type": "choices", "choices": list(choices)}

    return [
        Change.create(LeadCustomField, {"name": "Owner", "type": "user"}),
        Change.create(LeadCustomField, choices("Industry", *INDUSTRIES)),
        Change.create(LeadCustomField, choices("Source", *SOURCES)),
        Change.create(LeadCustomField, {"name": "Employees", "type": "number"}),
        Change.create(ContactCustomField, choices("Part in the deal", *PARTS)),
        Change.create(OpportunityCustomField, {"name": "Competitor", "type": "text"}),
        Change.create(OpportunityCustomField, {"name": "Next step", "type": "text"}),
    ]
