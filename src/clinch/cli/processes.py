"""The small parent of `clinch up`: it owns PostgreSQL, the web processes and the worker.

It imports nothing of the product, so that it stays small in memory. Children learn all they need
from their environment:

``CLINCH_DATABASE_URL``  where PostgreSQL is
``CLINCH_LISTEN_FD``     the listening socket (web processes only)
``CLINCH_PUBLIC_URL``    the base of every link
``CLINCH_HOME``          the folder of this installation, which holds the secret key
``CLINCH_PARENT_FD``     a pipe's reading end; at end of file the parent is gone, the child leaves
"""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clinch.cli.children import (
    STOP_SECONDS,
    Child,
    ProcessError,
    Signals,
    describe,
    end,
    kill,
    pause_after,
    program,
    spawn,
)
from clinch.db.embedded import EmbeddedError, EmbeddedPostgres
from clinch.db.home import HomeError, HomeLock, has_database
from clinch.vault.keys import SecretKeyError, ensure_keys

__all__ = ["Commands", "Parent", "ProcessError", "Progress", "Settings", "listen", "run"]

PROGRESS_SECONDS = 2.0
HEALTH_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Settings:
    """What `clinch up` was asked for. Without ``database_url`` PostgreSQL is our own."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 8080
    database_url: str | None = None
    processes: int = 1
    public_url: str | None = None


@dataclass(frozen=True)
class Commands:
    """The children: those of ``prepare`` run in turn to their end, then the others for good."""

    prepare: Sequence[Sequence[str]] = (program("prepare"),)
    web: Sequence[str] = program("web")
    worker: Sequence[str] = program("worker")


def _say_ready(url: str) -> None:
    print(f"Clinch is running on {url} (Ctrl-C stops it)", flush=True)


def run(
    settings: Settings,
    commands: Commands | None = None,
    ready: Callable[[str], None] = _say_ready,
) -> int:
    """Run all of Clinch until it is told to stop (Ctrl-C, SIGTERM); returns the exit code.

    ``ready`` is called with the URL when the first web process answers. What prevents the start is
    said on stderr, in one line.
    """
    progress = Progress()
    try:
        with HomeLock(settings.home) as lock, Signals() as signals:
            parent = Parent(settings, commands or Commands(), signals, progress)
            try:
                with signals.interrupting():
                    parent.start()
                lock.announce(parent.url)
                ready(parent.url)
                parent.watch()
            finally:
                parent.stop()
    except KeyboardInterrupt:
        return 0
    except (HomeError, EmbeddedError, ProcessError, SecretKeyError) as error:
        progress.note(str(error))
        return 1
    return 0


class Progress:
    """Says on stderr what takes long: one changing line on a terminal, else a line at times."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._text: str | None = None
        self._began = self._said = 0.0

    def step(self, text: str) -> None:
        """What is being done now."""
        if self._text is None:
            self._began = self._said = time.monotonic()
        self._text = text
        if self._terminal:
            self._said = 0.0
        self.tick()

    def tick(self) -> None:
        """The step goes on: to be called now and then while it does."""
        now = time.monotonic()
        if self._text is None or now - self._said < PROGRESS_SECONDS:
            return
        self._said = now
        seconds = int(now - self._began)
        text = f"{self._text} ({seconds} s)" if seconds >= PROGRESS_SECONDS else self._text
        if self._terminal:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            self._say(f"\r\x1b[2K{text[: columns - 1]}")
        else:
            self._say(f"clinch: {text}\n")

    def note(self, text: str) -> None:
        """Something that stays to be read."""
        self.done()
        self._say(f"clinch: {text}\n")

    def done(self) -> None:
        """Nothing takes long any more."""
        if self._text is not None and self._terminal:
            self._say("\r\x1b[2K")
        self._text = None

    def _say(self, text: str) -> None:
        # That a disk is full, or nobody reads any more, is no reason to stop.
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


