"""`skill install`: the server's skill in the folders of agents' programs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Program

Install = Callable[..., tuple[int, Any]]


@pytest.fixture
def install(program: Program, tmp_path: Path) -> Install:
    def run(*words: str, **environment: str) -> tuple[int, Any]:
        command = [sys.executable, "-m", "clinch.cli.gateway.main", "skill", "install"]
        told = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(tmp_path),
            "MEMBRANE_API_URI": program.url,
        }
        done = subprocess.run(
            [*command, *words, "--json"],
            env=told | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.returncode, json.loads(done.stdout)

    return run


def places(told: Any, home: Path) -> dict[str, str]:
    """The states by the paths below the home."""
    return {str(Path(one["path"]).relative_to(home)): one["state"] for one in told["installed"]}


def test_for_the_programs_that_are_here(program: Program, install: Install, tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / "other").mkdir()
    code, told = install(CODEX_HOME=str(tmp_path / "other"))
    assert (code, told["language"], told["server"]) == (0, "en", program.url)
    files = {
        ".agents/skills/close/SKILL.md",
        ".claude/skills/close/SKILL.md",
        "other/skills/close/SKILL.md",
    }
    assert places(told, tmp_path) == dict.fromkeys(files, "written")
    for file in files:
        text = (tmp_path / file).read_text()
        assert text.startswith("---\nname: close\n")
        assert program.url in text
    assert [path.name for path in tmp_path.rglob("close/*")] == ["SKILL.md"] * 3
    again = install(CODEX_HOME=str(tmp_path / "other"))[1]
    assert set(places(again, tmp_path).values()) == {"unchanged"}


def test_for_one_program_or_folder_in_either_language(install: Install, tmp_path: Path) -> None:
    code, told = install("--agent=cursor", LANG="zh_CN.UTF-8")
    assert (code, places(told, tmp_path)) == (0, {".cursor/skills/close/SKILL.md": "written"})
    assert "团队" in (tmp_path / ".cursor/skills/close/SKILL.md").read_text()
    code, told = install("--agent=cursor", "--lang=en", LANG="zh_CN.UTF-8")
    assert places(told, tmp_path) == {".cursor/skills/close/SKILL.md": "updated"}
    assert "团队" not in (tmp_path / ".cursor/skills/close/SKILL.md").read_text()
    code, told = install("--dir", "mine", "--lang=zh")
    assert (code, places(told, tmp_path)) == (0, {"mine/close/SKILL.md": "written"})
    assert not (tmp_path / ".agents").exists()


def test_what_is_not_ours_stays(install: Install, tmp_path: Path) -> None:
    theirs = tmp_path / ".claude/skills/close/SKILL.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("---\nname: close\n---\nHow to close a window.\n")
    code, told = install()
    assert (code, told["error"]) == (1, "other_skill")
    assert "window" in theirs.read_text()
    assert not (tmp_path / ".agents").exists()


def test_what_cannot_be_meant(install: Install, tmp_path: Path) -> None:
    for words in (("--agent=nobody",), ("--lang=fr",), ("--agent=codex", "--dir=x")):
        code, told = install(*words)
        assert (code, told["error"]) == (2, "usage")
    (tmp_path / "file").write_text("")
    code, told = install("--dir=file")
    assert (code, told["error"]) == (1, "folder")
    code, told = install("--apiUri", "http://127.0.0.1:1")
    assert code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
