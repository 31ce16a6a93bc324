"""Twenty callers in three processes need the same renewal at once, and some are killed at it.

The app's refresh tokens are good once. With an app that answers a spent one again for a while, no
connection is lost. With a strict one those are lost whose new tokens nobody could keep, because
their receiver was killed between the app's answer and the commit; they say so, and what was spent
is not shown to the app a third time.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from gateway.connections.provider import Grant, Provider, Refresh
from gateway.connections.yard import Yard, add_connection, open_yard
from gateway.connectors.standing import serving
from harness import SECRET_KEY, Organization
from starlette.exceptions import HTTPException

from clinch.db.database import Database
from clinch.db.ids import new_id
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.credentials import Held
from clinch.gateway.tenancy.rows import tenant_rows
from clinch.gateway.tenancy.tenants import GatewayTenant, tenant_of_user
from clinch.vault.vault import Vault

SOAK = os.environ.get("CLINCH_SOAK") == "1"
TRIALS = 1000 if SOAK else 100
# Of so many kills one is waited out: the lease of the dead ends by itself. Others end at once.
WAITED_OUT = 1 if SOAK else 5
CALLERS = (7, 7, 6)
LEASE = 2.5
PATIENCE = 30.0
TESTS = Path(__file__).parents[2]
REASON = "The answer to an earlier renewal was lost"


@dataclass
class Racer:
    """One of the processes."""

    name: str
    process: asyncio.subprocess.Process

    async def read(self) -> Any:
        """What it answers; None where it was killed before it could."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        return json.loads(line) if line.endswith(b"\n") else None

    async def run(self, connection_id: str, callers: int) -> Any:
        assert self.process.stdin is not None
        line = json.dumps({"connection": connection_id, "callers": callers})
        self.process.stdin.write(line.encode() + b"\n")
        return await self.read()


@dataclass
class Race:
    """The processes, one to spare among them, and what there is to race for."""

    yard: Yard
    tenant: GatewayTenant
    provider: Provider
    given: dict[str, Any]
    racers: list[Racer] = field(default_factory=list)
    started: int = 0

    async def start(self) -> None:
        self.started += 1
        name = f"racer-{self.started}"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            TESTS / "gateway" / "connections" / "racer.py",
            json.dumps(self.given | {"name": name}),
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.racers.append(Racer(name, process))

    async def ready(self, racer: Racer) -> None:
        assert await racer.read() == "ready"

    async def kill(self, name: str) -> None:
        [racer] = [one for one in self.racers if one.name == name]
        racer.process.send_signal(signal.SIGKILL)
        await racer.process.wait()

    async def connect(self) -> tuple[Connection, Grant]:
        one = await add_connection(self.yard, self.tenant, new_id("conn"))
        grant, answer = self.provider.grant()
        await self.let_in(one, answer)
        return one, grant

    async def let_in(self, one: Connection, answer: dict[str, object]) -> None:
        values = {"access": str(answer["access_token"]), "refresh": str(answer["refresh_token"])}
        now = await self.now()
        await self.yard.credentials.keep(self.tenant, one.id, Held(values, now, now), now)

    async def now(self) -> Any:
        async with tenant_rows(self.yard.database, self.tenant) as rows:
            return await rows.value(
                "select now() from gateway_tenant where organization_id = $1 and tenant_id = $2"
            )

    async def wear_out(self, one: Connection, grant: Grant) -> None:
        """Let the time of what the connection holds be over."""
        self.provider.end_access(grant)
        async with tenant_rows(self.yard.database, self.tenant) as rows:
            await rows.execute(
                "update gateway_connection set expires_at = now(), renew_at = now()"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
            )

    async def go(self, one: Connection) -> list[str]:
        """What the callers saw who lived to tell."""
        racing = self.racers[: len(CALLERS)]
        pairs = zip(racing, CALLERS, strict=True)
        told = await asyncio.gather(*(racer.run(one.id, callers) for racer, callers in pairs))
        return [result for results in told if results is not None for result in results]

    async def end_lease(self, one: Connection) -> None:
        """Let the time of the lease on it be over, if there is one."""
        async with tenant_rows(self.yard.database, self.tenant) as rows:
            await rows.execute(
                "update gateway_connection set lease_until = now() where organization_id = $1"
                " and tenant_id = $2 and id = $3 and lease_until is not null",
                one.id,
            )

    async def replace_the_dead(self) -> None:
        dead = [one for one in self.racers if one.process.returncode is not None]
        for one in dead:
            self.racers.remove(one)
            await self.start()
            await self.ready(self.racers[-1])


