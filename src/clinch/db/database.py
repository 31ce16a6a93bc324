"""Connections held open, a queue of those who wait for one, and the only transactions there are."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID = re.compile(r"[A-Za-z0-9_]{1,80}")

# Plans of whole answers are large, and each connection keeps its own; none is too long to keep.
_STATEMENTS = 150

# How long a connection that nobody wants stays in the transaction of its last reading, in seconds.
_LINGER = 0.05

# Nobody may hold a lock for long: a writer that hangs is ended by the server.
_SETTINGS = {
    "application_name": "clinch",
    "timezone": "UTC",
    "jit": "off",
    # Planning an answer takes longer than running it, and its plan hardly depends on the values.
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "10s",
}


class Busy(Exception):
    """No connection came free in time; the caller may try again."""


class CredentialChanged(Exception):
    """The credential was revoked, or its rights changed, since it was last read."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whom a transaction is for: an organization and, for requests, the credential that asks.

    The credential's version is asserted by the database in the message that begins the
    transaction, so that a revoked key fails on its next request without a round trip of its own.
    """

    organization_id: str
    credential_id: str | None = None
    version: int = 0

    def begin(self, *, read_only: bool = False) -> str:
        if not _UUID.fullmatch(self.organization_id):
            raise ValueError("an organization is named by its uuid")
        message = (
            f"begin{' read only' * read_only}; set local role clinch_app; "
            f"set local app.organization_id = '{self.organization_id}'"
        )
        if self.credential_id is None:
            return message
        if not _ID.fullmatch(self.credential_id):
            raise ValueError("a credential is named by its id")
        return f"{message}; select assert_credential('{self.credential_id}', {self.version:d})"


class Transaction:
    """An open transaction. `statements` counts what was asked beside BEGIN and COMMIT."""

    __slots__ = ("_connection", "statements")

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.statements = 0

    async def value(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        self.statements += 1
        return await self._connection.fetchval(sql, *arguments)

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        self.statements += 1
        rows: list[asyncpg.Record] = await self._connection.fetch(sql, *arguments)
        return rows

    async def execute(self, sql: str, *arguments: Any) -> None:
        self.statements += 1
        await self._connection.execute(sql, *arguments)


class Database:
    """A fixed number of connections to one database, opened when first needed."""

    def __init__(self, url: str, connections: int = 8, wait: float = 10.0) -> None:
        self.url = url
        self._wait = wait
        self._room = connections
        self._free: list[asyncpg.Connection] = []
        self._waiters: deque[asyncio.Future[asyncpg.Connection | None]] = deque()
        self._ending: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            await asyncio.wait([self._ending])
        free, self._free = self._free, []
        for connection in free:
            await connection.close(timeout=2)

    def tenant(
        self, tenant: Tenant, *, commit: bool = True
    ) -> AbstractAsyncContextManager[Transaction]:
        """A transaction of one organization; rolled back on any error, or when `commit` is False.

        Raises CredentialChanged, Busy, or what the database says.
        """
        return self._of(tenant.begin(), "commit" if commit else "rollback")

    def reading(
        self, tenant: Tenant, *, plan_anew: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """The same, to read in only. What ends it travels with the message that begins the
        connection's next transaction, or is sent soon when there is none.

        With `plan_anew` statements are planned for their values, as conditions need it.
        """
        anew = "; set local plan_cache_mode = auto" if plan_anew else ""
        return self._of(tenant.begin(read_only=True) + anew, None)

    @asynccontextmanager
    async def _of(self, begin: str, end: str | None) -> AsyncIterator[Transaction]:
        connection = await self._acquire()
        settled = False
        try:
            try:
                before = "rollback; " if connection.is_in_transaction() else ""
                await connection.execute(before + begin)
                yield Transaction(connection)
            except BaseException as error:
                settled = await _roll_back(connection)
                if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
                    raise CredentialChanged from None
                raise
            if end is not None:
                await connection.execute(end)
            settled = connection.is_in_transaction() == (end is None)
        finally:
            self._release(connection, usable=settled)

    @asynccontextmanager
    async def installation(self) -> AsyncIterator[Transaction]:
        """A transaction with no tenant: it sees the reference and local tables only."""
        async with self._plain("set local role clinch_app") as transaction:
            yield transaction

    @asynccontextmanager
    async def everyone(self) -> AsyncIterator[Transaction]:
        """A read-only transaction over all tenants, for the installation's own processes."""
        async with self._plain("set transaction read only") as transaction:
            yield transaction

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Transaction]:
        """A transaction with all rights, for what concerns the installation as a whole."""
        async with self._plain("set local statement_timeout = 0") as transaction:
            yield transaction

    @asynccontextmanager
    async def _plain(self, first: str) -> AsyncIterator[Transaction]:
        connection = await self._acquire()
        settled = False
        try:
            if connection.is_in_transaction():
                await connection.execute("rollback")
            async with connection.transaction():
                await connection.execute(first)
                yield Transaction(connection)
            settled = not connection.is_in_transaction()
        finally:
            self._release(connection, usable=settled)

    async def _end_readings(self) -> None:
        """End what the free connections have read, until none of them is in a transaction."""
        while lingering := [each for each in self._free if each.is_in_transaction()]:
            await asyncio.sleep(_LINGER)
            for connection in lingering:
                if connection in self._free and connection.is_in_transaction():
                    self._free.remove(connection)
                    settled = False
                    try:
                        settled = await _roll_back(connection)
                    finally:
                        self._release(connection, usable=settled)

    async def _acquire(self) -> asyncpg.Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
            self._room += 1  # the server has gone since it was last used
        if self._room > 0:
            self._room -= 1
            return await self._open()
        waiter: asyncio.Future[asyncpg.Connection | None]
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            connection = await asyncio.wait_for(waiter, self._wait)
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(waiter.result())
            if isinstance(error, TimeoutError):
                raise Busy("every database connection is in use") from None
            raise
        return connection if connection is not None else await self._open()

    async def _open(self) -> asyncpg.Connection:
        """Open a connection in a place that is already counted as taken."""
        try:
            return await asyncpg.connect(
                self.url,
                server_settings=_SETTINGS,
                timeout=5,
                statement_cache_size=_STATEMENTS,
                max_cacheable_statement_size=0,
            )
        except BaseException:
            self._pass_on(None)
            raise

    def _release(self, connection: asyncpg.Connection, *, usable: bool) -> None:
        # A connection whose state is not known for certain is thrown away, never handed on.
        if usable and not connection.is_closed():
            self._pass_on(connection)
        else:
            connection.terminate()
            self._pass_on(None)

    def _pass_on(self, connection: asyncpg.Connection | None) -> None:
        """Give a connection (None = the place to open one) to the first who waits, or keep it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._room += 1
        else:
            self._free.append(connection)
            if connection.is_in_transaction() and (self._ending is None or self._ending.done()):
                self._ending = asyncio.create_task(self._end_readings())


async def _roll_back(connection: asyncpg.Connection) -> bool:
    """Whether the connection is known to be clean; it is thrown away when it is not."""
    try:
        await asyncio.shield(connection.execute("rollback"))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return True
