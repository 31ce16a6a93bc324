"""The PostgreSQL server that uses a data folder, seen from outside: found, named, ended."""

import contextlib
import os
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from clinch.db.binaries import EmbeddedError

PORT = 5432  # names the socket's file only: nothing listens on TCP
REPORT_SECONDS = 3.0


@dataclass(frozen=True)
class Record:
    """The ``postmaster.pid`` that a server keeps in its data folder."""

    pid: int
    socket_folder: str
    ready: bool


def read_record(data: Path) -> Record | None:
    """What the server in ``data`` last said of itself; it may be dead by now."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return None
    lines += [""] * (8 - len(lines))
    return Record(pid, socket_folder=lines[4], ready=lines[7].strip() == "ready")


def cluster_name(data: Path) -> str:
    """The name that every process of the server in ``data`` carries in its command line.

    The inode makes it differ where two containers use the same path and see each other's processes.
    """
    return f"clinch-{zlib.crc32(f'{data} {data.stat().st_ino}'.encode()):08x}"


def processes(data: Path) -> dict[int, bool]:
    """Pids of the living processes of the server in ``data``; true for the one that leads it.

    (True also for the blink of an eye in which a process just forked still looks like its leader.)

    The command line is the only witness every user may read, and a recorded pid alone proves
    nothing: after a reboot, or in a new container, it may be anybody's.
    """
    name = cluster_name(data)
    found = {}
    for pid, command in command_lines():
        if f"cluster_name={name}" in command:
            found[pid] = True
        elif command.startswith(f"postgres: {name}: "):
            found[pid] = False
    return found


def command_lines() -> Iterator[tuple[int, str]]:
    """Pid and command line, joined by blanks, of every process that we can see."""
    if not os.path.exists("/proc/self/cmdline"):
        ps = ["ps", "-axww", "-o", "pid=,command="]
        listing = subprocess.run(ps, capture_output=True, check=True)
        for line in listing.stdout.decode(errors="replace").splitlines():
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command
        return
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    command = file.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it ended while we looked
                continue
            yield int(entry), command


def socket_url(folder: Path | str) -> str:
    """The URL of the database ``clinch`` behind the unix socket in ``folder``."""
    # The port is named because drivers would else take it from PGPORT.
    return f"postgresql://clinch@/clinch?host={quote(str(folder), safe='')}&port={PORT}"


def running_url(home: Path) -> str | None:
    """The URL of the PostgreSQL that now runs, ready, in ``home``; None where there is none."""
    for data in home.glob("postgresql-*"):
        record = read_record(data)
        if record and record.ready and record.pid in processes(data):
            return socket_url(record.socket_folder)
    return None


def stop_orphans(data: Path, on_step: Callable[[str], None], keep: Path | None) -> None:
    """End what is left of a server whose parent was killed, and clear away what it left behind.

    ``keep`` is a socket folder that will be used again. Raises EmbeddedError for a server that
    does not even end when it is killed.
    """
    record = read_record(data)
    left = processes(data)
    for number, patience in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if not left:
            break
        # The leader ends the others in order. Without it they end by themselves, once not busy.
        leaders = [pid for pid, leads in left.items() if leads and number != signal.SIGKILL]
        for pid in leaders or left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        for seconds in waiting(patience):
            if not (left := processes(data)):
                break
            if seconds:
                on_step(f"stopping a PostgreSQL that was left running: {seconds} s")
    if left:
        raise EmbeddedError(
            f"another PostgreSQL (process {min(left)}) uses {data} and does not end: "
            "end it, then start again"
        )
    if record is not None:
        # PostgreSQL takes any living process with the recorded pid for its former self.
        (data / "postmaster.pid").unlink(missing_ok=True)
        folder = Path(record.socket_folder)
        if folder != keep and folder.name.startswith("clinch-"):
            remove_socket_folder(folder)


def waiting(patience: float = float("inf")) -> Iterator[int]:
    """Come back until ``patience`` seconds are over; every few seconds say how many they were."""
    began = reported = time.monotonic()
    while (now := time.monotonic()) - began < patience:
        due = now - reported >= REPORT_SECONDS
        if due:
            reported = now
        yield int(now - began) if due else 0
        time.sleep(0.005 if now - began < 1 else 0.05)


def remove_sockets(folder: Path) -> None:
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        (folder / name).unlink(missing_ok=True)


def remove_socket_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        remove_sockets(folder)
        folder.rmdir()
