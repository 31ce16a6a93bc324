"""What the vault seals in the database: known whole, sealed anew under a new key, never lost."""

import ast
import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import clinch
from clinch.cli.administration import sealed
from clinch.cli.administration.commands import administer
from clinch.cli.administration.sealed import (
    SEALED,
    CannotOpenDatabase,
    check_keys,
    give_up,
    in_words,
    seal_anew,
    sealed_by,
)
from clinch.cli.administration.telling import CommandError
from clinch.db.database import Database, Transaction
from clinch.identity.second_factor import SECRETS
from clinch.program import declarations, tables
from clinch.resources.store import Store
from clinch.vault.vault import Vault, key_name

OLD, NEW, OTHER = "0f1e2d3c" * 8, "8796a5b4" * 8, "13572468" * 8
ROWS = 450
"""More than two batches."""

SEALS = {
    "files/tickets.py": "a ticket, which is over in an hour and never stored",
    "identity/second_factor.py": "a column in SEALED",
    "gateway/tenancy/tenants.py": "a column in SEALED",
    "gateway/tenancy/workspace_keys.py": "a column in SEALED",
    "server/idempotency.py": "a column in SEALED",
    "gateway/connections/credentials.py": "under the tenant's data key, which stays",
    "gateway/connections/entrance.py": "under the tenant's data key, which stays",
    "gateway/running/run_logs.py": "under the tenant's data key, which stays",
    "cli/administration/sealed.py": "what SEALED lists, anew",
}
"""Who calls `vault.seal`. What is stored has to be in SEALED, or a rotation would miss it."""


def _seals(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            named = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if node.func.attr == "seal" and named in ("vault", "_vault"):
                return True
    return False


def test_all_that_the_vault_seals_is_listed() -> None:
    root = Path(clinch.__path__[0])
    found = {str(p.relative_to(root)) for p in root.rglob("*.py") if _seals(p)}
    assert found == set(SEALS)
    declared = {table.name: table for table in tables(declarations())}
    for one in SEALED:
        table = declared[one.table]
        assert table.primary_key == one.key
        assert one.column in [column.name for column in table.columns]
    listed = {(one.table, one.column) for one in SEALED}
    named = {
        (table.name, column.name)
        for table in declared.values()
        for column in table.columns
        if column.type == "bytea"
        and column.name.startswith(("sealed_secret", "sealed_answer", "wrapped_"))
    }
    assert named == listed


def user(number: int) -> str:
    return f"user_{number:04}"


@pytest.fixture
def url(own_database: str) -> str:
    """A database in which the old key has sealed the second factors of many people."""

    async def fill() -> None:
        old, database = Vault(OLD), Database(own_database, 1)
        async with database.owner() as transaction:
            for number in range(ROWS):
                value = old.seal(f"secret {number}".encode(), SECRETS.place_of(user(number)))
                await put(transaction, number, value)
        await database.close()

    asyncio.run(fill())
    return own_database


async def put(transaction: Transaction, number: int, value: bytes) -> None:
    await transaction.execute(
        "insert into second_factor as s (user_id, sealed_secret, active, last_step, recovery_codes)"
        " values ($1, $2, true, 0, '{}') on conflict (user_id)"
        " do update set sealed_secret = excluded.sealed_secret",
        user(number),
        value,
    )


async def read(database: Database) -> dict[str, bytes]:
    async with database.everyone() as transaction:
        rows = await transaction.rows("select user_id, sealed_secret from second_factor")
        return {row[0]: row[1] for row in rows}


async def test_everything_is_sealed_anew_and_opens(url: str) -> None:
    database, both = Database(url, 2), Vault(f"{NEW} {OLD}")
    new, old = both.names
    assert await sealed_by(database) == {old: {"second_factor": ROWS}}
    done, closed = await seal_anew(database, both)
    assert (done["second_factor"], closed) == (ROWS, 0)
    assert await sealed_by(database) == {new: {"second_factor": ROWS}}
    after = Vault(NEW)
    rows = await read(database)
    for number in range(ROWS):
        place = SECRETS.place_of(user(number))
        assert after.open(rows[user(number)], place) == f"secret {number}".encode()
    done, closed = await seal_anew(database, both)
    assert (set(done.values()), closed) == ({0}, 0)
    assert await read(database) == rows
    await database.close()


class BreaksOff(Database):
    """A database whose third transaction with all rights is broken off before it ends."""

    def __init__(self, url: str) -> None:
        super().__init__(url, 2)
        self.begun = 0

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Transaction]:
        self.begun += 1
        async with super().owner() as transaction:
            yield transaction
            if self.begun == 3:
                raise asyncio.CancelledError


