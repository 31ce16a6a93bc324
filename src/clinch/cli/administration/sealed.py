"""What is sealed in the database and by which of the secret keys; sealing it anew under the first.

All of it works while the program runs: a row is changed only if it is still as it was read.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from clinch.db.database import Database
from clinch.gateway.connections import credentials
from clinch.gateway.tenancy import tenants, workspace_keys
from clinch.identity import second_factor
from clinch.resources import once
from clinch.vault.sealed import SealedColumn
from clinch.vault.vault import CannotOpen, Vault

SEALED: tuple[SealedColumn, ...] = (
    second_factor.SECRETS,
    workspace_keys.SECRETS,
    tenants.DATA_KEYS,
    once.ANSWERS,
)
"""Every column that the vault seals. What a tenant's data key seals is not among them: it stays."""

_BATCH = 200

Counts = dict[str, dict[str, int]]
"""For each key, by name, how many values it seals in each table."""


def in_words(counts: dict[str, int]) -> str:
    """How many values of each table, as a person reads it."""
    told = [f"{one.what} ({counts[one.table]})" for one in SEALED if counts.get(one.table)]
    return ", ".join(told) or "nothing"


class CannotOpenDatabase(Exception):
    """Something in the database is sealed by a key that is not here. One line, what to do."""


async def sealed_by(database: Database) -> Counts:
    """What each key seals."""
    found: Counts = {}
    async with database.everyone() as transaction:
        for sealed in SEALED:
            rows = await transaction.rows(
                f"select encode(substring({sealed.column} from 2 for 4), 'hex'), count(*)"
                f" from {sealed.table} where {sealed.column} is not null group by 1 order by 1"
            )
            for name, count in rows:
                found.setdefault(name, {})[sealed.table] = count
    return found


async def check_keys(database: Database, vault: Vault) -> None:
    """See that every key that sealed something is here; raises CannotOpenDatabase."""
    missing = sorted(set(await sealed_by(database)) - set(vault.names))
    if missing:
        raise CannotOpenDatabase(
            f"the database holds what the secret key {', '.join(missing)} has sealed, and the keys"
            f" here are {', '.join(vault.names)}: put that key back from your copy, into secret.key"
            " in the home or CLINCH_SECRET_KEY; if it is lost for good, see `clinch vault forget`"
        )


async def seal_anew(database: Database, vault: Vault) -> tuple[dict[str, int], int]:
    """Seal everything under the first key: how many values of each table, how many do not open.

    It may be broken off anywhere and done again; what is under the first key already stays.
    """
    done: dict[str, int] = {}
    closed = 0
    for sealed in SEALED:
        done[sealed.table] = 0
        first = bytes.fromhex(vault.names[0])
        async for rows in _rows(database, sealed, "<> $1", first):
            async with database.owner() as transaction:
                for *key, value in rows:
                    try:
                        place = sealed.place_of(*key)
                        new = vault.seal(vault.open(value, place), place)
                    except CannotOpen:
                        closed += 1
                        continue
                    changed = await transaction.value(_change(sealed), *key, value, new)
                    done[sealed.table] += changed is not None
    return done, closed


async def give_up(database: Database, vault: Vault, names: Iterable[str]) -> dict[str, int]:
    """Put fresh values in place of what lost keys have sealed: how many in each table.

    With the data key of a tenant goes what its connections hold.
    """
    done: dict[str, int] = {}
    lost = [bytes.fromhex(name) for name in names]
    for sealed in SEALED:
        done[sealed.table] = 0
        async for rows in _rows(database, sealed, "= any($1)", lost):
            async with database.owner() as transaction:
                for *key, value in rows:
                    new = vault.seal(sealed.fresh(), sealed.place_of(*key))
                    changed = await transaction.value(_change(sealed), *key, value, new)
                    done[sealed.table] += changed is not None
                    if changed is not None and sealed is tenants.DATA_KEYS:
                        now = datetime.now(UTC)
                        await transaction.execute(credentials.GIVEN_UP, *key, now)
    return done


async def _rows(
    database: Database, sealed: SealedColumn, condition: str, names: bytes | list[bytes]
) -> AsyncIterator[Sequence[Sequence[Any]]]:
    """The rows with a condition on the name of their key (`$1`), with their ids, in batches."""
    key = ", ".join(sealed.key)
    after: Sequence[Any] = ()
    while True:
        places = ", ".join(f"${number}" for number in range(2, len(after) + 2))
        further = f" and ({key}) > ({places})" if after else ""
        async with database.everyone() as transaction:
            rows = await transaction.rows(
                f"select {key}, {sealed.column} from {sealed.table}"
                f" where substring({sealed.column} from 2 for 4) {condition}{further}"
                f" order by {key} limit {_BATCH}",
                names,
                *after,
            )
        if not rows:
            return
        yield rows
        after = tuple(rows[-1])[:-1]


def _change(sealed: SealedColumn) -> str:
    """Put the second to last argument's place to the last one, if nobody has changed it since."""
    keys = [f"{name} = ${number}" for number, name in enumerate(sealed.key, start=1)]
    old, new = len(keys) + 1, len(keys) + 2
    return (
        f"update {sealed.table} set {sealed.column} = ${new}"
        f" where {' and '.join(keys)} and {sealed.column} = ${old} returning 1"
    )
