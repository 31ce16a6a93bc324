"""CPU time of processes, from /proc: a Python process, and all of a PostgreSQL cluster."""

import os
import resource
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def process_seconds(pid: int) -> float:
    """The CPU seconds that a process has used, all its threads, user and system."""
    user, system, _, _ = _times(pid)
    return (user + system) / _TICKS


def cluster_seconds(postmaster: int) -> float:
    """The same for a PostgreSQL: its parent, its children, and those that have ended."""
    ticks = sum(_times(postmaster))
    for child in children(postmaster):
        with suppress(OSError):
            ticks += sum(_times(child)[:2])
    return ticks / _TICKS


def machine_seconds() -> float:
    """The CPU seconds that the whole machine was busy, with what a host took away from it."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupt, soft_interrupt, stolen = map(int, fields[:8])
    return (user + nice + system + interrupt + soft_interrupt + stolen) / _TICKS


def own_seconds() -> float:
    """Those of this process and of its children that have ended: wrk and pgbench."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _times(pid: int) -> tuple[int, int, int, int]:
    """User, system, and the same of children that have ended, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, of_children, system_of_children = map(int, fields[11:15])
    return user, system, of_children, system_of_children
