"""The `clinch` command: its help, and what it says of settings and databases it cannot use."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from clinch.cli.children import program
from clinch.cli.main import main
from clinch.cli.processes import Settings
from clinch.db.migrations import migrate, migrations


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://crm:harbour-secret@127.0.0.1:1/crm", "Connection refused"),
        ("postgresql:///crm?host=/harbour/none", "No such file"),
        ("harbour-secret", "invalid DSN"),
    ],
)
def test_a_database_that_is_not_there_is_told_in_a_line(url: str, why: str) -> None:
    line = refused(url, "migrate")
    assert line.startswith("clinch: the database at CLINCH_DATABASE_URL cannot be used: ")
    assert why in line
    assert "harbour-secret" not in line


def test_a_database_of_another_version_is_not_worked_on(empty_database: str) -> None:
    doctor = ("administer", "doctor", json.dumps({"json": True, "recount": False, "home": "/"}))
    older = "clinch: the database is not up to date: run `clinch migrate`"
    assert refused(empty_database, *doctor) == older
    assert asyncio.run(migrate(empty_database)) == len(migrations())  # it was left empty

    async def write(sql: str) -> None:
        connection = await asyncpg.connect(empty_database)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(write("delete from schema_migration where number > 1"))
    assert refused(empty_database, *doctor) == older
    asyncio.run(write("insert into schema_migration values (9999, 'later', 'x')"))
    assert refused(empty_database, *doctor).endswith("install the newer program")


def refused(url: str, *words: str) -> str:
    """The one line with which a process that is given the database ends."""
    done = subprocess.run(
        [sys.executable, "-m", "clinch.main", *words],
        env=os.environ | {"CLINCH_DATABASE_URL": url},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 0, ["  up ", "  organization create ", "  action run ", "  --version "]),
        (["user", "--help"], 0, ["usage: clinch user COMMAND", "  user invite "]),
        (["action", "help"], 0, ["usage: clinch action COMMAND", "  action run "]),
        (["user", "rename"], 2, ["no command 'user rename'", "  user invite "]),
        (["--sell"], 2, ["no command '--sell'", "  organization create "]),
        (["sell", "--help"], 2, ["no command 'sell'", "  organization create "]),
    ],
)
def test_help_is_of_what_was_asked_for(
    words: list[str], code: int, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    said = capsys.readouterr()
    text = said.err if code else said.out
    assert all(part in text for part in told)
    assert ("  key create " in text) == (not words or "sell" in words[0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CLINCH_PUBLIC_URL", "crm.example"),
        ("CLINCH_RATE_LIMIT", "0"),
        ("CLINCH_ALLOW_PRIVATE", "127.0.0.1:²"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, text)
    assert main(["up"]) == 2
    # A server of an earlier test may still write a line of its log.
    assert f"clinch: {name}: {text!r} is no" in capsys.readouterr().err


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of each `up` that is run, which starts nothing."""
    settings = list[Settings]()

    def run(of_one: Settings, *_: object) -> int:
        settings.append(of_one)
        return 0

    monkeypatch.setattr("clinch.cli.up.run", run)
    return settings


def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch, asked: list[Settings]) -> None:
    for name in ("HOME", "PORT", "DATABASE_URL", "PUBLIC_URL", "RATE_LIMIT", "ALLOW_PRIVATE"):
        monkeypatch.setenv(f"CLINCH_{name}", "")
    assert main(["up"]) == 0
    [settings] = asked
    assert (settings.port, settings.database_url, settings.public_url) == (8080, None, None)


def test_blanks_around_the_public_url_are_none_of_it(
    monkeypatch: pytest.MonkeyPatch, asked: list[Settings]
) -> None:
    monkeypatch.setenv("CLINCH_PUBLIC_URL", " https://crm.example/ ")
    assert main(["up"]) == 0
    assert [settings.public_url for settings in asked] == ["https://crm.example"]


@pytest.mark.parametrize("option", ["--home", "--database-url"])
@pytest.mark.parametrize("words", ["up", "doctor"])
def test_an_empty_option_is_refused(
    words: str, option: str, asked: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([words, option, ""])
    assert (ended.value.code, asked) == (2, [])
    assert f"argument {option}: it is empty" in capsys.readouterr().err


def test_what_lies_in_the_folder_is_no_part_of_the_program(tmp_path: Path) -> None:
    for name in ("asyncpg", "clinch", "segno"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not ours')")
    done = subprocess.run(
        program("migrate"),
        cwd=tmp_path,
        env=os.environ | {"CLINCH_DATABASE_URL": "postgresql://crm@127.0.0.1:1/crm"},
        capture_output=True,
        text=True,
    )
    assert "Connection refused" in done.stderr


def test_who_reads_no_further_is_no_trouble(own_database: str) -> None:
    arguments = json.dumps({"json": True, "recount": False, "home": "/"})
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as output:
        done = subprocess.run(
            program("administer", "doctor", arguments),
            env=os.environ | {"CLINCH_DATABASE_URL": own_database, "PYTHONUNBUFFERED": ""},
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (1, "")


def test_a_home_is_found_from_wherever_it_was_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: list[Settings]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("CLINCH_HOME", "~/crm")
    assert main(["up"]) == main(["up", "--home", "here"]) == 0
    assert [settings.home for settings in asked] == [Path("/home/ada/crm"), tmp_path / "here"]