@asynccontextmanager
async def racing(
    organization: Organization, database_url: str, window: float | None
) -> AsyncIterator[Race]:
    provider = Provider(window=window)
    database = Database(database_url, 4)
    with serving(provider.app) as url:
        yard = open_yard(database, SECRET_KEY, url, window)
        tenant = await tenant_of_user(database, Vault(SECRET_KEY), organization.actor())
        given = {
            "database": database_url,
            "secret_key": SECRET_KEY,
            "provider": url,
            "window": window,
            "lease": LEASE,
            "organization_id": tenant.organization_id,
            "tenant_id": tenant.id,
        }
        race = Race(yard, tenant, provider, given)
        try:
            for _ in CALLERS:
                await race.start()
            await asyncio.gather(*map(race.ready, race.racers))
            yield race
        finally:
            for racer in race.racers:
                if racer.process.returncode is None:
                    racer.process.kill()
                await racer.process.wait()
            await yard.close()
            await database.close()


@dataclass
class Killing:
    """Kills whoever renews `one`, once, at a moment: before the app spends the token, when the
    answer is ready, or so many seconds after it was sent. With `waits` its lease stays."""

    race: Race
    one: Connection
    moment: str
    seconds: float
    waits: bool
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    killed: list[Future[None]] = field(default_factory=list)

    async def before(self, refresh: Refresh) -> None:
        if self.moment == "before" and not self.killed:
            await asyncio.wrap_future(self._kill(refresh, 0))
            raise HTTPException(500)

    async def after(self, refresh: Refresh) -> None:
        if self.moment == "ready" and not self.killed:
            await asyncio.wrap_future(self._kill(refresh, 0))
        if self.moment == "sent" and not self.killed:
            self._kill(refresh, self.seconds)

    async def over(self) -> None:
        for killed in self.killed:
            await asyncio.wrap_future(killed)

    def _kill(self, refresh: Refresh, seconds: float) -> Future[None]:
        """The stand-in calls this on a loop of its own."""

        async def later() -> None:
            await asyncio.sleep(seconds)
            await self.race.kill(refresh.client_secret)
            if not self.waits:
                await self.race.end_lease(self.one)

        self.killed.append(asyncio.run_coroutine_threadsafe(later(), self.loop))
        return self.killed[-1]


@pytest.mark.parametrize("window", [None, 60.0], ids=["strict", "with a window"])
async def test_no_connection_is_lost_in_a_race(
    organization: Organization, cluster: str, window: float | None
) -> None:
    chance = random.Random(20)
    kills = lost = 0
    async with racing(organization, cluster, window) as race:
        one, grant = await race.connect()
        for trial in range(TRIALS):
            await race.wear_out(one, grant)
            killing = None
            if trial % 5 == 4:
                moment = chance.choice(["before", "ready", "sent", "sent"])
                waits = kills % WAITED_OUT == 0
                killing = Killing(race, one, moment, chance.uniform(0, 0.01), waits)
                kills += 1
            race.provider.before = killing.before if killing is not None else None
            race.provider.after = killing.after if killing is not None else None
            before = grant.refreshes, grant.spent_twice
            told = await race.go(one)
            if killing is None:
                assert told == ["200"] * sum(CALLERS), (trial, set(told))
                assert grant.refreshes == before[0] + 1
                assert grant.spent_twice == before[1]
                continue
            await killing.over()
            await race.replace_the_dead()
            held = await race.yard.credentials.read(race.tenant, one.id)
            if held is not None:
                assert set(told) == {"200"}, (trial, killing, set(told))
                assert not grant.ended
                continue
            lost += 1
            assert window is None, (trial, killing)
            assert killing.moment != "before", trial
            assert all(REASON in result for result in told), (trial, set(told))
            await loses_for_good(race, one, grant)
            one, grant = await race.connect()
    assert lost < TRIALS / 5


async def loses_for_good(race: Race, one: Connection, grant: Grant) -> None:
    """What was spent was shown once more, and is not shown again; and the reason is told."""
    assert grant.ended
    assert grant.spent_twice == 1
    asked = race.provider.asked
    told = await race.go(one)
    assert len(told) == sum(CALLERS)
    assert all("connection_is_defunct" in result and REASON in result for result in told)
    assert race.provider.asked == asked
    shown = await race.yard.connections.get(race.tenant, one.id)
    assert shown.state == "CLIENT_ACTION_REQUIRED"
    assert shown.reason is not None
    assert REASON in shown.reason