async def test_it_may_be_broken_off_and_done_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_BATCH", 50)
    both = Vault(f"{NEW} {OLD}")
    new, old = both.names
    database: Database
    for round in (1, 2):
        database = BreaksOff(url)
        with pytest.raises(asyncio.CancelledError):
            await seal_anew(database, both)
        moved = 100 * round
        left = {new: {"second_factor": moved}, old: {"second_factor": ROWS - moved}}
        assert await sealed_by(database) == left
        for id, value in (await read(database)).items():
            assert both.open(value, SECRETS.place_of(id))
        await database.close()
    database = Database(url, 2)
    done, closed = await seal_anew(database, both)
    assert (done["second_factor"], closed) == (ROWS - 200, 0)
    assert set(await sealed_by(database)) == {new}
    await database.close()


async def test_what_is_written_meanwhile_is_not_written_over(url: str) -> None:
    database, both, old = Database(url, 3), Vault(f"{NEW} {OLD}"), Vault(OLD)
    wanted: dict[int, bytes] = {}

    async def write() -> None:
        # As a process that has not yet learned of the new key.
        for number in range(0, ROWS, 3):
            wanted[number] = f"later {number}".encode()
            value = old.seal(wanted[number], SECRETS.place_of(user(number)))
            async with database.owner() as transaction:
                await put(transaction, number, value)

    await asyncio.gather(write(), seal_anew(database, both))
    await seal_anew(database, both)
    assert set(await sealed_by(database)) == {both.names[0]}
    rows = await read(database)
    for number in range(ROWS):
        value = both.open(rows[user(number)], SECRETS.place_of(user(number)))
        assert value == wanted.get(number, f"secret {number}".encode())
    await database.close()


async def test_what_does_not_open_is_told_and_left(url: str) -> None:
    database, both = Database(url, 2), Vault(f"{NEW} {OLD}")
    broken = bytearray(Vault(OLD).seal(b"x", "elsewhere"))
    unknown = Vault(OTHER).seal(b"x", SECRETS.place_of(user(7)))
    async with database.owner() as transaction:
        await put(transaction, 3, bytes(broken))
        await put(transaction, 7, unknown)
    done, closed = await seal_anew(database, both)
    assert (done["second_factor"], closed) == (ROWS - 2, 2)
    rows = await read(database)
    assert (rows[user(3)], rows[user(7)]) == (bytes(broken), unknown)
    await database.close()


async def test_what_a_lost_key_has_sealed_is_given_up_and_the_rest_stays(url: str) -> None:
    database, now = Database(url, 2), Vault(NEW)
    kept = now.seal(b"kept", SECRETS.place_of(user(5)))
    async with database.owner() as transaction:
        await put(transaction, 5, kept)
    done = await give_up(database, now, Vault(OLD).names)
    assert done["second_factor"] == ROWS - 1
    await check_keys(database, now)
    rows = await read(database)
    assert rows.pop(user(5)) == kept
    fresh = {now.open(value, SECRETS.place_of(id)) for id, value in rows.items()}
    assert len(fresh) == ROWS - 1
    async with database.everyone() as transaction:
        assert await transaction.value("select bool_and(active) from second_factor")
    await database.close()


async def test_a_key_that_sealed_something_must_be_here(url: str) -> None:
    database = Database(url, 1)
    await check_keys(database, Vault(f"{NEW} {OLD}"))
    name = Vault(OLD).names[0]
    with pytest.raises(CannotOpenDatabase, match=f"secret key {name} has sealed") as refusal:
        await check_keys(database, Vault(NEW))
    assert "\n" not in str(refusal.value)
    assert OLD not in str(refusal.value)
    assert NEW not in str(refusal.value)
    async with database.owner() as transaction:
        await transaction.execute("delete from second_factor")
    await check_keys(database, Vault(NEW))
    await database.close()


async def command(url: str, words: str, **arguments: Any) -> None:
    database = Database(url, 2)
    told = {"home": "/nowhere", "json": True, **arguments}
    try:
        await administer(Store(database, declarations()), words, told)
    finally:
        await database.close()


