"""Writers that meet: each is carried out, or refused for a reason of its own."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import asyncpg
import pytest
from harness import TEST, Api, Organization

from clinch.crm.contacts import Contact
from clinch.crm.leads import Lead
from clinch.identity.integration_links import MOST
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


ROUNDS = 12


def _at_once(api: Api, *requests: tuple[str, str, Any]) -> list[int]:
    """The status of each of the requests, which all begin at one moment."""
    ready = Barrier(len(requests))

    def ask(method: str, path: str, body: Any) -> int:
        ready.wait(10)
        return api(method, path, body).status_code

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(ask, *zip(*requests, strict=True)))


def test_a_task_that_is_to_be_done_again_is_told_of_as_done_nowhere(api: Api) -> None:
    lead = api.post("/lead/", {})["id"]
    path = f"/task/{api.post('/task/', {'lead_id': lead, 'text': 'Call back'})['id']}/"
    for _ in range(ROUNDS):
        sent = [("PUT", path, {"is_complete": done}) for done in (True, False, True, False)]
        assert set(_at_once(api, *sent)) == {200}
        told = api.get("/activity/task_completed/", lead_id=lead)["data"]
        assert len(told) == int(api.get(path)["is_complete"])


@pytest.mark.parametrize("noun", ["lead", "opportunity"])
def test_changes_of_status_that_meet_are_one_entry_with_its_labels(api: Api, noun: str) -> None:
    if noun == "opportunity":
        [pipeline] = api.get("/pipeline/")["data"]
        new = {"type": "active", "pipeline_id": pipeline["id"]}
        for label in ("Called", "Met"):
            api.post("/status/opportunity/", {"label": label, **new})
    first, *others = api.get(f"/status/{noun}/")["data"][:4]
    names = {status["id"]: status["label"] for status in (first, *others)}
    for _ in range(ROUNDS):
        lead = api.post("/lead/", {})["id"]
        begin = {"lead_id": lead, "status_id": first["id"]}
        about = api.post(f"/{noun}/", begin)["id"]
        path = f"/{noun}/{about}/"
        codes = _at_once(api, *(("PUT", path, {"status_id": one["id"]}) for one in others))
        assert codes == [200, 200, 200]
        query = {"lead_id": lead if noun == "opportunity" else about}
        [told] = api.get(f"/activity/status_change/{noun}/", **query)["data"]
        assert told["old_status_label"] == first["label"]
        assert told["new_status_label"] == names[api.get(path)["status_id"]]


@pytest.mark.parametrize("path", ["activity/note", "opportunity"])
def test_comments_that_meet_a_move_are_at_the_lead_that_it_goes_to(api: Api, path: str) -> None:
    old, new = (api.post("/lead/", {})["id"] for _ in range(2))
    for _ in range(ROUNDS):
        about = api.post(f"/{path}/", {"lead_id": old, "note": "Met at the fair"})["id"]
        say = ("POST", "/comment/", {"object_id": about, "body": "Well done"})
        move = ("PUT", f"/{path}/{about}/", {"lead_id": new})
        assert _at_once(api, move, say, say) == [200, 201, 201]
        [thread] = api.get("/comment_thread/", object_ids=about)["data"]
        said = api.get("/comment/", object_id=about)["data"]
        assert [one["lead_id"] for one in (thread, *said)] == [new] * 3


def test_that_a_task_was_done_is_told_at_the_lead_that_it_goes_to(api: Api) -> None:
    old, new = (api.post("/lead/", {})["id"] for _ in range(2))
    for number in range(1, ROUNDS + 1):
        path = f"/task/{api.post('/task/', {'lead_id': old, 'text': 'x'})['id']}/"
        sent = [("PUT", path, body) for body in ({"lead_id": new}, {"is_complete": True})]
        assert _at_once(api, *sent) == [200, 200]
        assert len(api.get("/activity/task_completed/", lead_id=new)["data"]) == number


def test_an_entry_that_is_posted_goes_with_its_opportunity_or_is_refused(api: Api) -> None:
    old, new = (api.post("/lead/", {})["id"] for _ in range(2))
    had, has, *_ = (status["id"] for status in api.get("/status/opportunity/")["data"])
    for _ in range(ROUNDS):
        deal = api.post("/opportunity/", {"lead_id": old})["id"]
        entry = {"lead_id": old, "opportunity_id": deal, "old_status_id": had, "new_status_id": has}
        told = ("POST", "/activity/status_change/opportunity/", entry)
        moved, *posted = _at_once(
            api, ("PUT", f"/opportunity/{deal}/", {"lead_id": new}), told, told
        )
        assert moved == 200
        assert set(posted) <= {200, 400}
        found = api.get("/activity/status_change/opportunity/", opportunity_id=deal)["data"]
        assert [one["lead_id"] for one in found] == [new] * posted.count(200)


def test_links_that_are_made_at_once_are_not_more_than_there_may_be(api: Api) -> None:
    make = (
        "POST",
        "/integration_link/",
        {"name": "x", "url": "https://x.example/", "type": "lead"},
    )
    for _ in range(MOST - 1):
        api.post(*make[1:])
    assert sorted(_at_once(api, *[make] * 6)) == [200, *[400] * 5]
    assert len(api.get("/integration_link/", _limit=100)["data"]) == MOST


def test_of_statuses_that_are_all_deleted_at_once_one_stays(api: Api) -> None:
    [sales] = api.get("/pipeline/")["data"]
    for status in sales["statuses"][1:]:
        api.delete(f"/status/opportunity/{status['id']}/")
    made = [api.post("/status/opportunity/", {"label": n, "type": "won"})["id"] for n in "ABCDE"]
    ids = [sales["statuses"][0]["id"], *made]
    codes = _at_once(api, *(("DELETE", f"/status/opportunity/{id}/", None) for id in ids))
    assert sorted(codes) == [200, 200, 200, 200, 200, 400]
    assert len(api.get("/status/opportunity/")["data"]) == 1


def test_orders_of_statuses_that_meet_are_laid_one_over_the_other(api: Api) -> None:
    [sales] = api.get("/pipeline/")["data"]
    path, [a, b, c] = f"/pipeline/{sales['id']}/", [one["id"] for one in sales["statuses"]]

    def order(*ids: str) -> tuple[str, str, Any]:
        return "PUT", path, {"statuses": [{"id": id} for id in ids]}

    for _ in range(2 * ROUNDS):
        api.put(*order(a, b, c)[1:])
        assert _at_once(api, order(c, a, b), order(b)) == [200, 200]
        assert [one["id"] for one in api.get(path)["statuses"]] in ([b, c, a], [c, a, b])


def test_a_lead_goes_with_comments_that_are_just_being_made(api: Api) -> None:
    for _ in range(ROUNDS):
        lead = api.post("/lead/", {})["id"]
        note = api.post("/activity/note/", {"lead_id": lead, "note": "Met at the fair"})["id"]
        say = ("POST", "/comment/", {"object_id": note, "body": "Well done"})
        deleted, *said = _at_once(api, ("DELETE", f"/lead/{lead}/", None), say, say, say)
        assert deleted == 200
        assert set(said) <= {201, 400}
        assert api.get("/comment/", object_id=note)["data"] == []


def test_a_key_whose_version_keeps_moving_is_let_in(organization: Organization) -> None:
    """As when others make integration links, of which every actor is to know."""
    api, store = organization.admin, organization.program.store

    async def move() -> None:
        for _ in range(150):
            async with store.database.owner() as transaction:
                await transaction.execute(
                    "update credential set version = version + 1 where user_id = $1", api.user_id
                )
            await asyncio.sleep(0.003)

    def ask(_: int) -> int:
        return api("POST", "/lead/", {"name": "Harbour Tools"}).status_code

    with ThreadPoolExecutor(5) as threads:
        moving = threads.submit(organization.program.run, move())
        codes = list(threads.map(ask, range(60)))
        moving.result()
    assert set(codes) == {200}
