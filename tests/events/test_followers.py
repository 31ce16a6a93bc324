"""Followers of the log: what they are handed when they are killed, doubled, woken or replayed."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from harness import TEST

from clinch.crm.lead_statuses import first_statuses
from clinch.crm.leads import Lead
from clinch.db.database import Database, Transaction
from clinch.events import wake
from clinch.events.follower import BATCH, Event, Follower, behind, catch_up
from clinch.events.seal import SEAL, verify
from clinch.events.wake import Listener, Waker
from clinch.identity.organizations import create_organization
from clinch.program import declarations
from clinch.resources.actor import Actor
from clinch.resources.store import Store
from clinch.resources.write.change import Change

PATIENCE = 30.0
KILLS = 10
FAR = 3600.0

EFFECT = """
create table effect (number bigserial, organization_id uuid, seq bigint, object_id text);
grant select, insert on effect to clinch_app;
grant usage on effect_number_seq to clinch_app;
"""


async def put(transaction: Transaction, organization_id: str, event: Event) -> None:
    """The effect of an event: one row, where nothing keeps it from being made twice."""
    await transaction.execute(
        "insert into effect (organization_id, seq, object_id) values ($1, $2, $3)",
        organization_id,
        event["seq"],
        event["object_id"],
    )


# A process that follows for good, and takes its time between an effect and the cursor.
FOLLOW = """
import asyncio, json, sys
from clinch.db.database import Database
from clinch.events.follower import Follower, behind, catch_up

async def put(transaction, organization_id, events):
    await transaction.execute(
        "insert into effect (organization_id, seq, object_id) select $1, x.seq, x.object_id"
        " from jsonb_to_recordset($2::jsonb) x(seq bigint, object_id text) order by x.seq",
        organization_id,
        json.dumps([{name: event[name] for name in ("seq", "object_id")} for event in events]),
    )
    await transaction.execute("select pg_sleep(0.01)")

async def main():
    database, follower = Database(sys.argv[1], 2), Follower("killed", put)
    while True:
        for organization_id in await behind(database, follower):
            await catch_up(database, follower, organization_id)
        await asyncio.sleep(0.001)

