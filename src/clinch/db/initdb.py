"""How PostgreSQL's data folder comes to be."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from clinch.db.binaries import Account, Binaries, EmbeddedError
from clinch.db.postmaster import REPORT_SECONDS, command_lines, waiting

INCLUDE = "\ninclude_if_exists = 'clinch.conf'\n# Your own settings go below this line.\n"


def make_data_folder(
    data: Path, binaries: Binaries, account: Account, on_step: Callable[[str], None]
) -> None:
    """Initialise ``data`` whole or not at all: it gets its name when it is finished.

    Its one superuser and one database are called ``clinch``. Raises EmbeddedError.
    """
    home = data.parent
    on_step("making the database")
    for half_made in home.glob("postgresql-*.new-*"):
        _discard(half_made)
    staging = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=home))
    account.give(staging)
    try:
        _initialise(staging, binaries, account, on_step)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    staging.rename(data)
    _sync_folder(home)


def _discard(half_made: Path) -> None:
    # Where the parent alone was killed, its initdb goes on for a moment.
    programs = ("initdb", "postgres", "unshare")
    for pid, command in command_lines():
        if str(half_made) in command and command.split()[0].endswith(programs):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for _ in waiting(5.0):
        shutil.rmtree(half_made, ignore_errors=True)
        if not half_made.exists():
            return


def _initialise(
    folder: Path, binaries: Binaries, account: Account, on_step: Callable[[str], None]
) -> None:
    initdb = [
        *(binaries.program("initdb"), f"--pgdata={folder}", "--username=clinch"),
        *("--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=reject"),
    ]
    if binaries.major >= 17:
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    _complete(folder, account, initdb, on_step)
    single = [
        *(binaries.program("postgres"), "--single", "-D", str(folder)),
        *("-c", "exit_on_error=on", "-c", "log_checkpoints=off", "postgres"),
    ]
    _complete(folder, account, single, on_step, statement=b"create database clinch\n")
    with open(folder / "postgresql.conf", "ab") as configuration:
        configuration.write(INCLUDE.encode())
        configuration.flush()
        os.fsync(configuration.fileno())


def _complete(
    folder: Path,
    account: Account,
    command: Sequence[str],
    on_step: Callable[[str], None],
    statement: bytes | None = None,
) -> None:
    """Run a program to its end; raises EmbeddedError with the reason it gave."""
    process = account.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    began = time.monotonic()
    try:
        while True:
            try:
                output, _ = process.communicate(statement, timeout=REPORT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                statement = None  # it is being sent already, and may be given only once
                on_step(f"making the database: {time.monotonic() - began:.0f} s")
    except BaseException:
        # It has a session of its own, so the whole of it can go.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode != 0:
        lines = output.decode(errors="replace").splitlines()
        if any("No space left on device" in line or "quota" in line for line in lines):
            raise EmbeddedError(disk_full(folder.parent))
        reason = meaningful(lines) or f"exit code {process.returncode}"
        raise EmbeddedError(f"the database could not be made: {reason}")


def meaningful(lines: Sequence[str]) -> str | None:
    """The line that says why, without its time and process."""
    lines = [line.strip() for line in lines if line.strip()]
    reasons = [line for line in lines if re.search(r"\b(PANIC|FATAL|ERROR|error):", line)]
    for line in (reasons or lines)[-1:]:
        return re.sub(r"^.*?\b(PANIC|FATAL|ERROR|error|LOG):\s*", "", line)
    return None


def disk_full(folder: Path) -> str:
    return f"the disk that holds {folder} is full: free at least 200 MB, then start again"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
