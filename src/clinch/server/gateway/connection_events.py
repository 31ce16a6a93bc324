"""`/sse/connection-events`: server-sent events, by which a page hears how a connect session ended.

One is listened to before it has begun, and ends in whatever process its last page is answered by,
so the database is looked at now and then.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from clinch.db.database import CredentialChanged
from clinch.gateway.connections.assembly import ConnectionRoom
from clinch.gateway.errors import GatewayError, TooManyListen
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.outbound.http import Arriving
from clinch.server.gateway.connect_end import message
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute
from clinch.server.unavailable import UNAVAILABLE

_PAUSE = 1.0
_HEARTBEAT = 15.0
_LONGEST = 15 * 60
_MOST = 20

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def connection_event_routes(room: ConnectionRoom) -> list[GatewayRoute]:
    listening: Counter[str] = Counter()

    async def events(exchange: Exchange) -> Answer:
        tenant, [id] = exchange.tenant, exchange.arguments
        seconds = exchange.number("timeout", _LONGEST, _LONGEST)
        if b"last-event-id" in exchange.headers:
            return Answer(status=204)  # it was told: by this a browser knows to ask no more
        if listening[tenant.id] >= _MOST:
            raise TooManyListen(_MOST)
        listening[tenant.id] += 1

        def close() -> None:
            listening[tenant.id] -= 1

        exchange.line.listen()
        return Answer(Arriving(200, (), _events(tenant, id, seconds), close), headers=[*_HEADERS])

    async def _events(tenant: GatewayTenant, id: str, seconds: int) -> AsyncIterator[bytes]:
        """Comments, so that nobody on the way takes the line for dead, and one message."""
        ends = time.monotonic() + seconds
        commented = 0.0
        with suppress(CredentialChanged):
            while (left := ends - time.monotonic()) > 0:
                if time.monotonic() - commented >= _HEARTBEAT:
                    commented = time.monotonic()
                    yield b": waiting\n\n"
                told = await _told(tenant, id)
                if told is not None:
                    yield b"id: told\ndata: %s\n\n" % told
                    return
                await asyncio.sleep(min(_PAUSE, left))

    async def _told(tenant: GatewayTenant, id: str) -> bytes | None:
        """The message, once there is one."""
        try:
            outcome = await room.sessions.outcome(tenant, id)
        except UNAVAILABLE:
            return None
        if outcome is None:
            return None
        connection = None
        if outcome.failure is None and outcome.connection_id is not None:
            try:
                connection = await room.connections.get(tenant, outcome.connection_id)
            except GatewayError:  # ended again since then
                connection = None
        return msgspec.json.encode(message(id, outcome, connection))

    return [GatewayRoute("GET", "sse/connection-events/{}", events)]
