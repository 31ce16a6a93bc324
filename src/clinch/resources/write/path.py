"""The write path: permission, values, rules, rows and events of a list of changes, in one
transaction and in a number of statements that does not grow with the list."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg
import msgspec

from clinch.db.database import Transaction
from clinch.resources.actor import Actor, OperationClass, Provenance
from clinch.resources.declaration import CLASS_OF, Declarations, Operation, Resource, Rule
from clinch.resources.errors import ApiError, BadRequest, Forbidden, ValidationError
from clinch.resources.once import mark_done
from clinch.resources.query.read import Keys, ReadPath
from clinch.resources.write.change import Change
from clinch.resources.write.load import Moved
from clinch.resources.write.log import append_events
from clinch.resources.write.read_body import read_bodies
from clinch.resources.write.rows import write_rows
from clinch.resources.write.summaries import sum_up
from clinch.resources.write.work import Work

Mode = Literal["commit", "dry_run"]

MOST_CHANGES = 10_000

_SHARD = re.compile(r"_\d{6,}$")


class InUse(BadRequest):
    """A foreign key stands against the write: something refers to what it deletes.

    Where that is `passing` it would go with what is deleted, and may have come just now.
    """

    def __init__(self, *, passing: bool) -> None:
        super().__init__("The object is in use, or refers to one that does not exist any more.")
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one change: the object's id and, unless it was deleted, its JSON."""

    id: str
    body: bytes


class WritePath:
    """Carries out changes for one set of declarations. There is no other way to write a row."""

    def __init__(self, declarations: Declarations, reads: ReadPath) -> None:
        self._declarations, self._reads = declarations, reads

    async def write_within(
        self,
        transaction: Transaction,
        actor: Actor,
        changes: list[Change],
        provenance: Provenance,
        *,
        answer: Keys | Literal[False] = None,
    ) -> tuple[bool, list[Written]]:
        """Carry out changes that were checked, inside an open transaction which must then end
        without further statements. Whether events were appended, and what became of each change.
        """
        now = actor.clock()
        asked = read_bodies(self._declarations, actor, changes, now)
        work = Work(self._declarations, actor, now, provenance.source, asked)
        apply(work, "first")
        await work.read(transaction)
        work.resolve()
        allow_owned(actor, changes)
        await work.look(transaction)
        apply(work, "before")
        apply(work, "within")
        work.stamp()
        try:
            for sql, arguments in work.statements:
                await transaction.execute(sql, *arguments)
            await write_rows(transaction, work)
            await sum_up(transaction, work)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise self._refusal(work, error) from None
        written = await self._answers(transaction, actor, changes, answer)
        if work.told:
            written = [
                _tell(one, work.told.get((change.resource.noun, change.id), {}))
                for change, one in zip(changes, written, strict=True)
            ]
        if provenance.attempt is not None:
            await mark_done(transaction, provenance.attempt)
        last = await append_events(transaction, work, provenance)
        return last is not None, written

    def check(self, actor: Actor, changes: list[Change]) -> None:
        """Raise ApiError unless the actor may ask for these changes, in this number."""
        if len(changes) > MOST_CHANGES:
            raise BadRequest(f"It's not allowed to change more than {MOST_CHANGES} objects at once")
        seen: set[tuple[str, str]] = set()
        for change in changes:
            allow(actor, change.resource, change.operation)
            if change.kind != "create":
                key = (change.resource.noun, change.id)
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
        """What became of each change, as far as the actor may read: without, the id alone."""
        found: dict[tuple[str, str], bytes] = {}
        if answer is not False:
            if OperationClass.READ not in actor.grant:
                answer = ("id",)
            for resource in dict.fromkeys(c.resource for c in changes if c.kind != "delete"):
                ids = [c.id for c in changes if c.resource is resource and c.kind != "delete"]
                if len(ids) == 1:
                    body = await self._reads.get(
                        transaction, actor, resource, ids[0], answer, known=True
                    )
                    found[resource.noun, ids[0]] = body
                else:
                    bodies = await self._reads.several(
                        transaction, actor, resource, ids, answer, known=True
                    )
                    found |= {(resource.noun, id): body for id, body in bodies.items()}
        return [Written(c.id, found.get((c.resource.noun, c.id), b"{}")) for c in changes]

    def _refusal(
        self, work: Work, error: asyncpg.IntegrityConstraintViolationError
    ) -> ApiError | Moved:
        """What a violated constraint means to the one who asked; Moved where a rule made what
        another write has made meanwhile."""
        name = _SHARD.sub("", error.constraint_name or "")
        table = _SHARD.sub("", error.table_name or "")
        if isinstance(error, asyncpg.UniqueViolationError):
            for resource in self._declarations:
                for index in resource.indexes:
                    if resource.table == table and index.called(table) == name:
                        if _made_by_rules(work.of(resource)):
                            return Moved(f"a {resource.noun} was made meanwhile")
                        words = re.findall(r"\w+", index.columns[-1])
                        key = next(key for key in resource.fields if key in words)
                        return ValidationError({key: "This value is already in use."})
        if isinstance(error, asyncpg.ForeignKeyViolationError):
            return InUse(passing=table in self._going(work))
        return BadRequest("The change contradicts what is stored.")

    def _going(self, work: Work) -> set[str]:
        """The tables in which rows go with what the write deletes, or let go of it."""
        ahead = [change.resource for change in work.changes if change.kind == "delete"]
        found, tables = set[type[Resource]](), set[str]()
        while ahead:
            resource = ahead.pop()
            if resource not in found:
                found.add(resource)
                for ref in self._declarations.followers(resource):
                    tables.add(ref.resource.table)
                    if ref.target_deleted == "delete":
                        ahead.append(ref.resource)
        return tables


