"""Connections held open, a queue of those who wait for one, and the only transactions there are."""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID = re.compile(r"[A-Za-z0-9_]{1,80}")

# Plans of whole answers are large, and each connection keeps its own; none is too long to keep.
_STATEMENTS = 150

# How long the transaction of a reading is there for those that come after it, in seconds.
_LINGER = 0.05

# Nobody may hold a lock for long: a writer that hangs is ended by the server.
_SETTINGS = {
    "application_name": "clinch",
    "timezone": "UTC",
    "jit": "off",
    # In a transaction that is shared, each statement has to see what was committed before it.
    "default_transaction_isolation": "read committed",
    # Planning an answer takes longer than running it, and its plan hardly depends on the values.
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "10s",
}


Due = tuple[str, int] | tuple[()]
"""The id and the version of a credential that has yet to be asserted; nothing where none has."""


class Busy(Exception):
    """No connection came free in time; the caller may try again."""


class CredentialChanged(Exception):
    """The credential was revoked, or its rights changed, since it was last read."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whom a transaction is for: an organization and, for requests, the credential that asks.

    The credential's version is asserted by the database, in a message or a statement that is sent
    anyway, so that a revoked key fails on its next request without a round trip of its own.
    """

    organization_id: str
    credential_id: str | None = None
    version: int = 0
    # What makes a transaction the organization's, and what asserts the credential.
    _settings: str = field(init=False, repr=False, compare=False)
    _assertion: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _UUID.fullmatch(self.organization_id):
            raise ValueError("an organization is named by its uuid")
        settings = "set local role clinch_app; set local app.organization_id = "
        assertion = ""
        if self.credential_id is not None:
            if not _ID.fullmatch(self.credential_id):
                raise ValueError("a credential is named by its id")
            assertion = f"; select assert_credential('{self.credential_id}', {self.version:d})"
        object.__setattr__(self, "_settings", f"{settings}'{self.organization_id}'")
        object.__setattr__(self, "_assertion", assertion)

    @property
    def _credential(self) -> Due:
        return () if self.credential_id is None else (self.credential_id, self.version)