class Parent:
    """Starts the processes in order, keeps them running, and ends them in order.

    ``start`` raises ProcessError, EmbeddedError or SecretKeyError; ``stop`` is to be called in any
    case.
    """

    def __init__(
        self, settings: Settings, commands: Commands, signals: Signals, progress: Progress
    ) -> None:
        self._settings, self._commands = settings, commands
        self._signals, self._progress = signals, progress
        self._postgres: EmbeddedPostgres | None = None
        self._postgres_failures = 0
        self._postgres_due = 0.0
        self._listener: socket.socket | None = None
        self._children: list[Child] = []
        # Only this process holds the writing end, so its death is the end of the pipe.
        self._pipe = os.pipe()
        self.url = settings.public_url or ""

    def start(self) -> None:
        """Take the port, start PostgreSQL, prepare, start the children; return when one answers."""
        listener = self._listener = listen(self._settings.host, self._settings.port)
        self.url = self.url or _url_of(listener)
        embedded = self._settings.database_url is None
        ensure_keys(self._settings.home, begun=embedded and has_database(self._settings.home))
        if embedded:
            self._postgres = EmbeddedPostgres(self._settings.home)
            self._postgres.start(self._progress.step)
        for command in self._commands.prepare:
            self._complete(command)
        self._progress.step("starting the web process")
        self._children = self._make_children(listener)
        self._wait_until_healthy(listener)
        self._progress.done()

    def watch(self) -> None:
        """Bring back what dies, until a signal says to stop."""
        while not self._signals.stops:
            self._revive_postgres()
            self._revive_children()
            self._signals.sleep(self._until_due())

    def stop(self) -> None:
        """End the children, then PostgreSQL: in order, or at once when told to stop again."""
        self._progress.step("stopping")
        self._signals.hurry = self._hurry
        for child in self._children:
            if child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.lives() for child in self._children):
            left = deadline - time.monotonic()
            if left <= 0 or self._signals.stops > 1:
                break
            self._signals.sleep(min(left, 0.5))
            self._progress.tick()
        for child in self._children:
            if child.process is not None:
                end(child.process, patience=0.0)
        if self._postgres is not None:
            self._postgres.stop(patience=STOP_SECONDS if self._signals.stops < 2 else 0.0)
        self._signals.hurry = lambda: None
        if self._listener is not None:
            self._listener.close()
        for descriptor in self._pipe:
            os.close(descriptor)
        self._progress.done()

    def _hurry(self) -> None:
        for child in self._children:
            if child.process is not None:
                kill(child.process)
        if self._postgres is not None:
            with contextlib.suppress(EmbeddedError, ProcessLookupError):
                if self._postgres.exit_code() is None:
                    os.kill(self._postgres.pid, signal.SIGQUIT)

    def _environment(self) -> dict[str, str]:
        database = self._postgres.url if self._postgres else self._settings.database_url
        return {
            **os.environ,
            "CLINCH_DATABASE_URL": database or "",
            "CLINCH_PUBLIC_URL": self.url,
            "CLINCH_HOME": str(self._settings.home.absolute()),
            "CLINCH_PARENT_FD": str(self._pipe[0]),
        }

    def _make_children(self, listener: socket.socket) -> list[Child]:
        environment, alive = self._environment(), self._pipe[0]
        socket_descriptor = listener.fileno()
        web = Child(
            "web process",
            self._commands.web,
            {**environment, "CLINCH_LISTEN_FD": str(socket_descriptor)},
            (alive, socket_descriptor),
        )
        webs = [replace(web) for _ in range(self._settings.processes)]
        return [*webs, Child("worker", self._commands.worker, environment, (alive,))]

    def _complete(self, command: Sequence[str]) -> None:
        """Run a command to its end; its lines on stderr are its progress, the last its reason."""
        self._progress.step("preparing")
        process = spawn(command, self._environment(), (self._pipe[0],), stderr=subprocess.PIPE)
        said = b""
        try:
            if process.stderr is not None:
                with process.stderr as pipe:
                    os.set_blocking(pipe.fileno(), False)
                    while (part := self._read(pipe.fileno())) != b"":
                        said = (said + (part or b""))[-8192:]
                        self._progress.step(f"preparing: {_last_line(said)}".rstrip(": "))
            while process.poll() is None:
                self._signals.sleep(0.5)
                self._progress.tick()
        finally:
            end(process)
        if process.returncode != 0:
            reason = _last_line(said).removeprefix("clinch: ") or describe(process.returncode)
            raise ProcessError(f"the preparation failed: {reason}")

    def _read(self, descriptor: int) -> bytes | None:
        """What came; None where nothing did for a moment; empty at the end."""
        self._signals.sleep(0.5, descriptor)
        try:
            return os.read(descriptor, 8192)
        except BlockingIOError:
            return None

    def _wait_until_healthy(self, listener: socket.socket) -> None:
        while True:
            with socket.socket(listener.family) as probe:
                probe.connect(_address_to_ask(listener))
                probe.sendall(HEALTH_REQUEST)
                probe.setblocking(False)
                if self._answer(probe).startswith(b"HTTP/1.1 200"):
                    return
            self._signals.sleep(0.1)

    def _answer(self, probe: socket.socket) -> bytes:
        """The first bytes of the answer; the children are looked after while it is awaited."""
        while True:
            for child in self._children:
                code = child.code()
                if code is not None and code > 0 and child.command is self._commands.web:
                    raise ProcessError(
                        f"the {child.name} did not start ({describe(code)}): its reason is above"
                    )
            self._revive_children()
            self._signals.sleep(0.5, probe.fileno())
            self._progress.tick()
            try:
                return probe.recv(64)
            except BlockingIOError:
                continue
            except ConnectionError:
                return b""

    def _revive_children(self) -> None:
        for child in self._children:
            code = child.code()
            if code is not None:
                pause = child.plan_again()
                when = f"in {pause:.0f} s" if pause >= 1 else "now"
                self._progress.note(
                    f"the {child.name} has ended ({describe(code)}), starting it again {when}"
                )
            child.start_when_due()

    def _revive_postgres(self) -> None:
        if self._postgres is None or time.monotonic() < self._postgres_due:
            return
        code = self._postgres.exit_code()
        if code is None:
            return
        if self._postgres_failures == 0:
            self._progress.note(f"PostgreSQL has ended ({describe(code)}), starting it again")
        try:
            with self._signals.interrupting():
                self._postgres.start(self._progress.step)
            self._postgres_failures = 0
        except KeyboardInterrupt:
            return
        except EmbeddedError as error:
            self._postgres_failures += 1
            pause = pause_after(self._postgres_failures)
            self._postgres_due = time.monotonic() + pause
            self._progress.note(str(error))
        self._progress.done()

    def _until_due(self) -> float | None:
        """Seconds until something is to be started again; None where only a signal matters."""
        due = [child.due for child in self._children if child.process is None]
        if self._postgres is not None and self._postgres.exit_code() is not None:
            due.append(self._postgres_due)
        return max(0.0, min(due) - time.monotonic()) if due else None


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; raises ProcessError where the address is in use or not ours."""
    if not 0 <= port <= 65535:
        raise ProcessError(f"there is no port {port}; choose one up to 65535 with --port")
    try:
        # Bytes, because a str would load the tables of international names.
        found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
    except OSError:
        raise ProcessError(f"there is no address {host}; choose another with --host") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        choose = "choose another with --port or CLINCH_PORT"
        if error.errno == errno.EADDRINUSE:
            raise ProcessError(f"port {port} is in use; {choose}") from None
        if error.errno == errno.EACCES:
            raise ProcessError(f"port {port} is not open to this user; {choose}") from None
        raise ProcessError(
            f"cannot listen on {host} ({error.strerror}); choose another with --host"
        ) from None
    return listener


def _address_to_ask(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104


def _url_of(listener: socket.socket) -> str:
    host, port = _address_to_ask(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _last_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")
