"""How often somebody may try to prove who they are: so many failures, then a pause.

A try is counted as failed when it begins and forgiven when it went well, so that many at once
are no more than many in turn.
"""

import hashlib
from datetime import datetime, timedelta

from clinch.db.database import Database, Transaction
from clinch.db.schema import Column, Table
from clinch.resources.errors import ApiError

TRIES = 5
PAUSE = timedelta(minutes=15)

# Tries by the hash of the address, so that the table says nothing about people.
SIGN_IN_FAILURE = Table(
    "sign_in_failure",
    "local",
    (
        Column("address", "bytea"),
        Column("failures", "bigint"),
        Column("last_at", "timestamp with time zone"),
    ),
    ("address",),
)


class TooManyTries(ApiError):
    """The address was tried too often; `seconds` until it may be tried again."""

    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__({"error": "Too many failed attempts to sign in. Please wait a while."})
        self.seconds = seconds


async def begin_try(database: Database, email: str, now: datetime) -> None:
    """Count a try for an address, known or not; raises TooManyTries after five that failed."""
    async with database.installation() as transaction:
        [(failures, last_at)] = await transaction.rows(
            "insert into sign_in_failure as f (address, failures, last_at) values ($1, 1, $2)"
            " on conflict (address) do update set"
            " failures = case when f.last_at < $3 then 1 else f.failures + 1 end,"
            " last_at = case when f.last_at >= $3 and f.failures >= $4 then f.last_at else $2 end"
            " returning failures, last_at",
            _hash(email),
            now,
            now - PAUSE,
            TRIES,
        )
    if failures > TRIES:
        raise TooManyTries(max(0, int((last_at + PAUSE - now).total_seconds())) + 1)


async def take_back(transaction: Transaction, email: str) -> None:
    """The try went well as far as it went: it counts for nothing."""
    await transaction.execute(
        "update sign_in_failure set failures = greatest(failures - 1, 0) where address = $1",
        _hash(email),
    )


async def forgive(transaction: Transaction, email: str) -> None:
    """Somebody has proved all that there is to prove: earlier failures are forgotten."""
    await transaction.execute("delete from sign_in_failure where address = $1", _hash(email))


def _hash(email: str) -> bytes:
    return hashlib.sha256(email.strip().lower().encode()).digest()