asyncio.run(main())
"""


@pytest_asyncio.fixture
async def store(own_database: str) -> AsyncIterator[Store]:
    """A store on a database of its own, where effects can be written."""
    database = Database(own_database)
    connection = await asyncpg.connect(own_database)
    await connection.execute(EFFECT)
    await connection.close()
    yield Store(database, declarations())
    await database.close()


@pytest_asyncio.fixture
async def actor(store: Store) -> Actor:
    return await create_organization(store, "Harbour Sales", TEST, first_statuses())


async def write(store: Store, actor: Actor, leads: int = 1) -> None:
    """Write leads, each of them three events, in one transaction."""
    body = {"name": "Harbour Tools", "contacts": [{"name": "Ada Moss"}]}
    changes = [Change.create(Lead, body) for _ in range(leads)]
    await store.write(actor, changes, TEST, answer=False)


@asynccontextmanager
async def owner(store: Store) -> Any:
    connection = await asyncpg.connect(store.database.url)
    try:
        yield connection
    finally:
        await connection.close()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.005)


async def logged(store: Store, actor: Actor) -> list[tuple[int, str]]:
    async with owner(store) as connection:
        rows = await connection.fetch(
            "select seq, object_id from event where organization_id = $1 order by seq",
            actor.organization_id,
        )
    return [tuple(row) for row in rows]


async def effects(store: Store, actor: Actor) -> list[tuple[int, str]]:
    """What was done for events, in the order in which it was done."""
    async with owner(store) as connection:
        rows = await connection.fetch(
            "select seq, object_id from effect where organization_id = $1 order by number",
            actor.organization_id,
        )
    return [tuple(row) for row in rows]


class Killed(Exception):
    """Ends a follower in the middle of its work."""


class Fragile:
    """A follower whose effect is put event by event, and that ends at some of them, once each."""

    def __init__(self, *ends_at: int) -> None:
        self._ends_at = set(ends_at)
        self.follower = Follower("fragile", self._handle)

    async def _handle(
        self, transaction: Transaction, organization_id: str, events: list[Event]
    ) -> None:
        for event in events:
            await put(transaction, organization_id, event)
            if event["seq"] in self._ends_at:
                self._ends_at.remove(event["seq"])
                raise Killed


async def test_a_follower_that_ends_anywhere_goes_on_without_gap_or_repetition(
    store: Store, actor: Actor
) -> None:
    await write(store, actor, BATCH)
    events = await logged(store, actor)
    assert len(events) > 2 * BATCH
    ends_at = (1, 2, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, len(events))
    fragile = Fragile(*ends_at)
    for ended in ends_at:
        with pytest.raises(Killed):
            await catch_up(store.database, fragile.follower, actor.organization_id)
        done = await effects(store, actor)
        assert done == events[: (ended - 1) // BATCH * BATCH]
    await catch_up(store.database, fragile.follower, actor.organization_id)
    assert await effects(store, actor) == events
    assert await catch_up(store.database, fragile.follower, actor.organization_id) == 0


async def start_following(store: Store) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", FOLLOW, store.database.url, start_new_session=True
    )


async def until_effects_grow(store: Store, process: asyncio.subprocess.Process) -> None:
    async with owner(store) as connection:
        before: int = await connection.fetchval("select count(*) from effect")

        async def grown() -> bool:
            assert process.returncode is None, "the follower has ended by itself"
            now: int = await connection.fetchval("select count(*) from effect")
            return now != before

        await until(grown)


async def until_nothing_is_behind(store: Store) -> None:
    async def in_step() -> bool:
        return not await behind(store.database, Follower("killed", put_all))

    await until(in_step)


async def put_all(transaction: Transaction, organization_id: str, events: list[Event]) -> None:
    for event in events:
        await put(transaction, organization_id, event)


@asynccontextmanager
async def writing(store: Store, actor: Actor) -> AsyncIterator[None]:
    """Events are being written; at the end the last write has been answered."""
    stopped = asyncio.Event()

    async def keep_writing() -> None:
        while not stopped.is_set():
            await write(store, actor, 3)
            await asyncio.sleep(0.005)

    task = asyncio.create_task(keep_writing())
    try:
        yield
    finally:
        stopped.set()
        await task


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_process_that_is_killed_again_and_again_misses_and_repeats_nothing(
    store: Store, actor: Actor
) -> None:
    choose = random.Random(11)
    async with writing(store, actor):
        for _ in range(KILLS):
            process = await start_following(store)
            try:
                await until_effects_grow(store, process)
                await asyncio.sleep(choose.random() / 20)  # to be killed elsewhere each time
            finally:
                process.kill()
                assert await process.wait() == -signal.SIGKILL
    # The server may still be about to notice that its client has gone, and holds the lock so long.
    await catch_up(store.database, Follower("killed", put_all), actor.organization_id)
    done = await effects(store, actor)
    assert done == await logged(store, actor)


async def test_two_processes_under_one_name_do_not_double(store: Store, actor: Actor) -> None:
    processes = [await start_following(store) for _ in range(2)]
    try:
        async with writing(store, actor):
            for _ in range(20):
                for process in processes:
                    await until_effects_grow(store, process)
        await until_nothing_is_behind(store)
    finally:
        for process in processes:
            process.kill()
            await process.wait()
    assert await effects(store, actor) == await logged(store, actor)


async def test_two_that_follow_at_once_share_the_events(store: Store, actor: Actor) -> None:
    await write(store, actor, BATCH)
    follower = Follower("doubled", put_all)
    counts = await asyncio.gather(
        *(catch_up(store.database, follower, actor.organization_id) for _ in range(4))
    )
    events = await logged(store, actor)
    assert sum(counts) == len(events)
    assert await effects(store, actor) == events


async def test_a_follower_without_a_cursor_sees_everything_from_the_beginning(
    store: Store, actor: Actor
) -> None:
    follower = Follower("replayed", put_all)
    await write(store, actor, 3)
    await catch_up(store.database, follower, actor.organization_id)
    await write(store, actor, 2)
    async with owner(store) as connection:
        await connection.execute("delete from event_cursor")
        await connection.execute("delete from effect")
    await catch_up(store.database, follower, actor.organization_id)
    events = await logged(store, actor)
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    assert await effects(store, actor) == events


async def test_followers_of_different_names_do_not_hinder_each_other(
    store: Store, actor: Actor
) -> None:
    one, other = Follower("one", put_all), Follower("other", put_all)
    events = await logged(store, actor)
    assert await catch_up(store.database, one, actor.organization_id) == len(events)
    assert await catch_up(store.database, other, actor.organization_id) == len(events)
    assert await effects(store, actor) == [*events, *events]


async def test_behind_names_only_organizations_that_are_ahead(store: Store) -> None:
    actors = [await create_organization(store, name, TEST, first_statuses()) for name in "ABC"]
    follower = Follower("behind", put_all)
    a, b, c = (actor.organization_id for actor in actors)
    assert set(await behind(store.database, follower)) == {a, b, c}
    await catch_up(store.database, follower, b)
    assert set(await behind(store.database, follower)) == {a, c}
    await catch_up(store.database, follower, a)
    await catch_up(store.database, follower, c)
    assert await behind(store.database, follower) == []
    await write(store, actors[1])
    assert await behind(store.database, follower) == [b]
    assert set(await behind(store.database, Follower("new", put_all))) == {a, b, c}


@asynccontextmanager
async def waking(store: Store) -> AsyncIterator[tuple[Store, Listener]]:
    """A store that wakes, and a listener that listens already."""
    waker, listener = Waker(store.database.url), Listener(store.database.url)
    waker.start()
    try:
        waiting = asyncio.create_task(listener.wait())
        await until_connected(store, "listen")
        waker.note()
        async with asyncio.timeout(PATIENCE):
            await waiting
        yield Store(store.database, store.declared, lambda _: waker.note()), listener
    finally:
        await listener.close()
        await waker.stop()


async def until_connected(store: Store, for_what: str, but_for: int = 0) -> int:
    """The backend that has said LISTEN or NOTIFY, once there is one other than `but_for`."""
    found: list[int] = []
    async with owner(store) as connection:

        async def connected() -> bool:
            rows = await connection.fetch(
                "select pid from pg_stat_activity where datname = current_database()"
                " and query ilike $1 and state = 'idle' and pid <> $2",
                f"{for_what}%",
                but_for,
            )
            found.extend(row[0] for row in rows)
            return bool(found)

        await until(connected)
    return found[0]


async def end_backend(store: Store, pid: int) -> None:
    async with owner(store) as connection:
        await connection.execute("select pg_terminate_backend($1)", pid)


async def test_a_write_wakes_the_listener_without_the_sweep(
    store: Store, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "SWEEP", FAR)
    async with waking(store) as (waking_store, listener), asyncio.timeout(PATIENCE):
        for _ in range(3):
            waiting = asyncio.create_task(listener.wait())
            await write(waking_store, actor)
            await waiting


async def test_a_hint_that_comes_between_two_waits_is_heard_by_the_next(
    store: Store, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "SWEEP", FAR)
    async with waking(store) as (waking_store, listener), asyncio.timeout(PATIENCE):
        await write(waking_store, actor)

        async def heard() -> bool:
            return listener._heard.is_set()

        await until(heard)
        await listener.wait()


async def test_a_lost_hint_costs_time_and_no_event(
    store: Store, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told of the write here; the follower looks by itself."""
    monkeypatch.setattr(wake, "SWEEP", 0.05)
    follower, listener = Follower("sweeping", put_all), Listener(store.database.url)
    await catch_up(store.database, follower, actor.organization_id)
    try:
        async with asyncio.timeout(PATIENCE):
            await write(store, actor)
            await listener.wait()
        assert await behind(store.database, follower) == [actor.organization_id]
        await catch_up(store.database, follower, actor.organization_id)
    finally:
        await listener.close()
    assert await effects(store, actor) == await logged(store, actor)


