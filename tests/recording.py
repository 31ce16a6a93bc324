"""A database that remembers what it was asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from clinch.db.database import Database, Due, Tenant, Transaction


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement that was sent, and the organization of its transaction."""

    sql: str
    arguments: tuple[Any, ...]
    organization_id: str | None


class RecordedTransaction(Transaction):
    """A transaction that notes what it is asked, one statement a text."""

    __slots__ = ("_asked", "_organization_id")

    def __init__(
        self,
        connection: asyncpg.Connection,
        due: Due,
        asked: dict[str, Asked],
        organization_id: str | None,
    ) -> None:
        super().__init__(connection, due)
        self._asked, self._organization_id = asked, organization_id

    async def value(self, sql: str, *arguments: Any) -> Any:
        self._note(sql, arguments)
        return await super().value(sql, *arguments)

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        self._note(sql, arguments)
        return await super().rows(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> None:
        self._note(sql, arguments)
        await super().execute(sql, *arguments)

    def _note(self, sql: str, arguments: tuple[Any, ...]) -> None:
        self._asked.setdefault(sql, Asked(sql, arguments, self._organization_id))


class RecordingDatabase(Database):
    """Remembers the statements of its transactions: those of a tenant and those of none.

    Transactions over all tenants are the installation's own and no request's.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: dict[str, Asked] = {}

    @asynccontextmanager
    async def tenant(self, tenant: Tenant, *, commit: bool = True) -> AsyncIterator[Transaction]:
        async with super().tenant(tenant, commit=commit) as transaction:
            yield self._recorded(transaction, tenant.organization_id)

    @asynccontextmanager
    async def reading(
        self, tenant: Tenant, *, plan_anew: bool = False, asserted: bool = True
    ) -> AsyncIterator[Transaction]:
        async with super().reading(tenant, plan_anew=plan_anew, asserted=asserted) as transaction:
            yield self._recorded(transaction, tenant.organization_id)

    @asynccontextmanager
    async def installation(self) -> AsyncIterator[Transaction]:
        async with super().installation() as transaction:
            yield self._recorded(transaction, None)

    def _recorded(self, transaction: Transaction, organization_id: str | None) -> Transaction:
        return RecordedTransaction(
            transaction._connection, transaction.due, self.asked, organization_id
        )
