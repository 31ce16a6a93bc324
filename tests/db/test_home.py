"""The home folder: where it is, and that one process owns it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clinch.db.home import HomeError, HomeHeld, HomeLock, default_home

HOLD = """
import sys, time
from pathlib import Path
from clinch.db.home import HomeLock
with HomeLock(Path(sys.argv[1])) as lock:
    lock.announce("http://127.0.0.1:8080")
    print("held", flush=True)
    time.sleep(60)
"""


def test_default_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLINCH_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_home() == Path("/home/ann/.local/share/clinch")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_home() == Path("/data/clinch")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_home() == Path("/var/lib/clinch")
    monkeypatch.setenv("CLINCH_HOME", "~/crm")
    assert default_home() == Path("/home/ann/crm")


def test_a_home_of_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINCH_HOME", "~nobody-of-that-name/crm")
    with pytest.raises(HomeError, match=r"no home directory .* --home or CLINCH_HOME"):
        default_home()


def test_a_new_home_is_private_and_an_old_one_is_left_alone(tmp_path: Path) -> None:
    new = tmp_path / "new" / "home"
    with HomeLock(new):
        assert new.stat().st_mode & 0o777 == 0o700
        assert (new / "lock").stat().st_mode & 0o777 == 0o600
    old = tmp_path / "old"
    old.mkdir()
    old.chmod(0o750)
    with HomeLock(old):
        assert old.stat().st_mode & 0o777 == 0o750


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"held\n"
            with pytest.raises(HomeHeld) as caught, HomeLock(tmp_path):
                pass
            assert caught.value.pid == process.pid
            assert caught.value.url == "http://127.0.0.1:8080"
            assert str(caught.value) == (
                f"already running on {tmp_path} (pid {process.pid}, http://127.0.0.1:8080)"
            )
        finally:
            process.send_signal(signal.SIGKILL)
    # Its death is the end of its lock, whatever the file says.
    assert json.loads((tmp_path / "lock").read_text())["pid"] == process.pid
    with HomeLock(tmp_path):
        assert json.loads((tmp_path / "lock").read_text()) == {"pid": os.getpid(), "url": None}
    assert (tmp_path / "lock").read_text() == ""


def test_a_holder_who_has_not_said_his_name_yet(tmp_path: Path) -> None:
    with HomeLock(tmp_path):
        (tmp_path / "lock").write_text('{"pid": 1')
        with pytest.raises(HomeHeld) as caught, HomeLock(tmp_path):
            pass
    assert str(caught.value) == f"already running on {tmp_path}"


def test_children_do_not_hold_it_on(tmp_path: Path) -> None:
    with HomeLock(tmp_path):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with HomeLock(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file" / "home", tmp_path / "file"):
        with pytest.raises(HomeError) as caught, HomeLock(home):
            pass
        assert str(home) in str(caught.value)
        assert "--home or CLINCH_HOME" in str(caught.value)
        assert "\n" not in str(caught.value)
