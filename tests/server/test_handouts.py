"""The command line as the server hands it out: it starts at once, in any version of Python."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from clinch.server.handouts import command_line

SERVER = "https://crm.example"
NEEDED = {
    *("clinch", "clinch.cli", "clinch.cli.gateway"),
    *("clinch.cli.gateway.main", "clinch.cli.gateway.arguments"),
}
COSTLY = {"argparse", "ast", "dataclasses", "http", "inspect", "json", "re", "ssl", "typing"}


@pytest.fixture
def handed_out(tmp_path: Path) -> Path:
    path = tmp_path / "membrane"
    path.write_bytes(command_line(SERVER))
    return path


def run(command: Path, *words: str, python: tuple[str, ...] = ()) -> tuple[str, str]:
    """What the command prints, and what is said of it."""
    done = subprocess.run(
        [sys.executable, "-I", *python, command, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout, done.stderr


def imported(command: Path) -> set[str]:
    """What the help of a command imports."""
    _, told = run(command, "--help", python=("-X", "importtime"))
    return {line.rpartition("|")[2].strip() for line in told.splitlines()}


def test_help_imports_what_it_needs(handed_out: Path) -> None:
    names = imported(handed_out)
    assert {name for name in names if name.startswith("clinch")} == NEEDED
    assert not names & COSTLY


def rewritten(archive: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of an archive with other contents; what becomes None is left out."""
    copy = archive.with_name("rewritten")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return copy


def test_nothing_is_compiled_by_who_runs_it(handed_out: Path) -> None:
    def without_sources(name: str, content: bytes) -> bytes | None:
        return None if name.startswith("clinch/") and name.endswith(".py") else content

    compiled = rewritten(handed_out, without_sources)
    assert run(compiled, "status", "--help") == run(handed_out, "status", "--help")


def test_another_version_of_python_reads_the_sources(handed_out: Path) -> None:
    def of_another_version(name: str, content: bytes) -> bytes:
        return b"\0\0\r\n" + content[4:] if name.endswith(".pyc") else content

    other = rewritten(handed_out, of_another_version)
    said, complained = run(other, "status", "--help")
    assert (said, complained) == run(handed_out, "status", "--help")
    assert "usage: membrane status" in said
    assert complained == ""


def test_it_points_to_the_server_that_hands_it_out(handed_out: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, handed_out, "status", "--json"],
        env={"HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert SERVER in told.stdout, told
