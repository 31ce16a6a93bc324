"""The HTTP load generator: wrk, found on this machine or fetched without root."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache" / "wrk"
# Debian and Ubuntu differ in the library's name; one of the two is enough.
_PACKAGES = (("wrk",), ("libluajit-5.1-2", "libluajit2-5.1-2"), ("libssl3", "libssl3t64"))


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of load gave: `seconds` long, latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p95: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run_load(url: str, connections: int, seconds: int, arguments: Sequence[str]) -> Load:
    """Ask for `seconds` over so many connections; the arguments are those of `requests.lua`."""
    command, environment = wrk()
    options = ["--threads=1", f"--connections={connections}", f"--duration={seconds}s"]
    ended = subprocess.run(
        [command, *options, f"--script={HERE / 'requests.lua'}", url, "--", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(ended.stdout.splitlines()[-1])
    if said["errors"] or not said["requests"]:
        raise SystemExit(f"bench: {said['errors']} of {said['requests']} requests failed")
    return Load(said["requests"], said["seconds"], said["p50"], said["p95"])


@cache
def wrk() -> tuple[str, dict[str, str]]:
    """The program and its environment."""
    if found := shutil.which("wrk"):
        return found, dict(os.environ)
    unpacked = CACHE / "usr" / "bin" / "wrk"
    if not unpacked.exists():
        _fetch()
    libraries = [str(folder) for folder in CACHE.glob("usr/lib/*-linux-*")]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
    try:
        # It knows no way to ask for nothing: its usage, with an exit code of 1, is a sign of life.
        said = subprocess.run([unpacked, "--version"], env=environment, capture_output=True)
        works = b"wrk" in said.stdout
    except OSError:
        works = False
    if not works:
        raise SystemExit("bench: install wrk (Debian: apt-get install wrk), then run this again")
    return str(unpacked), environment


def _fetch() -> None:
    """Unpack the packages into the cache; whatever cannot be had is left out."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    for names in _PACKAGES:
        for name in names:
            command = ["apt-get", "download", name]
            if subprocess.run(command, cwd=CACHE, capture_output=True).returncode == 0:
                break
    for package in CACHE.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, CACHE], check=True)
        package.unlink()
