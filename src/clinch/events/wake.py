"""Waking the followers: a hint that there is something new, never the news itself.

After a commit the organization is noted; at most every 20 ms one notification goes out on a
connection of its own. A lost one costs time: the followers also look by themselves.
"""

import asyncio
from contextlib import suppress

import asyncpg

CHANNEL = "clinch_events"
PAUSE = 0.02
SWEEP = 2.0


class Waker:
    """Sends the hints of one process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._noted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def note(self) -> None:
        """There are new events; costs nothing but a flag."""
        self._noted.set()

    async def _run(self) -> None:
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._send_hints()
            await asyncio.sleep(SWEEP)

    async def _send_hints(self) -> None:
        connection = None
        try:
            while True:
                await self._noted.wait()
                self._noted.clear()
                if connection is None:
                    connection = await asyncpg.connect(self._url, timeout=5)
                await connection.execute(f"notify {CHANNEL}")
                await asyncio.sleep(PAUSE)
        finally:
            if connection is not None:
                connection.terminate()


class Listener:
    """Waits for hints, or for the time to look by oneself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._heard = asyncio.Event()
        self._connection: asyncpg.Connection | None = None

    async def wait(self) -> None:
        """Return on a hint, and after two seconds at the latest."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url, timeout=5)
            await self._connection.add_listener(CHANNEL, lambda *_: self._heard.set())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), SWEEP)
        self._heard.clear()

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
