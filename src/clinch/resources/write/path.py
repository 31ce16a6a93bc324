"""The write path: permission, values, rules, rows and events of a list of changes, in one
transaction and in a number of statements that does not grow with the list."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import asyncpg

from clinch.db.database import Database, Transaction
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import CLASS_OF, Declarations, Operation, Resource, Rule
from clinch.resources.errors import ApiError, BadRequest, Forbidden, ValidationError
from clinch.resources.query.read import Keys, ReadPath
from clinch.resources.write.change import Change
from clinch.resources.write.log import append_events
from clinch.resources.write.read_body import read_bodies
from clinch.resources.write.rows import write_rows
from clinch.resources.write.work import Work

Mode = Literal["commit", "dry_run"]

MOST_CHANGES = 10_000

_SHARD = re.compile(r"_\d{6,}$")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one change: the object's id and, unless it was deleted, its JSON."""

    id: str
    body: bytes


class WritePath:
    """Carries out changes for one set of declarations. There is no other way to write a row.

    `committed` is called with the organization's id after a commit that appended events.
    """

    def __init__(
        self,
        declarations: Declarations,
        reads: ReadPath,
        committed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.declarations, self._reads, self._committed = declarations, reads, committed

    async def write(
        self,
        database: Database,
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
        self._check(actor, changes)
        async with database.tenant(actor.tenant, commit=mode == "commit") as transaction:
            work, written = await self.write_within(
                transaction, actor, changes, provenance, answer=answer
            )
        if mode == "commit" and work is not None:
            self._committed(actor.organization_id)
        return written

    async def write_within(
        self,
        transaction: Transaction,
        actor: Actor,
        changes: list[Change],
        provenance: Provenance,
        *,
        answer: Keys | Literal[False] = None,
    ) -> tuple[Work | None, list[Written]]:
        """The same inside an open transaction, which must end without further statements."""
        now = actor.clock()
        work = Work(
            self.declarations, actor, now, read_bodies(self.declarations, actor, changes, now)
        )
        apply(work, "first")
        await work.read(transaction)
        work.resolve()
        apply(work, "before")
        apply(work, "within")
        work.stamp()
        try:
            for sql, arguments in work.statements:
                await transaction.execute(sql, *arguments)
            await write_rows(transaction, work)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise self._refusal(error) from None
        written = await self._answers(transaction, actor, changes, answer)
        last = await append_events(transaction, work, provenance)
        return (work if last is not None else None), written

    def _check(self, actor: Actor, changes: list[Change]) -> None:
        if len(changes) > MOST_CHANGES:
            raise BadRequest(f"It's not allowed to change more than {MOST_CHANGES} objects at once")
        seen: set[tuple[str, str]] = set()
        for change in changes:
            allow(actor, change.resource, change.kind)
            if change.kind != "create":
                key = (change.resource.name, change.id)
                if key in seen:
                    raise BadRequest("An object may be changed only once in one request.")
                seen.add(key)

    async def _answers(
        self,
        transaction: Transaction,
        actor: Actor,
        changes: list[Change],
        answer: Keys | Literal[False],
    ) -> list[Written]:
        found: dict[tuple[str, str], bytes] = {}
        if answer is not False:
            for resource in dict.fromkeys(c.resource for c in changes if c.kind != "delete"):
                ids = [c.id for c in changes if c.resource is resource and c.kind != "delete"]
                bodies = await self._reads.several(transaction, actor, resource, ids, answer)
                found |= {(resource.name, id): body for id, body in bodies.items()}
        return [Written(c.id, found.get((c.resource.name, c.id), b"{}")) for c in changes]

    def _refusal(self, error: asyncpg.IntegrityConstraintViolationError) -> ApiError:
        """What a violated constraint means to the one who asked."""
        name = _SHARD.sub("", error.constraint_name or "")
        table = _SHARD.sub("", error.table_name or "")
        if isinstance(error, asyncpg.UniqueViolationError):
            for resource in self.declarations:
                for index in resource.indexes:
                    if resource.table == table and index.called(table) == name:
                        words = re.findall(r"\w+", index.columns[-1])
                        key = next(key for key in resource.fields if key in words)
                        return ValidationError({key: "This value is already in use."})
        if isinstance(error, asyncpg.ForeignKeyViolationError):
            return BadRequest("The object is in use, or refers to one that does not exist any more.")
        return BadRequest("The change contradicts what is stored.")


def apply(work: Work, stage: Literal["first", "before", "within"]) -> None:
    """Run the rules that the resources declare for a stage, in the order of their listing."""
    for resource in work.declarations:
        rules: list[Rule] = getattr(resource, stage)
        for rule in rules:
            if changes := work.of(resource):
                rule(work, changes)


def allow(actor: Actor, resource: type[Resource], operation: Operation) -> None:
    """Raise Forbidden unless the actor's grant and role cover the operation."""
    wanted = CLASS_OF[operation]
    if wanted not in actor.grant:
        raise Forbidden(f"This grant does not allow {wanted} operations.")
    permission = resource.needs.get(operation)
    if not actor.may(permission):
        raise Forbidden(f"You need the permission {permission} to do this.")