def _made_by_rules(changes: list[Change]) -> bool:
    return bool(changes) and all(change.inner and change.trusted for change in changes)


def apply(work: Work, stage: Literal["first", "before", "within"]) -> None:
    """Run the rules of a stage, each resource's in the order of their listing.

    A resource that comes in by a rule has its turn after those that were there.
    """
    done: set[type[Resource]] = set()
    while resources := {c.resource: None for c in work.changes if c.resource not in done}:
        for resource in resources:
            rules: list[Rule] = getattr(resource, stage)
            for rule in rules:
                rule(work, work.of(resource))
        done |= resources.keys()


def _tell(written: Written, values: dict[str, Any]) -> Written:
    """The answer with values that only it has, of the fields that were asked for."""
    body = msgspec.json.decode(written.body)
    told = {key: value for key, value in values.items() if key in body}
    return Written(written.id, msgspec.json.encode(body | told))


def allow(actor: Actor, resource: type[Resource], operation: Operation) -> None:
    """Raise Forbidden unless the actor's grant and role cover the operation."""
    wanted = CLASS_OF[operation]
    if wanted not in actor.grant:
        raise Forbidden(f"This grant does not allow {wanted} operations.")
    permission = resource.needs.get(operation)
    if not actor.may(permission):
        raise needs(permission)


def allow_owned(actor: Actor, changes: list[Change]) -> None:
    """Raise Forbidden unless the actor may change each of the objects, as it was before.

    What the program itself changes for them is not asked for.
    """
    for change in changes:
        owned = change.resource.owned
        if owned is None or change.before is None or (change.trusted and not change.deletes):
            continue
        mine = owned.owner_of(change.before) == actor.user_id
        if not mine and not actor.may(owned.manage_others):
            raise needs(owned.manage_others)
        if mine and change.deletes and not actor.may(owned.delete_own):
            raise needs(owned.delete_own)


def needs(permission: str | None) -> Forbidden:
    return Forbidden(f"You need the permission {permission} to do this.")
