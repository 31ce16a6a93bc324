"""How a command comes by its database: what runs, what it waits for, and what it begins."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clinch.cli.administration import launch
from clinch.cli.main import main
from clinch.db.home import HomeLock, has_database, running_at
from clinch.db.postmaster import running_url

CLINCH = [sys.executable, "-m", "clinch.cli.main"]


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLINCH_DATABASE_URL", "CLINCH_SECRET_KEY", "CLINCH_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home() -> Iterator[Path]:
    """Where a home may be made, also by the account that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="clinch-test-") as folder:
        os.chmod(folder, 0o711)
        yield Path(folder) / "home"


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    command = [*CLINCH, *words, "--home", str(home), "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


def result(process: subprocess.Popen[str]) -> Any:
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    return json.loads(out)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "words",
    [
        "doctor",
        "organization list",
        "organization delete Harbour --yes",
        "user create ada@harbour.example",
        "key list",
        "workspace key",
        "connector list",
        "vault rotate",
        "vault forget 00000000 --yes",
    ],
)
@pytest.mark.parametrize("there", ["no folder", "an empty folder", "a database elsewhere"])
def test_what_needs_an_installation_does_not_begin_one(
    words: str, there: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if there != "no folder":
        home.mkdir()
    if there == "a database elsewhere":
        with HomeLock(home):
            (home / "secret.key").write_text("0f" * 32)
    before = contents(home)
    assert main([*words.split(), "--home", str(home)]) == 1
    line = f"clinch: there is no installation at {home}: name its folder with --home"
    assert line in capsys.readouterr().err
    assert home.exists() == (there != "no folder")
    assert contents(home) == before


def test_commands_that_begin_an_installation_and_then_meet_in_it(home: Path) -> None:
    made = result(start(home, "organization", "create", "Harbour Sales"))
    meeting = [start(home, "organization", "list") for _ in range(3)]
    for process in meeting:
        assert result(process) == [{"id": made["organization_id"], "name": "Harbour Sales"}]
    assert running_url(home) is None


def test_a_server_that_is_starting_is_waited_for_and_used(home: Path) -> None:
    with start(home, "up", "--port", "0") as up:
        try:
            deadline = time.monotonic() + 20
            while not (home / "lock").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            listing = start(home, "organization", "list")
            assert result(listing) == []
            assert up.poll() is None
            assert up.stdout
            assert json.loads(up.stdout.readline())["pid"] == up.pid
            assert running_url(home) is not None
        finally:
            up.terminate()
            up.communicate(timeout=30)


@pytest.mark.parametrize(
    "streams", ["<&- >&- 2>&-", ">/dev/full 2>/dev/full"], ids=["closed", "full"]
)
def test_all_runs_where_nothing_can_be_told(streams: str, home: Path) -> None:
    """Without standard streams, as under some supervisors, what is opened gets none of their
    numbers. Where they cannot be written to, nothing stops."""
    shell = ["/bin/sh", "-c", f'exec "$@" {streams}', "sh"]
    words = [*CLINCH, "up", "--home", str(home), "--port", "0"]
    with subprocess.Popen([*shell, *words]) as up:
        try:
            deadline = time.monotonic() + 40
            while (url := running_at(home)) is None:
                assert up.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
                assert answer.status == 200
            done = subprocess.run([*shell, *CLINCH, "doctor", "--home", str(home)], check=False)
            assert (done.returncode == 0) == ("/dev/full" not in streams)
        finally:
            up.terminate()
            up.wait(30)
    assert up.returncode == 0


def refusal(home: Path, *words: str) -> list[str]:
    """The lines on standard error of a command that fails."""
    process = start(home, *words)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1, error
    return [line for line in error.splitlines() if "PostgreSQL" not in line]


def test_a_secret_key_that_is_lost_is_not_replaced_unasked(home: Path) -> None:
    """The way of a person who has no copy: each command says what the next one is."""
    result(start(home, "organization", "create", "Harbour Sales"))
    key, kept = home / "secret.key", home / "kept.key"
    before = result(start(home, "workspace", "key"))
    key.rename(kept)
    [line] = refusal(home, "up", "--port", "0")
    assert line.startswith(f"clinch: there is no secret key: put it into {key} from your copy")
    assert "if it is lost for good, see `clinch vault forget`" in line
    assert line in refusal(home, "workspace", "key")
    refusal(home, "doctor")
    [line] = refusal(home, "vault", "forget")
    assert "this gives up for good: secrets of workspaces (1)." in line
    assert not key.exists()
    kept.rename(key)
    assert result(start(home, "workspace", "key")) == before
    key.unlink()
    assert result(start(home, "vault", "forget", "--yes"))["gateway_workspace"] == "1"
    assert key.stat().st_mode & 0o777 == 0o600
    result(start(home, "organization", "list"))
    after = result(start(home, "workspace", "key"))
    assert after["workspaceKey"] == before["workspaceKey"]
    assert after["workspaceSecret"] != before["workspaceSecret"]
    served(home)


def test_a_secret_key_that_has_sealed_nothing_is_made_again_when_asked(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = result(start(home, "organization", "create", "Harbour Sales"))
    (home / "secret.key").unlink()
    [line] = refusal(home, "up", "--port", "0")
    assert "there is no secret key" in line
    assert not (home / "secret.key").exists()
    assert main(["vault", "forget", "--home", str(home)]) == 0
    out = capfd.readouterr().out
    assert (
        out == f"A new secret key is in {home}/secret.key. Keep a copy, apart from the backups.\n"
    )
    served(home)
    [listed] = result(start(home, "organization", "list"))
    assert listed["id"] == made["organization_id"]


def served(home: Path) -> None:
    """See that the server starts there."""
    with start(home, "up", "--port", "0") as up:
        try:
            assert up.stdout
            assert up.stdout.readline().startswith('{"url"')
        finally:
            up.terminate()
            up.communicate(timeout=30)


def test_a_home_that_stays_held_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "PATIENCE", 0.3)
    with HomeLock(home):
        assert main(["migrate", "--home", str(home)]) == 1
    said = capsys.readouterr().err
    assert f"clinch: waiting for another command on {home}\n" in said
    assert f"clinch: already running on {home} (pid {os.getpid()})\n" in said
    assert not has_database(home)


def test_a_server_whose_database_is_elsewhere_is_not_waited_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with HomeLock(home) as lock:
        lock.announce("http://127.0.0.1:1")
        began = time.monotonic()
        assert main(["doctor", "--home", str(home)]) == 1
        assert time.monotonic() - began < launch.PATIENCE / 2
    said = capsys.readouterr().err
    assert "already running on" in said
    assert "with a database elsewhere: name it with --database-url" in said


def test_a_home_that_is_let_go_is_taken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with HomeLock(home):
            held.set()
            let_go.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    threading.Timer(0.3, let_go.set).start()
    assert main(["organization", "list", "--home", str(home)]) == 1
    thread.join()
    said = capsys.readouterr().err
    assert "waiting for another command" in said
    assert "there is no installation" in said