async def test_a_listener_whose_connection_was_lost_listens_anew(
    store: Store, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with waking(store) as (waking_store, listener), asyncio.timeout(PATIENCE):
        lost = await until_connected(store, "listen")
        monkeypatch.setattr(wake, "SWEEP", 0.01)
        await end_backend(store, lost)
        looking = asyncio.create_task(look_by_itself(listener))
        await until_connected(store, "listen", but_for=lost)
        await end(looking)
        monkeypatch.setattr(wake, "SWEEP", FAR)
        waiting = asyncio.create_task(listener.wait())
        await write(waking_store, actor)
        await waiting


async def look_by_itself(listener: Listener) -> None:
    while True:
        await listener.wait()


async def test_a_waker_whose_connection_was_lost_wakes_again(
    store: Store, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "SWEEP", 0.01)
    async with waking(store) as (waking_store, listener), asyncio.timeout(PATIENCE):
        lost = await until_connected(store, "notify")
        await end_backend(store, lost)
        async with writing(waking_store, actor):
            await until_connected(store, "notify", but_for=lost)
        monkeypatch.setattr(wake, "SWEEP", FAR)
        waiting = asyncio.create_task(listener.wait())
        await write(waking_store, actor)
        await waiting


async def sealed(store: Store, actor: Actor) -> list[int]:
    """Seal a log of three parts; the last number of each."""
    ends = []
    for _ in range(3):
        await write(store, actor, 2)
        await catch_up(store.database, SEAL, actor.organization_id)
        ends.append((await logged(store, actor))[-1][0])
    return ends


async def test_a_whole_log_is_verified(store: Store, actor: Actor) -> None:
    assert await verify(store.database, actor.organization_id) is None
    await sealed(store, actor)
    assert await verify(store.database, actor.organization_id) is None
    await write(store, actor)  # not sealed yet
    assert await verify(store.database, actor.organization_id) is None


async def test_a_long_log_is_verified(store: Store, actor: Actor) -> None:
    """Sealed in several batches, and read in more than one."""
    await write(store, actor, 1750)
    await catch_up(store.database, SEAL, actor.organization_id)
    assert await verify(store.database, actor.organization_id) is None
    await alter(store, actor, 5100)
    end = (await logged(store, actor))[-1][0]
    assert await verify(store.database, actor.organization_id) == (
        f"the log was altered at or before event {end}"
    )


async def alter(store: Store, actor: Actor, seq: int, what: str = "event set reason = 'x'") -> None:
    async with owner(store) as connection:
        await connection.execute(
            f"update {what} where organization_id = $1 and seq = $2", actor.organization_id, seq
        )


async def remove(store: Store, actor: Actor, *numbers: int) -> None:
    async with owner(store) as connection:
        await connection.execute(
            "delete from event where organization_id = $1 and seq = any($2)",
            actor.organization_id,
            numbers,
        )


async def test_the_seal_shows_in_which_part_an_event_was_altered(
    store: Store, actor: Actor
) -> None:
    first, second, last = await sealed(store, actor)
    for altered, shown in ((first + 1, second), (second, second), (1, first), (last, last)):
        await alter(store, actor, altered)
        assert await verify(store.database, actor.organization_id) == (
            f"the log was altered at or before event {shown}"
        )
        await alter(store, actor, altered, "event set reason = null")
        assert await verify(store.database, actor.organization_id) is None


@pytest.mark.parametrize("what", ["user_id = 'user_x'", "at = at - '1 s'::interval"])
async def test_the_seal_covers_all_that_an_event_says(
    store: Store, actor: Actor, what: str
) -> None:
    first, second, _ = await sealed(store, actor)
    await alter(store, actor, first + 1, f"event set {what}")
    assert await verify(store.database, actor.organization_id) == (
        f"the log was altered at or before event {second}"
    )


@pytest.mark.parametrize(
    "what",
    [
        "event set digest = sha256(digest)",
        "event_body set after = '{}'",
        "event_body set before = '{}'",
        "event_body set salt = sha256(salt)",
    ],
)
async def test_the_seal_shows_the_event_whose_body_and_digest_differ(
    store: Store, actor: Actor, what: str
) -> None:
    first, _, _ = await sealed(store, actor)
    await alter(store, actor, first + 2, what)
    assert await verify(store.database, actor.organization_id) == (
        f"event {first + 2} or its body was altered"
    )


async def test_the_digest_of_an_erased_body_is_sealed(store: Store, actor: Actor) -> None:
    first, second, _ = await sealed(store, actor)
    async with owner(store) as connection:
        await connection.execute("delete from event_body")
    assert await verify(store.database, actor.organization_id) is None
    await alter(store, actor, first + 1, "event set digest = sha256(digest)")
    assert await verify(store.database, actor.organization_id) == (
        f"the log was altered at or before event {second}"
    )


@pytest.mark.parametrize("place", ["first", "middle", "last of a part", "last", "last two", "all"])
async def test_the_seal_shows_where_events_were_removed(
    store: Store, actor: Actor, place: str
) -> None:
    first, second, last = await sealed(store, actor)
    numbers, shown = {
        "first": ([1], 2),
        "middle": ([first + 2], first + 3),
        "last of a part": ([second], second + 1),
        "last": ([last], last),
        "last two": ([last - 1, last], last),
        "all": (list(range(1, last + 1)), last),
    }[place]
    await remove(store, actor, *numbers)
    assert await verify(store.database, actor.organization_id) == (
        f"the log has a gap before event {shown}"
    )


async def test_each_organization_has_a_seal_of_its_own(store: Store, actor: Actor) -> None:
    other = await create_organization(store, "Other", TEST, first_statuses())
    await sealed(store, actor)
    await sealed(store, other)
    await alter(store, actor, 1)
    assert await verify(store.database, actor.organization_id) is not None
    assert await verify(store.database, other.organization_id) is None


async def test_a_seal_that_is_replayed_stays_as_it_was(store: Store, actor: Actor) -> None:
    await sealed(store, actor)
    async with owner(store) as connection:
        await connection.execute("delete from event_cursor where follower = 'seal'")
    await write(store, actor)
    await catch_up(store.database, SEAL, actor.organization_id)
    assert await verify(store.database, actor.organization_id) is None
    assert await behind(store.database, SEAL) == []
