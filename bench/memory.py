"""How much memory Clinch takes at rest: the parent, a web process, the worker and PostgreSQL."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.cpu import children
from bench.whole import clinch_up

GOAL_MIB = 180.0
REST_SECONDS = 3.0


def at_rest() -> dict[str, float]:
    """MiB (proportional set size) by kind of process, of a Clinch that was just started."""
    with clinch_up() as told:
        time.sleep(REST_SECONDS)
        return _by_kind(told["pid"])


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
