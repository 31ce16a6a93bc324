"""How a connection's tokens are renewed: when, by whom, and what a failure does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway.connections.provider import Grant, Provider
from gateway.connections.yard import Yard, add_connection, open_yard
from gateway.connectors.standing import serving
from harness import SECRET_KEY, Organization

from clinch.db.database import Database
from clinch.db.ids import new_id
from clinch.gateway.api import ApiAnswer, ApiRequest
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.credentials import Held, Later, Lease, Version
from clinch.gateway.connections.issuers import held_of
from clinch.gateway.errors import ConnectionDefunct, ConnectionFailed
from clinch.gateway.tenancy.rows import tenant_rows
from clinch.gateway.tenancy.tenants import GatewayTenant, tenant_of_user
from clinch.resources.actor import EVERY_CLASS
from clinch.vault.vault import Vault

HOUR = timedelta(hours=1)


@dataclass
class Scene:
    """A connection to the stand-in, and its grant there."""

    provider: Provider
    yard: Yard
    tenant: GatewayTenant
    one: Connection
    grant: Grant

    async def call(self) -> ApiAnswer:
        return await self.yard.calls.api(self.tenant, self.one, EVERY_CLASS)(
            ApiRequest("GET", "/me")
        )

    async def held(self) -> Version:
        version = await self.yard.credentials.read(self.tenant, self.one.id)
        assert version is not None
        return version

    async def state(self) -> tuple[str, str | None]:
        shown = await self.yard.connections.get(self.tenant, self.one.id)
        return shown.state, shown.reason

    async def age(self, *, over: bool, ready_again: bool = False) -> None:
        """Let the time to renew come, or that of the token be over; or the next try be due."""
        version = await self.held()
        now = datetime.now(UTC)
        ends = now if over else now + HOUR
        async with tenant_rows(self.yard.database, self.tenant) as rows:
            await rows.execute(
                "update gateway_connection set expires_at = $4, renew_at = $5,"
                " retry_at = case when not $6 then retry_at end"
                " where organization_id = $1 and tenant_id = $2 and id = $3 and version = $7",
                self.one.id,
                ends,
                now,
                ready_again,
                version.number,
            )
        if over:
            self.provider.end_access(self.grant)

    async def lease(self, lasts: float = 60) -> Lease:
        version = await self.held()
        taken = await self.yard.credentials.lease(
            self.tenant, self.one.id, version.number, timedelta(seconds=lasts)
        )
        assert isinstance(taken, Lease), taken
        return taken

    async def keep(self, lease: Lease, access: str) -> Version | None:
        held = Held({"access": access, "refresh": f"{access}-refresh"})
        return await self.yard.credentials.renewed(
            self.tenant, self.one.id, lease, held, datetime.now(UTC)
        )

    async def lose(self, lease: Lease) -> None:
        await self.yard.credentials.lose(
            self.tenant, self.one.id, lease, "It is over.", datetime.now(UTC)
        )


@pytest.fixture
async def scene(organization: Organization, cluster: str) -> AsyncIterator[Scene]:
    provider = Provider()
    database = Database(cluster, 4)
    with serving(provider.app) as url:
        yard = open_yard(database, SECRET_KEY, url, None, lease=0.6)
        tenant = await tenant_of_user(database, Vault(SECRET_KEY), organization.actor())
        one = await add_connection(yard, tenant, new_id("conn"))
        grant, answer = provider.grant()
        now = datetime.now(UTC)
        await yard.credentials.keep(tenant, one.id, held_of(answer, None, 300, now), now)
        yield Scene(provider, yard, tenant, one, grant)
        await yard.close()
        await database.close()


async def test_what_is_fresh_is_not_renewed(scene: Scene) -> None:
    assert (await scene.call()).status == 200
    assert scene.provider.asked == 0


async def test_it_is_renewed_before_it_is_over_and_once(scene: Scene) -> None:
    await scene.age(over=False)
    answers = await asyncio.gather(*(scene.call() for _ in range(10)))
    assert {one.status for one in answers} == {200}
    assert scene.provider.asked == 1
    assert (await scene.held()).held.values["refresh"] == scene.grant.refresh


async def test_what_is_over_is_renewed_with_nobody_acting(scene: Scene) -> None:
    await scene.age(over=True)
    assert (await scene.call()).status == 200
    assert (scene.provider.asked, await scene.state()) == (1, ("READY", None))


async def test_what_was_revoked_is_renewed_with_nobody_acting(scene: Scene) -> None:
    for asked in (1, 2):
        scene.provider.end_access(scene.grant)
        assert (await scene.call()).status == 200
        assert scene.provider.asked == asked


async def test_a_401_that_stays_is_told_and_not_answered_by_renewals(scene: Scene) -> None:
    scene.provider.refuses = True
    for _ in range(3):
        assert (await scene.call()).status == 401
    assert scene.provider.asked == 1
    assert (await scene.state())[0] == "READY"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (503, {}),
        (429, {"error": "slow down"}),
        (500, {"error": "server_error"}),
        (200, {"unexpected": True}),
        (400, {"error": "invalid_request"}),
        (401, {"error": "invalid_client"}),
        (0, {}),
    ],
)
async def test_what_may_pass_ends_nothing(scene: Scene, status: int, told: object) -> None:
    scene.provider.trouble = [(status, told)]
    await scene.age(over=True)
    with pytest.raises(ConnectionFailed) as failure:
        await scene.call()
    assert not isinstance(failure.value, ConnectionDefunct)
    assert failure.value.data["retryAfterSeconds"] > 0
    assert await scene.state() == ("READY", None)
    with pytest.raises(ConnectionFailed):  # at once, and without asking the app
        await scene.call()
    assert scene.provider.asked == 1
    await scene.age(over=True, ready_again=True)
    assert (await scene.call()).status == 200
    assert scene.provider.asked == 2


async def test_while_the_old_one_is_good_it_is_used(scene: Scene) -> None:
    scene.provider.trouble = [(503, {})]
    await scene.age(over=False)
    for _ in range(3):
        assert (await scene.call()).status == 200
    assert scene.provider.asked == 1


@pytest.mark.parametrize(
    "told",
    [
        {"error": "invalid_grant", "error_description": "The user left."},
        {"status": "BAD_REFRESH_TOKEN", "message": "The user left."},
    ],
)
async def test_a_plain_no_ends_it_with_the_reason_and_a_way_back(
    scene: Scene, told: dict[str, str]
) -> None:
    scene.provider.trouble = [(400, told)]
    await scene.age(over=True)
    for _ in range(2):
        with pytest.raises(ConnectionDefunct, match="The user left") as failure:
            await scene.call()
        back = f"membrane connect --connectionId={scene.one.id} --json"
        assert failure.value.data["hint"] == back
    assert await scene.state() == ("CLIENT_ACTION_REQUIRED", "The user left.")
    assert scene.provider.asked == 1
    assert await scene.yard.credentials.read(scene.tenant, scene.one.id) is None


async def test_a_refresh_token_that_is_not_replaced_stays(scene: Scene) -> None:
    scene.provider.keeps_refresh_token = True
    first = (await scene.held()).held.values["refresh"]
    for _ in range(2):
        await scene.age(over=True)
        assert (await scene.call()).status == 200
        assert (await scene.held()).held.values["refresh"] == first


@pytest.mark.parametrize(("lifetime", "early"), [(60.0, 15), (3600.0, 300), (100_000.0, 300)])
async def test_the_newest_life_counts(scene: Scene, lifetime: float, early: float) -> None:
    """One that is short is not renewed with every call."""
    scene.provider.lifetime = lifetime
    await scene.age(over=True)
    for _ in range(2):
        assert (await scene.call()).status == 200
    held = (await scene.held()).held
    assert held.expires_at is not None
    assert held.renew_at is not None
    assert (held.expires_at - held.renew_at).total_seconds() == pytest.approx(early)
    left = (held.expires_at - datetime.now(UTC)).total_seconds()
    assert left == pytest.approx(lifetime, abs=20)
    assert scene.provider.asked == 1


async def test_without_a_life_it_is_used_until_it_is_refused(scene: Scene) -> None:
    scene.provider.lifetime = None
    await scene.age(over=True)
    for _ in range(2):
        assert (await scene.call()).status == 200
    assert (await scene.held()).held == Held((await scene.held()).held.values)
    assert scene.provider.asked == 1


async def test_who_hangs_up_does_not_end_it_for_the_others(scene: Scene) -> None:
    entered, go = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def wait(_: Any) -> None:
        loop.call_soon_threadsafe(entered.set)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go.wait(), loop))

    scene.provider.before = wait
    await scene.age(over=True)
    first, second = (asyncio.create_task(scene.call()) for _ in range(2))
    await asyncio.wait_for(entered.wait(), 10)
    first.cancel()
    go.set()
    assert (await second).status == 200
    assert scene.provider.asked == 1


async def test_one_at_a_time_has_the_lease(scene: Scene) -> None:
    held = await scene.lease()
    version = await scene.held()
    again = await scene.yard.credentials.lease(
        scene.tenant, scene.one.id, version.number, timedelta(seconds=1)
    )
    assert again == Later(None)
    assert not held.doubtful


async def test_who_slept_through_the_lease_ends_nothing(scene: Scene) -> None:
    slow = await scene.lease(0)
    quick = await scene.lease()
    assert quick.doubtful
    assert quick.fence > slow.fence
    await scene.lose(slow)
    assert (await scene.state())[0] == "READY"
    kept = await scene.keep(quick, "new")
    assert kept is not None
    assert kept.held.values["access"] == "new"
    late = await scene.keep(slow, "late")
    assert late == kept
    await scene.lose(slow)
    await scene.lose(quick)
    assert (await scene.held()).held.values["access"] == "new"


async def test_of_two_that_spent_the_same_the_later_lease_is_kept(scene: Scene) -> None:
    """An app that answers a spent token again may take the newest answer for the good one."""
    slow = await scene.lease(0)
    quick = await scene.lease()
    assert await scene.keep(slow, "first") is not None
    assert (await scene.held()).held.values["access"] == "first"
    assert await scene.keep(quick, "second") is not None
    assert (await scene.held()).held.values["access"] == "second"


async def test_a_late_answer_is_better_than_none(scene: Scene) -> None:
    slow = await scene.lease(0)
    quick = await scene.lease()
    await scene.lose(quick)
    assert (await scene.state())[0] == "CLIENT_ACTION_REQUIRED"
    assert await scene.keep(slow, "late") is not None
    assert await scene.state() == ("READY", None)


async def test_what_a_person_brings_in_the_meantime_holds(scene: Scene) -> None:
    lease = await scene.lease()
    now = datetime.now(UTC)
    await scene.yard.credentials.keep(scene.tenant, scene.one.id, Held({"access": "own"}), now)
    assert await scene.keep(lease, "late") == await scene.held()
    await scene.lose(lease)
    assert (await scene.held()).held.values == {"access": "own"}


async def test_an_app_in_trouble_is_asked_less_and_less(scene: Scene) -> None:
    pauses = []
    for _ in range(4):
        scene.provider.trouble = [(503, {})]
        await scene.age(over=True, ready_again=True)
        with pytest.raises(ConnectionFailed) as failure:
            await scene.call()
        pauses.append(failure.value.data["retryAfterSeconds"])
    assert pauses == [1, 2, 4, 8]


async def test_what_a_connection_held_is_revoked_at_the_app(scene: Scene) -> None:
    issuer = scene.yard.issuers.of(scene.one)
    assert issuer is not None
    held = (await scene.held()).held
    await issuer.revoke(held)
    assert scene.provider.revoked == [held.values["refresh"], held.values["access"]]


async def test_who_was_refused_waits_where_others_go_on(scene: Scene) -> None:
    """Another process renews: the old one does for who is early, and not for who was refused."""
    await scene.age(over=False)
    old = await scene.held()
    await scene.lease(0.5)
    fresh = scene.yard.renewal.fresh
    async with tenant_rows(scene.yard.database, scene.tenant) as rows:
        await rows.value(  # so that both ask for the lease before either hears of it
            "select c.version from gateway_connection c where c.organization_id = $1"
            " and c.tenant_id = $2 and c.id = $3 for update",
            scene.one.id,
        )
        early = asyncio.create_task(fresh(scene.tenant, scene.one))
        await asyncio.sleep(0.1)
        refused = asyncio.create_task(fresh(scene.tenant, scene.one, old.number))
        await asyncio.sleep(0.1)
    assert (await early).number == old.number
    assert (await refused).number == old.number + 1
