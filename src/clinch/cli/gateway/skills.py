"""`skill install`: what agents read about the server, put where their programs look for skills."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinch.cli.gateway.result import Failure, Result, usage
from clinch.cli.gateway.session import Session, refused

SKILL = "close"
_FILE = "SKILL.md"
_PAGES = {"en": f"/skills/{SKILL}/SKILL.md", "zh": f"/skills/{SKILL}/SKILL.zh-CN.md"}
# By this word a skill of ours is told from another one with its name.
_OURS = "Clinch"


def homes(environment: Mapping[str, str], home: Path) -> dict[str, Path]:
    """The folders of agents' programs, by the programs' names; each looks into `skills` there.

    `agents` is the one that several share.
    """
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return {
        "agents": home / ".agents",
        "claude": Path(environment.get("CLAUDE_CONFIG_DIR") or home / ".claude"),
        "codex": Path(environment.get("CODEX_HOME") or home / ".codex"),
        "copilot": home / ".copilot",
        "cursor": home / ".cursor",
        "gemini": home / ".gemini",
        "openclaw": home / ".openclaw",
        "opencode": config / "opencode",
        "windsurf": home / ".codeium" / "windsurf",
    }


def install(arguments: dict[str, Any]) -> Result:
    """Write the server's skill for the programs that are named, else for all that are here."""
    places = _places(arguments["agent"], arguments["dir"])
    language = _language(arguments["lang"], os.environ)
    session = Session(arguments)
    answer = session.server.ask("GET", _PAGES[language])
    if answer.status != 200:
        raise refused(answer)
    states = {path: _state(path, answer.body) for _, path in places}
    for path, state in states.items():
        if state != "unchanged":
            _write(path, answer.body)
    installed = [
        {"agent": agent, "path": str(path), "state": states[path]} for agent, path in places
    ]
    document = {
        "skill": SKILL,
        "language": language,
        "server": session.server.uri,
        "installed": installed,
    }
    return Result(document, "\n".join(f"{one['state']:10}{one['path']}" for one in installed))


def _places(agents: list[str], folder: str | None) -> list[tuple[str | None, Path]]:
    """For whom the skill is written, and where; raises Failure for a program that is not known."""
    if folder is not None:
        if agents:
            raise usage("The folder is that of --dir, or of --agent.", "--dir DIR")
        return [(None, Path(folder).expanduser().absolute() / SKILL / _FILE)]
    known = homes(os.environ, Path.home())
    for agent in agents:
        if agent not in known:
            raise usage(
                f"{agent} is not known; known are {', '.join(known)}.", "Name its folder: --dir DIR"
            )
    here = [name for name, place in known.items() if name == "agents" or place.is_dir()]
    return [
        (name, known[name] / "skills" / SKILL / _FILE) for name in dict.fromkeys(agents or here)
    ]


def _language(named: str | None, environment: Mapping[str, str]) -> str:
    """The language that is named, else the locale's, if the skill is written in it."""
    if named is not None:
        if named not in _PAGES:
            raise usage(f"The skill is not written in {named!r}.", f"--lang {'|'.join(_PAGES)}")
        return named
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def _state(path: Path, text: bytes) -> str:
    """What is to become of a file; raises Failure where somebody else's is in its place."""
    try:
        there = path.read_bytes()
    except FileNotFoundError:
        return "written"
    except OSError as error:
        raise _unusable(path, error) from None
    if there == text:
        return "unchanged"
    if _OURS.encode() not in there:
        raise Failure(
            "other_skill",
            f"There is another skill called {SKILL}: {path}. Nothing was written.",
            "Move it away, or name another folder: --dir DIR",
        )
    return "updated"


def _write(path: Path, text: bytes) -> None:
    """Put a whole new file in place of the old one."""
    part = path.with_name(f".{_FILE}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(text)
        part.replace(path)
    except OSError as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: OSError) -> Failure:
    return Failure(
        "folder",
        f"{path} cannot be written ({error.strerror}).",
        "Name another folder: --dir DIR",
    )
