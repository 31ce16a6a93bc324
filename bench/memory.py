"""How much memory Clinch takes at rest: the parent, a web process, the worker and PostgreSQL."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.cpu import children
from clinch.cli.children import end

GOAL_MIB = 180.0
REST_SECONDS = 3.0


def at_rest() -> dict[str, float]:
    """MiB (proportional set size) by kind of process, of a Clinch that was just started."""
    home = Path(tempfile.mkdtemp(prefix="clinch-bench-"))
    command = [sys.executable, "-m", "clinch.cli.main", "up", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--home", str(home / "home")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("bench: `clinch up` did not start: run it by hand to see why")
        time.sleep(REST_SECONDS)
        return _by_kind(json.loads(line)["pid"])
    finally:
        end(process, patience=20)
        shutil.rmtree(home, ignore_errors=True)


def _by_kind(parent: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for pid in _family(parent):
        with suppress(OSError):  # it ended while we looked
            kind = "parent" if pid == parent else _kind(pid)
            found[kind] = found.get(kind, 0.0) + pss(pid)
    return found


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for child in children(pid):
            yield from _family(child)


def _kind(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    word = next((word for word in (b"web", b"worker") if word in command), b"PostgreSQL")
    return word.decode()


def pss(pid: int) -> float:
    """The MiB of a process; what it shares is divided among those who share it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
