"""What `clinch doctor` finds beside the log and what is sealed."""

import json
from pathlib import Path

import pytest

from clinch.cli.administration.commands import administer
from clinch.db.database import Database
from clinch.db.migrations import migrations
from clinch.program import declarations
from clinch.resources.store import Store
from clinch.vault.keys import KEY_FILE, ensure_keys

Lines = list[tuple[bool, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a secret key in its file, and none in the environment."""
    monkeypatch.delenv("CLINCH_SECRET_KEY", raising=False)
    ensure_keys(tmp_path)
    return tmp_path


async def doctor(url: str, home: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, Lines]:
    """The exit code, and whether it is good and the text of each line."""
    database = Database(url, 1)
    told = {"home": str(home), "json": True, "recount": False}
    try:
        code = await administer(Store(database, declarations()), "doctor", told)
    finally:
        await database.close()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return code, [(line["ok"], line["text"]) for line in lines]


async def test_the_version_of_the_database_is_told(
    own_database: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = await doctor(own_database, home, capsys)
    number = migrations()[-1].number
    assert code == 0
    assert (True, f"the database is at migration {number:04}, as this program is") in lines


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
async def test_a_key_file_that_is_open_to_others_is_a_problem(
    own_database: str, home: Path, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    file = home / KEY_FILE
    code, lines = await doctor(own_database, home, capsys)
    assert code == 0
    assert (True, f"{file} is for its owner alone") in lines
    file.chmod(mode)
    code, lines = await doctor(own_database, home, capsys)
    assert code == 1
    wrong = f"{file} can be read or changed by others than its owner: chmod 600 {file}"
    assert [line for line in lines if not line[0]] == [(False, wrong)]
    assert file.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("text", [None, "nonsense"])
async def test_a_key_file_that_is_gone_or_no_key_is_a_problem(
    own_database: str, home: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    file = home / KEY_FILE
    file.unlink()
    if text is not None:
        file.write_text(text)
    code, lines = await doctor(own_database, home, capsys)
    assert code == 1
    [(_, wrong)] = [line for line in lines if not line[0]]
    assert str(file) in wrong
    assert text is None or file.read_text() == text
