"""Writers that meet: each is carried out, or refused for a reason of its own."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
from harness import TEST, Api, Organization

from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.resources.write.change import Change


async def _until_somebody_waits(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for _ in range(500):
            if await connection.fetchval(
                "select count(*) from pg_stat_activity"
                " where wait_event_type = 'Lock' and datname = current_database()"
            ):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("nobody waits for a lock")
    finally:
        await connection.close()


def test_a_lead_is_deleted_with_a_contact_that_is_just_being_added(
    organization: Organization,
) -> None:
    store, actor = organization.program.store, organization.actor()

    async def race() -> tuple[Any, Any]:
        [lead] = await store.write(actor, [Change.create(Lead, {"name": "x"})], TEST)
        async with store.database.tenant(actor.tenant) as transaction:
            add = Change.create(Contact, {"lead_id": lead.id, "name": "Ada"})
            await store.writes.write_within(transaction, actor, [add], TEST, answer=False)
            deleting = asyncio.create_task(
                store.write(actor, [Change.delete(Lead, lead.id)], TEST, answer=False)
            )
            await _until_somebody_waits(store.database.url)
        await deleting
        async with store.reading(actor) as transaction:
            left = await transaction.value(
                "select count(*) from contact where organization_id = $1", actor.organization_id
            )
            deleted = await transaction.rows(
                "select object_type from event where organization_id = $1 and action = 'deleted'"
                " order by object_type",
                actor.organization_id,
            )
        return left, [row[0] for row in deleted]

    assert organization.program.run(race()) == (0, ["activity.created", "contact", "lead"])


def test_contacts_that_several_writers_move_crosswise_are_moved_by_each(
    organization: Organization, api: Api
) -> None:
    """The leads that a contact leaves and comes to are locked in one order, whichever is which."""
    leads = [api.post("/lead/", {"contacts": [{"name": "Ada"}]}) for _ in range(4)]
    ids = [lead["id"] for lead in leads]
    contacts = [lead["contacts"][0]["id"] for lead in leads]
    before = _deadlocks(organization)

    def move(seed: int) -> list[str]:
        chosen = random.Random(seed)
        moved = (
            api("PUT", f"/contact/{chosen.choice(contacts)}/", {"lead_id": to})
            for to in chosen.choices(ids, k=40)
        )
        return [answer.text for answer in moved if answer.status_code != 200]

    with ThreadPoolExecutor(6) as threads:
        refused = [text for texts in threads.map(move, range(6)) for text in texts]
    assert refused == []
    assert _deadlocks(organization) == before
    shown = [contact["id"] for id in ids for contact in api.get(f"/lead/{id}/")["contacts"]]
    assert sorted(shown) == sorted(contacts)


def _deadlocks(organization: Organization) -> int:
    store = organization.program.store

    async def read() -> int:
        async with store.database.everyone() as transaction:
            await transaction.execute("select pg_stat_force_next_flush()")
            found: int = await transaction.value(
                "select deadlocks from pg_stat_database where datname = current_database()"
            )
            return found

    return int(organization.program.run(read()))
