"""Sign-in with a password: a session is a credential that ends by itself."""

import asyncio
import hashlib
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from clinch.db.database import Database, Tenant
from clinch.db.schema import Column, Table
from clinch.identity.credentials import Unauthorized, issue
from clinch.resources.errors import ApiError

LIFETIME = timedelta(days=14)

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

# Verified when nobody has the address, so that an answer takes as long either way.
_NOBODY = PasswordHasher().hash("nobody")


class TooManyTries(ApiError):
    """The address was tried too often; `seconds` until it may be tried again."""

    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__({"error": "Too many failed attempts to sign in. Please wait a while."})
        self.seconds = seconds


async def sign_in(
    database: Database, email: str, password: str, organization: str | None, now: datetime
) -> str:
    """The secret text of a new session in the organization with this public id, or the first one.

    Raises Unauthorized without saying what was wrong, and TooManyTries after five failures.
    """
    address = hashlib.sha256(email.strip().lower().encode("utf-8", "surrogatepass")).digest()
    async with database.installation() as transaction:
        rows = await transaction.rows(
            "select failures, last_at from sign_in_failure where address = $1", address
        )
        found = await transaction.rows(
            "select user_id, password_hash, organization_ids::text[] as organizations from login"
            " where lower(email) = lower($1)",
            email.strip(),
        )
    if rows and rows[0]["failures"] >= TRIES and now < rows[0]["last_at"] + PAUSE:
        raise TooManyTries(int((rows[0]["last_at"] + PAUSE - now).total_seconds()) + 1)
    kept = found[0]["password_hash"] if found else None
    good = await asyncio.to_thread(_verify, kept or _NOBODY, password)
    if not good or kept is None:
        await _count_failure(database, address, now)
        raise Unauthorized
    user_id = found[0]["user_id"]
    organization_id = await _membership(database, user_id, found[0]["organizations"], organization)
    async with database.installation() as transaction:
        await transaction.execute("delete from sign_in_failure where address = $1", address)
        _, secret = await issue(transaction, "sess", organization_id, user_id, now + LIFETIME)
    return secret


async def sign_out(database: Database, session: str) -> None:
    """End a session at once."""
    async with database.installation() as transaction:
        await transaction.execute("delete from credential where id = $1", session.partition(".")[0])


def _verify(hash: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False


async def _count_failure(database: Database, address: bytes, now: datetime) -> None:
    async with database.installation() as transaction:
        await transaction.execute(
            "insert into sign_in_failure as f (address, failures, last_at) values ($1, 1, $2)"
            " on conflict (address) do update set failures ="
            " case when f.last_at < $3 then 1 else f.failures + 1 end, last_at = excluded.last_at",
            address,
            now,
            now - PAUSE,
        )


async def _membership(
    database: Database, user_id: str, organization_ids: list[str], wanted: str | None
) -> str:
    """The first of the organizations in which the user is active, or the wanted one."""
    for organization_id in organization_ids:
        async with database.tenant(Tenant(organization_id)) as transaction:
            public_id = await transaction.value(
                "select o.id from organization o join membership m on m.organization_id = $1"
                " and m.user_id = $2 and m.active where o.organization_id = $1",
                organization_id,
                user_id,
            )
        if public_id is not None and wanted in (None, public_id):
            return organization_id
    raise Unauthorized
