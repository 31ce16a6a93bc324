"""Passwords: what one may be, and whether one is right."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from clinch.db.database import Database
from clinch.identity.credentials import Unauthorized
from clinch.identity.throttle import begin_try
from clinch.resources.errors import REQUIRED, ValidationError

SHORTEST = 8
LONGEST = 1000
HASHER = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Login:
    """Who signs in: their id in every organization, and the uuids of those."""

    user_id: str
    email: str
    organization_ids: tuple[str, ...]


def new_password(value: Any, field: str = "password") -> str:
    """A password that somebody chose; raises ValidationError."""
    if not isinstance(value, str) or not value:
        raise ValidationError({field: REQUIRED})
    if len(value) < SHORTEST:
        raise ValidationError({field: f"The password must have at least {SHORTEST} characters."})
    if len(value) > LONGEST:
        raise ValidationError({field: f"The password must have at most {LONGEST} characters."})
    return value


async def hash_password(password: str) -> str:
    """The argon2id hash of a password, made in a thread since it takes long by design."""
    return await asyncio.to_thread(HASHER.hash, password)


async def prove_password(database: Database, email: str, password: str, now: datetime) -> Login:
    """Whose address and password these are.

    Raises Unauthorized without saying what was wrong, and TooManyTries. The try counts as failed
    until the caller, who may ask for more, takes it back.
    """
    email = email.strip().replace("\x00", "")
    await begin_try(database, email, now)
    async with database.installation() as transaction:
        found = await transaction.rows(
            "select user_id, email, password_hash, organization_ids::text[] from login"
            " where lower(email) = lower($1)",
            email,
        )
    kept = found[0]["password_hash"] if found else None
    good = await asyncio.to_thread(_verify, kept, password)
    if not good or kept is None:
        raise Unauthorized
    return Login(found[0]["user_id"], found[0]["email"], tuple(found[0]["organization_ids"]))


def _verify(kept: str | None, password: str) -> bool:
    nobody = _nobody()  # asked for in any case: the first to need it would wait longer
    try:
        return HASHER.verify(kept or nobody, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    """Verified when nobody has the address, so that an answer takes as long either way."""
    return HASHER.hash("nobody")