class Transaction:
    """An open transaction. `statements` counts what was asked beside BEGIN and COMMIT, `failed`
    says whether the database refused any of it. What is `due` has to be taken before.
    """

    __slots__ = ("_connection", "due", "failed", "statements")

    def __init__(self, connection: asyncpg.Connection, due: Due = ()) -> None:
        self._connection, self.due = connection, due
        self.statements, self.failed = 0, False

    def take_due(self) -> Due:
        """What the next statement has to assert, as it then does."""
        due, self.due = self.due, ()
        return due

    async def value(self, sql: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._ask(self._connection.fetchval, sql, arguments)

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._ask(self._connection.fetch, sql, arguments)
        return rows

    async def execute(self, sql: str, *arguments: Any) -> None:
        await self._ask(self._connection.execute, sql, arguments)

    async def _ask(
        self, how: Callable[..., Awaitable[Any]], sql: str, arguments: tuple[Any, ...]
    ) -> Any:
        if self.due:
            raise RuntimeError("a statement leaves out to assert the credential")
        self.statements += 1
        try:
            return await how(sql, *arguments)
        except asyncpg.PostgresError:
            self.failed = True
            raise


class Database:
    """A fixed number of connections to one database, opened when first needed."""

    def __init__(self, url: str, connections: int = 8, wait: float = 10.0) -> None:
        self.url = url
        self._wait = wait
        self._room = connections
        self._free: list[_Connection] = []
        self._waiters: deque[asyncio.Future[_Connection | None]] = deque()
        self._ending: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            await asyncio.wait([self._ending])
        free, self._free = self._free, []
        for connection in free:
            await connection.driver.close(timeout=2)

    def tenant(
        self, tenant: Tenant, *, commit: bool = True
    ) -> AbstractAsyncContextManager[Transaction]:
        """A transaction of one organization; rolled back on any error, or when `commit` is False.

        Raises CredentialChanged, Busy, or what the database says.
        """
        return _Writing(self, tenant, "commit" if commit else "rollback")

    def reading(
        self, tenant: Tenant, *, plan_anew: bool = False, asserted: bool = True
    ) -> AbstractAsyncContextManager[Transaction]:
        """The same, to read in only. It may have begun for another reading of the organization, a
        moment ago; either way each statement sees what was committed before it.

        With `plan_anew` statements are planned for their values, as conditions need it. Unless
        `asserted` the credential is left to the one statement that is asked, see `Transaction`.
        """
        anew = "; set local plan_cache_mode = auto" if plan_anew else ""
        return _Reading(self, tenant, f"begin read only; {tenant._settings}{anew}", asserted)

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
            await connection.leave_reading()
            async with connection.driver.transaction():
                await connection.driver.execute(first)
                yield Transaction(connection.driver)
            settled = not connection.driver.is_in_transaction()
        finally:
            self._release(connection, usable=settled)

    async def _end_readings(self) -> None:
        """End the readings of free connections once their moment is over, until there are none."""
        reading = True
        while reading:
            await asyncio.sleep(_LINGER)
            begun_before = time.monotonic() - _LINGER
            for connection in self._free.copy():
                over = connection.reading and connection.since <= begun_before
                if over and connection in self._free:
                    self._free.remove(connection)
                    settled = False
                    try:
                        settled = await connection.roll_back()
                    finally:
                        self._release(connection, usable=settled)
            reading = any(connection.reading for connection in self._free)

    async def _acquire(self, reading: str = "") -> "_Connection":
        """A connection; if possible one that is in a reading which began like this."""
        while self._free:
            place = len(self._free) - 1
            while place and self._free[place].reading != reading:
                place -= 1
            connection = self._free.pop(place)
            if not connection.driver.is_closed():
                return connection
            self._room += 1  # the server has gone since it was last used
        if self._room > 0:
            self._room -= 1
            return await self._open()
        waiter: asyncio.Future[_Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            handed = await asyncio.wait_for(waiter, self._wait)
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(waiter.result())
            if isinstance(error, TimeoutError):
                raise Busy("every database connection is in use") from None
            raise
        return handed if handed is not None else await self._open()

    async def _open(self) -> "_Connection":
        """Open a connection in a place that is already counted as taken."""
        try:
            return _Connection(
                await asyncpg.connect(
                    self.url,
                    server_settings=_SETTINGS,
                    timeout=5,
                    statement_cache_size=_STATEMENTS,
                    max_cacheable_statement_size=0,
                )
            )
        except BaseException:
            self._pass_on(None)
            raise

    def _release(self, connection: "_Connection", *, usable: bool) -> None:
        # A connection whose state is not known for certain is thrown away, never handed on.
        if usable and not connection.driver.is_closed():
            self._pass_on(connection)
        else:
            connection.driver.terminate()
            self._pass_on(None)

    def _pass_on(self, connection: "_Connection | None") -> None:
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
            if connection.reading and (self._ending is None or self._ending.done()):
                self._ending = asyncio.create_task(self._end_readings())


class _Connection:
    """A connection, and the reading it is still in: what that began with ("" for none), and when,
    in seconds of the monotonic clock."""

    __slots__ = ("driver", "reading", "since")

    def __init__(self, driver: asyncpg.Connection) -> None:
        self.driver = driver
        self.reading = ""
        self.since = 0.0

    async def roll_back(self) -> bool:
        """Whether it is known to be in no transaction now; it is thrown away when it is not."""
        self.reading = ""
        try:
            await asyncio.shield(self.driver.execute("rollback"))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False
        return True

    async def leave_reading(self) -> None:
        if self.reading:
            self.reading = ""
            await self.driver.execute("rollback")


class _Scope:
    """A transaction of a tenant from its beginning to its end: a context manager of few steps,
    since every request has one."""

    __slots__ = ("_connection", "_database", "_tenant")

    _connection: _Connection

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self._database, self._tenant = database, tenant

    async def _say(self, message: str) -> None:
        """Send what begins the transaction, or what it asks first."""
        try:
            await self._connection.driver.execute(message)
        except BaseException as error:
            await self._fail(error)
            raise

    async def _fail(self, error: BaseException) -> None:
        """End it after an error; raises CredentialChanged where that is what it means."""
        settled = False
        try:
            settled = await self._connection.roll_back()
        finally:
            self._database._release(self._connection, usable=settled)
        if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
            raise CredentialChanged from None


class _Writing(_Scope):
    __slots__ = ("_end",)

    def __init__(self, database: Database, tenant: Tenant, end: str) -> None:
        super().__init__(database, tenant)
        self._end = end

    async def __aenter__(self) -> Transaction:
        self._connection = connection = await self._database._acquire()
        begin = f"begin; {self._tenant._settings}{self._tenant._assertion}"
        message = f"rollback; {begin}" if connection.reading else begin
        connection.reading = ""
        await self._say(message)
        return Transaction(connection.driver)

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            await self._fail(error)
            return
        settled = False
        try:
            await self._connection.driver.execute(self._end)
            settled = not self._connection.driver.is_in_transaction()
        finally:
            self._database._release(self._connection, usable=settled)


class _Reading(_Scope):
    __slots__ = ("_asserted", "_begin", "_transaction")

    _transaction: Transaction

    def __init__(self, database: Database, tenant: Tenant, begin: str, asserted: bool) -> None:
        super().__init__(database, tenant)
        self._begin, self._asserted = begin, asserted

    async def __aenter__(self) -> Transaction:
        tenant, begin = self._tenant, self._begin
        self._connection = connection = await self._database._acquire(begin)
        now = time.monotonic()
        message = tenant._assertion if self._asserted else ""
        if connection.reading != begin or now - connection.since > _LINGER:
            message = begin + message
            if connection.reading:
                message = f"rollback; {message}"
            connection.reading, connection.since = begin, now
        if message:
            await self._say(message)
        due = () if self._asserted else tenant._credential
        self._transaction = Transaction(connection.driver, due)
        return self._transaction

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            await self._fail(error)
        elif self._transaction.failed:
            settled = await self._connection.roll_back()
            self._database._release(self._connection, usable=settled)
        else:
            in_it = self._connection.driver.is_in_transaction()
            self._database._release(self._connection, usable=in_it)
