"""`Idempotency-Key`: what is sent again is answered again, and done once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from harness import Api, Organization, rows_of

from clinch.server.idempotency import forget_keys

LEAD = {"name": "Harbour Tools"}


def send(
    api: Api, key: str, body: Any = LEAD, path: str = "/api/v1/lead/", method: str = "POST"
) -> requests.Response:
    return requests.request(
        method,
        f"{api.program.url}{path}",
        json=body,
        auth=(api.key, ""),
        headers={"Idempotency-Key": key},
        timeout=30,
    )


def leads(api: Api) -> int:
    total: int = api.get("/lead/")["total_results"]
    return total


def set_row(organization: Organization, change: str) -> None:
    """Change the row of the one key there is."""

    async def run() -> None:
        async with organization.program.store.database.owner() as transaction:
            await transaction.execute(
                f"update once set {change} where organization_id = $1",
                organization.actor().organization_id,
            )

    organization.program.run(run())


def test_what_is_sent_twice_is_done_once_and_answered_twice(api: Api) -> None:
    first, second = send(api, "a"), send(api, "a")
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert leads(api) == 1


def test_where_to_find_what_was_made_is_answered_again(api: Api) -> None:
    body = {"name": "North", "members": []}
    first, second = (send(api, "a", body, "/api/v1/group/") for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.headers["Location"] == f"/api/v1/group/{first.json()['id']}/"
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["X-Request-Id"] != first.headers["X-Request-Id"]


def test_another_key_does_it_again(api: Api) -> None:
    assert send(api, "a").json()["id"] != send(api, "b").json()["id"]
    assert leads(api) == 2


def test_a_key_is_for_one_request(api: Api) -> None:
    send(api, "a")
    for other in (
        send(api, "a", {"name": "Another"}),
        send(api, "a", path="/api/v1/lead/?_fields=id"),
        send(api, "a", path="/api/v1/contact/"),
    ):
        assert other.status_code == 422
        assert "Idempotency-Key" in other.json()["error"]
    assert leads(api) == 1


def test_a_key_is_the_users_own(organization: Organization) -> None:
    other = organization.member("admin")
    assert send(organization.admin, "a").json()["id"] != send(other, "a").json()["id"]


def test_a_refusal_is_not_kept(api: Api) -> None:
    assert send(api, "a", {"name": 5}).status_code == 400
    assert send(api, "a").status_code == 200
    assert leads(api) == 1


def test_updates_and_deletes_are_done_once_too(api: Api) -> None:
    id = send(api, "a").json()["id"]
    path = f"/api/v1/lead/{id}/"
    for _ in range(2):
        assert send(api, "b", {"name": "New"}, path, "PUT").json()["name"] == "New"
    assert [send(api, "c", None, path, "DELETE").status_code for _ in range(2)] == [200, 200]
    assert send(api, "d", None, path, "DELETE").status_code == 404


def test_trying_does_not_use_a_key_up(api: Api) -> None:
    assert send(api, "a", path="/api/v1/lead/?_dry_run=1").status_code == 200
    assert send(api, "a").status_code == 200
    assert leads(api) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x80b"])
def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    assert send(api, key).status_code == 400
    assert leads(api) == 0


def test_of_many_at_once_one_does_it(api: Api) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: send(api, "a"), range(16)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert leads(api) == 1


def test_what_was_left_behind_is_taken_up(organization: Organization) -> None:
    """The process ended before its write was committed."""
    api = organization.admin
    send(api, "a")
    set_row(organization, "done = false, sealed_answer = null")
    assert send(api, "a").status_code == 409
    assert leads(api) == 1
    set_row(organization, "begun_at = begun_at - interval '2 minutes'")
    assert send(api, "a").status_code == 200
    assert leads(api) == 2


def test_what_was_done_is_never_done_again_though_its_answer_is_lost(
    organization: Organization,
) -> None:
    api = organization.admin
    send(api, "a")
    set_row(organization, "sealed_answer = null, begun_at = begun_at - interval '2 minutes'")
    again = send(api, "a")
    assert (again.status_code, leads(api)) == (409, 1)
    assert "carried out" in again.json()["error"]


def test_the_one_that_was_thought_lost_can_no_more_commit(organization: Organization) -> None:
    """It waits for a lock for longer than an attempt may take, and is overtaken meanwhile."""
    api, program = organization.admin, organization.program
    lead = api.post("/lead/", LEAD)
    path, change = f"/api/v1/lead/{lead['id']}/", {"name": "New"}

    async def held(meanwhile: asyncio.Event, locked: asyncio.Event) -> None:
        async with program.store.database.owner() as transaction:
            await transaction.rows("select from lead where id = $1 for update", lead["id"])
            locked.set()
            await meanwhile.wait()

    async def race() -> tuple[requests.Response, requests.Response]:
        meanwhile, locked = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(held(meanwhile, locked))
        await locked.wait()
        first = asyncio.create_task(asyncio.to_thread(send, api, "a", change, path, "PUT"))
        await until_waiting(1)
        async with program.store.database.owner() as transaction:
            await transaction.execute("update once set begun_at = begun_at - interval '2 minutes'")
        second = asyncio.create_task(asyncio.to_thread(send, api, "a", change, path, "PUT"))
        await until_waiting(2)
        meanwhile.set()
        await holder
        return await first, await second

    async def until_waiting(wanted: int) -> None:
        for _ in range(500):
            async with program.store.database.owner() as transaction:
                waiting = await transaction.value(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                    " and datname = current_database()"
                )
            if waiting == wanted:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("nobody waits for the lock")

    first, second = program.run(race())
    assert sorted((first.status_code, second.status_code)) == [200, 409]
    updates = api.get("/event/", object_type="lead", action="updated")["data"]
    assert len(updates) == 1


def test_answers_are_sealed_and_go_after_a_day(organization: Organization) -> None:
    send(organization.admin, "a")
    program = organization.program
    program.run(forget_keys(program.store, datetime.now(UTC) + timedelta(hours=23)))
    assert len(rows_of(organization)["once"]) == 1
    assert LEAD["name"].encode().hex() not in rows_of(organization)["once"][0]
    program.run(forget_keys(program.store, datetime.now(UTC) + timedelta(hours=25)))
    assert not rows_of(organization)["once"]
