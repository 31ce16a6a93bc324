"""Writes that are done once, however often they are sent: the row of an idempotency key.

A request with a key first begins a row here. The transaction of its write marks the row as done, so
that the two hold or fall together; afterwards the answer is kept with it. Whoever begins a row that
was left behind moves its attempt on, and the one that was thought lost can no more be marked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from clinch.db.database import Transaction
from clinch.db.ids import new_id
from clinch.db.schema import Column, Index, id_column, tenant_table
from clinch.resources.errors import ApiError
from clinch.vault.sealed import SealedColumn

KEPT = timedelta(days=1)
# No statement runs longer than half of this, so what was begun before has ended or lost.
_LEFT_BEHIND = timedelta(minutes=1)

ONCE = tenant_table(
    "once",
    id_column("user_id"),
    Column("key", "text"),
    Column("digest", "bytea"),
    id_column("attempt"),
    Column("begun_at", "timestamp with time zone"),
    Column("done", "boolean", default="false"),
    Column("sealed_answer", "bytea", nullable=True),
    key=("user_id", "key"),
    indexes=(Index(("organization_id", "begun_at")),),
)

LOST = {
    "error": "This request was carried out, but its answer was lost. Look at what is there before"
    " you send it with a new Idempotency-Key."
}


class Answer(msgspec.Struct, array_like=True):
    """What was answered: status, content type, body and the headers that belong to it alone."""

    status: int
    kind: bytes
    body: bytes
    headers: list[tuple[bytes, bytes]] = []  # answers that were kept before headers were have none

    def packed(self) -> bytes:
        """It as it is sealed."""
        return msgspec.msgpack.encode(self)


def lost_answer() -> bytes:
    """What takes the place of an answer that can be opened no more."""
    return Answer(409, b"application/json", msgspec.json.encode(LOST)).packed()


ANSWERS = SealedColumn(
    "answers kept for repeated requests",
    ONCE.name,
    ("organization_id", "user_id", "key"),
    "sealed_answer",
    "once {organization_id} {user_id} {key}",
    lost_answer,
)

_MINE = " where o.organization_id = $1 and o.user_id = $2 and o.key = $3"


class Superseded(ApiError):
    """The same request was sent again meanwhile, and that one counts."""

    status = 409

    def __init__(self) -> None:
        super().__init__({"error": "The same request is being carried out. Please wait for it."})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to do what a key names, by a user."""

    organization_id: str
    user_id: str
    key: str
    id: str

    @property
    def place(self) -> str:
        """For which place its answer is sealed."""
        return ANSWERS.place_of(self.organization_id, self.user_id, self.key)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a key: the request's digest, whether it was done, and its answer, which is
    sealed for `place`."""

    place: str
    digest: bytes
    done: bool
    sealed_answer: bytes | None


async def begin(
    transaction: Transaction,
    organization_id: str,
    user_id: str,
    key: str,
    digest: bytes,
    now: datetime,
) -> Attempt | Known:
    """An attempt that is the caller's to make, or what is known of the key already."""
    attempt = Attempt(organization_id, user_id, key, new_id("try"))
    begun = await transaction.value(
        "insert into once as o (organization_id, user_id, key, digest, attempt, begun_at)"
        " values ($1, $2, $3, $4, $5, $6)"
        " on conflict (organization_id, user_id, key) do update set digest = excluded.digest,"
        " attempt = excluded.attempt, begun_at = excluded.begun_at, done = false,"
        " sealed_answer = null"
        " where o.organization_id = $1 and (o.begun_at < $8"
        " or (not o.done and o.digest = excluded.digest and o.begun_at < $7))"
        " returning o.attempt",
        organization_id,
        user_id,
        key,
        digest,
        attempt.id,
        now,
        now - _LEFT_BEHIND,
        now - KEPT,
    )
    if begun is not None:
        return attempt
    [row] = await transaction.rows(
        f"select o.digest, o.done, o.sealed_answer from once o{_MINE}",
        organization_id,
        user_id,
        key,
    )
    return Known(attempt.place, *row)


async def mark_done(transaction: Transaction, attempt: Attempt) -> None:
    """Say, in the transaction of the write, that it is done; raises Superseded."""
    marked = await transaction.value(
        f"update once o set done = true{_MINE} and o.attempt = $4 returning 1",
        attempt.organization_id,
        attempt.user_id,
        attempt.key,
        attempt.id,
    )
    if marked is None:
        raise Superseded


async def keep_answer(transaction: Transaction, attempt: Attempt, sealed: bytes) -> None:
    """Keep what was answered, for those who send the same again."""
    await transaction.execute(
        f"update once o set done = true, sealed_answer = $5{_MINE} and o.attempt = $4",
        attempt.organization_id,
        attempt.user_id,
        attempt.key,
        attempt.id,
        sealed,
    )


async def give_up(transaction: Transaction, attempt: Attempt) -> None:
    """Forget an attempt by which nothing was done."""
    await transaction.execute(
        f"delete from once o{_MINE} and o.attempt = $4 and not o.done",
        attempt.organization_id,
        attempt.user_id,
        attempt.key,
        attempt.id,
    )
