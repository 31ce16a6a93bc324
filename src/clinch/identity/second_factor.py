"""The second factor: codes of an app that change every 30 seconds (TOTP, RFC 6238), and recovery
codes for the day on which the app is lost.

It belongs to the login, so it holds in every organization. Its secret is sealed; of recovery codes
only hashes are kept. A code is good once: the step of time it belongs to is remembered.
"""

import base64
import hashlib
import hmac
import io
import os
import re
from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno

from clinch.db.database import Transaction
from clinch.db.schema import Column, Table, id_column
from clinch.identity.passwords import Login
from clinch.identity.throttle import take_back
from clinch.resources.errors import ApiError, BadRequest
from clinch.vault.sealed import SealedColumn
from clinch.vault.vault import Vault

RECOVERY_CODES = 10
STEP = 30

SECOND_FACTOR = Table(
    "second_factor",
    "reference",
    (
        id_column("user_id"),
        Column("sealed_secret", "bytea"),
        Column("active", "boolean"),
        Column("last_step", "bigint"),
        Column("recovery_codes", "bytea[]"),
    ),
    ("user_id",),
)


def new_secret() -> bytes:
    return pyotp.random_base32().encode()


SECRETS = SealedColumn(
    "second factors",
    SECOND_FACTOR.name,
    ("user_id",),
    "sealed_secret",
    "second_factor {user_id}",
    new_secret,
)


class CodeNeeded(ApiError):
    """The password is right, and a code has to come with it."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            {"error": "A code of the second factor is needed.", "second_factor": "required"}
        )


class WrongCode(ApiError):
    """The password is right, the code is not, or is no longer."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            {
                "error": "The code does not fit, or was used before.",
                "second_factor": "required",
            }
        )


@dataclass(frozen=True, slots=True)
class Setup:
    """What an app is told: the secret, the same as an address, and that as a picture (SVG)."""

    secret: str
    uri: str
    qr: str


@dataclass(frozen=True, slots=True)
class State:
    """Whether a second factor is asked for, and how many recovery codes are left."""

    active: bool
    recovery_codes_left: int


async def state(transaction: Transaction, user_id: str) -> State:
    rows = await transaction.rows(
        "select cardinality(recovery_codes) from second_factor where user_id = $1 and active",
        user_id,
    )
    return State(bool(rows), rows[0][0] if rows else 0)


async def set_up(transaction: Transaction, vault: Vault, user_id: str, email: str) -> Setup:
    """A new secret, which is asked for from the first right code on; raises BadRequest."""
    secret = new_secret()
    made = await transaction.value(
        "insert into second_factor as s"
        " (user_id, sealed_secret, active, last_step, recovery_codes)"
        " values ($1, $2, false, 0, '{}') on conflict (user_id)"
        " do update set sealed_secret = excluded.sealed_secret, last_step = 0 where not s.active"
        " returning user_id",
        user_id,
        vault.seal(secret, SECRETS.place_of(user_id)),
    )
    if made is None:
        raise BadRequest("The second factor is on already. Turn it off before you set up another.")
    uri = pyotp.TOTP(secret.decode()).provisioning_uri(name=email, issuer_name="Clinch")
    picture = io.BytesIO()
    segno.make(uri, error="m").save(picture, kind="svg", scale=4, xmldecl=False)
    return Setup(secret.decode(), uri, picture.getvalue().decode().strip())


async def activate(
    transaction: Transaction, vault: Vault, user_id: str, code: str, now: datetime
) -> list[str] | None:
    """Ask for codes from now on: the recovery codes, shown this once; None for a wrong code.

    Raises BadRequest where nothing was set up.
    """
    rows = await transaction.rows(
        "select sealed_secret from second_factor where user_id = $1 and not active for update",
        user_id,
    )
    if not rows:
        raise BadRequest("There is no second factor that waits for its first code.")
    step = _step_of(vault, user_id, rows[0][0], 0, code, now)
    if step is None:
        return None
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    await transaction.execute(
        "update second_factor set active = true, last_step = $2, recovery_codes = $3"
        " where user_id = $1",
        user_id,
        step,
        [_recovery_hash(user_id, code) for code in codes],
    )
    return codes


async def ask_for_code(
    transaction: Transaction, vault: Vault, login: Login, code: str | None, now: datetime
) -> CodeNeeded | WrongCode | None:
    """What is wrong with the code of somebody who has just proved their password.

    A good code is used up by this, so the transaction has to commit in any case.
    """
    if not (await state(transaction, login.user_id)).active:
        return None
    if code is None:
        await take_back(transaction, login.email)
        return CodeNeeded()
    return None if await _use_code(transaction, vault, login.user_id, code, now) else WrongCode()


async def turn_off(transaction: Transaction, user_id: str) -> bool:
    """Ask for no code any more; whether one was asked for."""
    sql = "delete from second_factor where user_id = $1 returning active"
    return bool(await transaction.value(sql, user_id))


async def _use_code(
    transaction: Transaction, vault: Vault, user_id: str, code: str, now: datetime
) -> bool:
    """Whether the code is one of the app or a recovery code that is left; then it is used up."""
    rows = await transaction.rows(
        "select sealed_secret, last_step from second_factor where user_id = $1 and active"
        " for update",
        user_id,
    )
    if not rows:
        return False
    step = _step_of(vault, user_id, rows[0][0], rows[0][1], code, now)
    if step is not None:
        await transaction.execute(
            "update second_factor set last_step = $2 where user_id = $1", user_id, step
        )
        return True
    used = await transaction.value(
        "update second_factor set recovery_codes = array_remove(recovery_codes, $2)"
        " where user_id = $1 and $2 = any(recovery_codes) returning user_id",
        user_id,
        _recovery_hash(user_id, code),
    )
    return used is not None


def _step_of(
    vault: Vault, user_id: str, sealed: bytes, last: int, code: str, now: datetime
) -> int | None:
    """The step of time that a code is of, if that is later than the last one used.

    A clock may be one step off.
    """
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        return None
    totp = pyotp.TOTP(vault.open(sealed, SECRETS.place_of(user_id)).decode())
    current = int(now.timestamp()) // STEP
    for step in (current - 1, current, current + 1):
        if hmac.compare_digest(totp.generate_otp(step), digits) and step > last:
            return step
    return None


def _new_recovery_code() -> str:
    """80 random bits, as four groups of four letters and digits."""
    text = base64.b32encode(os.urandom(10)).decode().lower()
    return "-".join(re.findall("....", text))


def _recovery_hash(user_id: str, code: str) -> bytes:
    letters = re.sub(r"[\s-]", "", code).lower()
    return hashlib.sha256(f"{user_id} {letters}".encode()).digest()
