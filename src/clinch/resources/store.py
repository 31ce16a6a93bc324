"""The resources of one database: what every door and engine is handed."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal

import asyncpg

from clinch.db.database import Database, Transaction
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.query.read import Keys, Page, ReadPath
from clinch.resources.query.tree import EVERYTHING
from clinch.resources.write.change import Change
from clinch.resources.write.load import Moved
from clinch.resources.write.path import InUse, Mode, WritePath, Written

_TRIES = 3
# Each of them was in vain only because another write was carried out.
_TRIES_WHILE_MOVED = 50
# Or because the write contradicts itself, which must not take long to find.
_TRIES_WHILE_ADDED_TO = 20


class Store:
    """A database together with what is declared over it: the read path and the write path.

    `committed` is told the organization's uuid after each commit that appended events.
    """

    def __init__(
        self,
        database: Database,
        declared: Declarations,
        committed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.database, self.declared, self._committed = database, declared, committed
        self.reads = ReadPath(declared)
        self.writes = WritePath(declared, self.reads)

    def reading(
        self, actor: Actor, *, plan_anew: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """A transaction of the actor's organization, to read in; `plan_anew` for conditions."""
        return self.database.reading(actor.tenant, plan_anew=plan_anew)

    async def get(
        self, actor: Actor, resource: type[Resource], id: str, keys: Keys = None
    ) -> bytes:
        """The JSON of one object, for whom a credential asks; raises NotFound and
        CredentialChanged."""
        async with self.database.reading(actor.tenant, asserted=False) as transaction:
            return await self.reads.get(transaction, actor, resource, id, keys)

    async def page(self, actor: Actor, resource: type[Resource], page: Page) -> bytes:
        """A page of objects in the same way, see `ReadPath.page`."""
        conditions = page.where != EVERYTHING or not self.reads.sees_all(actor, resource)
        async with self.database.reading(
            actor.tenant, plan_anew=conditions, asserted=False
        ) as transaction:
            return await self.reads.page(transaction, actor, resource, page)

    async def write(
        self,
        actor: Actor,
        changes: list[Change],
        provenance: Provenance,
        *,
        mode: Mode = "commit",
        answer: Keys | Literal[False] = None,
    ) -> list[Written]:
        """Carry out all changes or none; what became of each, in their order.

        `mode` "dry_run" does everything and rolls back. `answer` names the fields of the JSON,
        False answers none. An object may have one change in a write. Raises ApiError (nothing was
        changed), CredentialChanged and Busy.
        """
        self.writes.check(actor, changes)
        tried = 0
        while True:
            try:
                return await self._write(actor, changes, provenance, mode, answer)
            except (InUse, Moved, asyncpg.DeadlockDetectedError) as error:
                tried += 1
                if tried >= _tries(error):
                    raise

    async def _write(
        self,
        actor: Actor,
        changes: list[Change],
        provenance: Provenance,
        mode: Mode,
        answer: Keys | Literal[False],
    ) -> list[Written]:
        async with self.database.tenant(actor.tenant, commit=mode == "commit") as transaction:
            logged, written = await self.writes.write_within(
                transaction, actor, changes, provenance, answer=answer
            )
        if mode == "commit" and logged:
            self._committed(actor.organization_id)
        return written


def _tries(error: Exception) -> int:
    """How often a write is tried before the error stands."""
    match error:
        case Moved():
            return _TRIES_WHILE_MOVED
        case InUse(passing=passing):
            return _TRIES_WHILE_ADDED_TO if passing else 1
    return _TRIES
