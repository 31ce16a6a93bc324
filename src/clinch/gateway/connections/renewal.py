"""Keeping what connections hold fresh: early, once for all who ask, and never lost on the way.

In a process all who need the same renewal wait for one task. Of several processes the one with the
lease renews, and the others look for what it kept. Only the app's plain no ends a connection; what
may pass is tried again after a pause that grows, and while the old token is good it is used.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from clinch.gateway.connections.connection import Connection, defunct
from clinch.gateway.connections.credentials import Credentials, Held, Lease, Version
from clinch.gateway.connections.issuers import Issuer, Issuers, Refused, Unanswered
from clinch.gateway.errors import ConnectionDefunct, ConnectionFailed, LockTimeout
from clinch.gateway.tenancy.tenants import GatewayTenant

_POLL = 0.05
_LEASE = timedelta(seconds=30)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
_LOST_ANSWER = "The answer to an earlier renewal was lost, and with it the new tokens."


class Renewal:
    """Renews what connections hold. It is used on one event loop.

    `lease` is how long one may be at it before another takes over; it is less where a spent token
    may be spent again for a while, so that the next one comes within that.
    """

    def __init__(
        self, credentials: Credentials, issuers: Issuers, lease: timedelta = _LEASE
    ) -> None:
        self._credentials, self._issuers, self._lease = credentials, issuers, lease
        self._running: dict[tuple[str, str, int, bool], asyncio.Task[Version]] = {}

    async def fresh(
        self, tenant: GatewayTenant, one: Connection, spent: int | None = None
    ) -> Version:
        """What the connection holds, renewed where its time is nearly over, or where it is the
        version that the app took no more (`spent`).

        Raises ConnectionDefunct where a person has to connect anew, ConnectionFailed and
        LockTimeout where another time may do.
        """
        held = await self._credentials.read(tenant, one.id)
        if held is None:
            raise await self._defunct(tenant, one)
        now = datetime.now(UTC)
        if not held.held.is_due(now) and held.number != spent:
            return held
        issuer = self._issuers.of(one)
        if issuer is None:
            return held
        over = held.number == spent or _is_over(held, now)
        # For whom the old one is good for now a renewal may end with it, and for others not.
        key = (tenant.id, one.id, held.number, over)
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._renew(tenant, one, issuer, held, over))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # Who hangs up does not end it for the others.
        return await asyncio.shield(task)

    async def _renew(
        self, tenant: GatewayTenant, one: Connection, issuer: Issuer, held: Version, over: bool
    ) -> Version:
        """The version after this one, by whoever makes it; this one, where it does for now."""
        window = issuer.replay_window
        lasts = self._lease if window is None else min(self._lease, window / 2)
        ends = time.monotonic() + 2 * lasts.total_seconds()
        while True:
            began = time.monotonic()
            taken = await self._credentials.lease(tenant, one.id, held.number, lasts)
            if taken is None:
                raise await self._defunct(tenant, one)
            if isinstance(taken, Version):
                return taken
            if isinstance(taken, Lease):
                # Half of the lease is for the app's answer, the other for what is slow here.
                limit = began + lasts.total_seconds() / 2
                return await self._spend(tenant, one, issuer, taken, over, limit)
            if not over:
                return held
            if taken.seconds is not None:
                raise _for_now(one, "It did so a moment ago.", taken.seconds)
            if time.monotonic() > ends:
                raise LockTimeout("The connection is being renewed; try again in a moment.")
            await asyncio.sleep(_POLL)

    async def _spend(
        self,
        tenant: GatewayTenant,
        one: Connection,
        issuer: Issuer,
        lease: Lease,
        over: bool,
        limit: float,
    ) -> Version:
        """Renew a version under its lease, by an answer that comes before the limit."""
        old = Version(lease.version, lease.held)
        try:
            renewed = await _within(issuer, lease, limit)
        except Refused as refusal:
            reason = f"{refusal} {_LOST_ANSWER}" if lease.doubtful else str(refusal)
            await self._credentials.lose(tenant, one.id, lease, reason, datetime.now(UTC))
            # Somebody may have connected anew, or kept a good answer, in the meantime.
            current = await self._credentials.read(tenant, one.id)
            if current is None:
                raise await self._defunct(tenant, one) from None
            return current
        except Unanswered as failure:
            seconds = _pause(failure, lease.failures)
            await self._credentials.put_off(
                tenant, one.id, lease, timedelta(seconds=seconds), sent=failure.sent
            )
            if not over:
                return old
            raise _for_now(one, str(failure), seconds) from None
        kept = await self._credentials.renewed(tenant, one.id, lease, renewed, datetime.now(UTC))
        if kept is None:
            raise await self._defunct(tenant, one)
        return kept

    async def _defunct(self, tenant: GatewayTenant, one: Connection) -> ConnectionDefunct:
        return defunct(one, await self._credentials.lost_by(tenant, one.id))


async def _within(issuer: Issuer, lease: Lease, limit: float) -> Held:
    seconds = limit - time.monotonic()
    if seconds <= 0:
        raise Unanswered("This server is too busy.", sent=False)
    try:
        async with asyncio.timeout(seconds):
            return await issuer.renew(lease.held, datetime.now(UTC))
    except TimeoutError:
        raise Unanswered("It did not answer in time.", sent=True) from None


def _is_over(version: Version, now: datetime) -> bool:
    return version.held.expires_at is not None and version.held.expires_at <= now


def _pause(failure: Unanswered, failures: int) -> float:
    if failure.pause is not None:
        return min(failure.pause, _LONGEST_PAUSE)
    return min(_FIRST_PAUSE * 2.0 ** min(failures, 10), _LONGEST_PAUSE)


def _for_now(one: Connection, why: str, seconds: float) -> ConnectionFailed:
    return ConnectionFailed(
        f"{one.connector.name} did not renew the connection: {why} It stays, and is renewed as soon"
        " as that works.",
        retryAfterSeconds=round(seconds, 1),
        connectionId=one.id,
    )