async def test_with_one_key_in_the_environment_another_is_asked_for(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(url, 1)
    before = await read(database)
    monkeypatch.setenv("CLINCH_SECRET_KEY", OLD)
    with pytest.raises(CommandError, match="put a new one before it"):
        await command(url, "vault rotate")
    assert await read(database) == before
    monkeypatch.setenv("CLINCH_SECRET_KEY", f"{NEW},{OLD}")
    await command(url, "vault rotate")
    told = json.loads(capsys.readouterr().out)
    assert (told["key"], told["removable"]) == (Vault(NEW).names[0], [Vault(OLD).names[0]])
    assert set(await sealed_by(database)) == {Vault(NEW).names[0]}
    await database.close()


async def test_only_what_is_lost_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(url, 1)
    before = await read(database)
    name = Vault(OLD).names[0]
    for keys, key, yes, why in (
        (NEW, name, False, "add --yes"),
        (NEW, "00000000", True, "has sealed nothing"),
        (f"{NEW} {OLD}", name, True, "is not lost"),
    ):
        monkeypatch.setenv("CLINCH_SECRET_KEY", keys)
        with pytest.raises(CommandError, match=why):
            await command(url, "vault forget", key=key, yes=yes)
    assert await read(database) == before
    await database.close()


async def test_without_a_name_every_key_that_is_lost_is_given_up(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(url, 1)
    kept = Vault(NEW).seal(b"kept", SECRETS.place_of(user(5)))
    async with database.owner() as transaction:
        await put(transaction, 5, kept)
        await put(transaction, 7, Vault(OTHER).seal(b"x", SECRETS.place_of(user(7))))
    before = await read(database)
    monkeypatch.setenv("CLINCH_SECRET_KEY", NEW)
    with pytest.raises(CommandError, match=rf"second factors \({ROWS - 1}\).*add --yes"):
        await command(url, "vault forget", key=None, yes=False)
    assert await read(database) == before
    await command(url, "vault forget", key=None, yes=True)
    told = json.loads(capsys.readouterr().out)
    assert told == {one.table: "0" for one in SEALED} | {"second_factor": str(ROWS - 1)}
    assert set(await sealed_by(database)) == {Vault(NEW).names[0]}
    assert (await read(database))[user(5)] == kept
    with pytest.raises(CommandError, match="no secret key is lost"):
        await command(url, "vault forget", key=None, yes=True)
    await database.close()


async def test_doctor_tells_what_each_key_seals(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = Vault(OLD).names[0], Vault(NEW).names[0]
    monkeypatch.setenv("CLINCH_SECRET_KEY", f"{NEW} {OLD}")
    await command(url, "doctor", recount=False, json=False)
    said = capsys.readouterr().out.splitlines()
    assert said[2:] == [
        f"ok  the secret key {new} seals nothing",
        f"ok  the secret key {old} seals second factors ({ROWS})",
    ]
    monkeypatch.setenv("CLINCH_SECRET_KEY", NEW)
    await command(url, "doctor", recount=False, json=False)
    said = capsys.readouterr().out.splitlines()
    assert said[3] == (
        f"BAD the secret key {old} seals second factors ({ROWS}), and is not here: put it back from"
        " your copy"
    )


async def test_people_are_told_what_the_things_are(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, other = (Vault(key).names[0] for key in (OLD, NEW, OTHER))
    monkeypatch.setenv("CLINCH_SECRET_KEY", f"{NEW} {OLD}")
    await command(url, "vault rotate", json=False)
    told = f"The secret key {new} has sealed anew: second factors ({ROWS})\n"
    assert capsys.readouterr().out.startswith(told)
    monkeypatch.setenv("CLINCH_SECRET_KEY", OTHER)
    with pytest.raises(CommandError, match=rf"this gives up for good: second factors \({ROWS}\)\."):
        await command(url, "vault forget", key=new, yes=False, json=False)
    await command(url, "vault forget", key=new, yes=True, json=False)
    assert capsys.readouterr().out == f"Given up for good: second factors ({ROWS})\n"
    await command(url, "doctor", recount=False, json=False)
    said = capsys.readouterr().out
    assert f"ok  the secret key {other} seals second factors ({ROWS})\n" in said
    assert old not in said


def test_what_is_sealed_has_words_of_its_own() -> None:
    assert in_words({one.table: 1 for one in SEALED}).count(" (1)") == len(SEALED)
    assert not any(one.table in one.what for one in SEALED)
    assert in_words({one.table: 0 for one in SEALED}) == "nothing"


def test_the_name_of_a_key_is_in_what_it_sealed() -> None:
    vault = Vault(OLD)
    assert key_name(vault.seal(os.urandom(20), "here")) == vault.names[0]
