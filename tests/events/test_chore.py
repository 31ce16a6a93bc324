"""Chores: what the worker does by the clock."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from harness import TEST

from clinch.db.database import Database
from clinch.events.chore import Chore
from clinch.identity.organizations import create_organization
from clinch.main import do_again, follow
from clinch.program import declarations
from clinch.resources.store import Store

PAUSE = 0.3


async def ended(work: asyncio.Task[None], when: Callable[[], Awaitable[bool]]) -> None:
    """Let something run until it has done what it should, and end it."""
    try:
        async with asyncio.timeout(30):
            while True:
                if await when():
                    return
                await asyncio.sleep(0.01)
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def test_a_chore_pauses_unless_there_is_more_and_goes_on_when_it_fails(cluster: str) -> None:
    rounds: list[float] = []
    outcomes: Iterator[bool | Exception]
    outcomes = iter([True, True, False, RuntimeError("no"), False])

    async def round(store: Store, now: datetime) -> bool:
        assert abs(now - datetime.now(UTC)) < timedelta(seconds=1)
        rounds.append(time.monotonic())
        outcome = next(outcomes, False)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def enough() -> bool:
        return len(rounds) == 5

    chore = Chore("test", timedelta(seconds=PAUSE), round)
    await ended(asyncio.create_task(do_again(cluster, chore)), enough)
    pauses = [later - earlier for earlier, later in itertools.pairwise(rounds)]
    assert [pause >= PAUSE for pause in pauses] == [False, False, True, True]


async def test_the_worker_takes_out_files_that_nothing_holds(own_database: str) -> None:
    store = Store(Database(own_database), declarations())
    system = await create_organization(store, "Harbour Sales", TEST)
    async with store.database.tenant(system.tenant) as transaction:
        await transaction.execute(
            "insert into file (organization_id, id, user_id, filename, content_type, uploaded_at,"
            " kept_until) values ($1, 'file_x', 'user_x', 'x', 'text/plain', $2, $2)",
            system.organization_id,
            datetime(2026, 1, 1, tzinfo=UTC),
        )

    async def gone() -> bool:
        async with store.database.tenant(system.tenant) as transaction:
            count = await transaction.value(
                "select count(*) from file where organization_id = $1", system.organization_id
            )
        return bool(count == 0)

    try:
        assert not await gone()
        await ended(asyncio.create_task(follow(own_database)), gone)
    finally:
        await store.database.close()
