"""Child processes as the parent of `clinch up` sees them, and the signals that concern them."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Self

STOP_SECONDS = 10.0
STABLE_SECONDS = 10.0
LONGEST_PAUSE = 10.0


class ProcessError(Exception):
    """The parent cannot go on. The message is one line that says what to do."""


def program(*words: str) -> tuple[str, ...]:
    """The command of one process of the program."""
    # -P: what lies in the folder that Clinch is started in must not be taken for a module.
    return (sys.executable, "-P", "-m", "clinch.main", *words)


@dataclass
class Child:
    """One place for a process that is to run for good."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    descriptors: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0  # in a row, each soon after its start
    began: float = 0.0
    due: float = 0.0

    def code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs, or waits to run again."""
        return None if self.process is None else self.process.poll()

    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start_when_due(self) -> None:
        if self.process is None and time.monotonic() >= self.due:
            self.began = time.monotonic()
            self.process = spawn(self.command, self.environment, self.descriptors)

    def plan_again(self) -> float:
        """Have it start again; in how many seconds: none at first, then ever more."""
        now = time.monotonic()
        self.deaths = 1 if now - self.began >= STABLE_SECONDS else self.deaths + 1
        pause = pause_after(self.deaths - 1)
        self.due, self.process = now + pause, None
        return pause


def pause_after(failures: int) -> float:
    """Seconds to wait before the next attempt."""
    return min(0.25 * 2.0 ** min(failures, 10), LONGEST_PAUSE) if failures else 0.0


def spawn(
    command: Sequence[str],
    environment: Mapping[str, str],
    descriptors: tuple[int, ...],
    stderr: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that inherits ``descriptors`` and that the terminal's Ctrl-C does not reach."""
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
            pass_fds=descriptors,
            process_group=0,
        )
    except OSError as error:
        raise ProcessError(f"cannot run {command[0]} ({error.strerror})") from error


def end(process: subprocess.Popen[bytes], patience: float = STOP_SECONDS) -> None:
    """End a process: in order within ``patience`` seconds, then with its own children by force."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            kill(process)
            process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its own children by force, without waiting: a signal's handler may."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def describe(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


class Signals:
    """What the parent is told by signals while the ``with`` lasts, and a sleep that they end.

    ``stops`` counts the requests to stop (Ctrl-C, SIGTERM, SIGHUP). ``hurry`` is called, inside a
    signal's handler, for each after the first.
    """

    def __init__(self) -> None:
        self.stops = 0
        self.hurry: Callable[[], None] = lambda: None
        self._interrupts = False

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        # A handler is needed for a signal to be written to the pipe.
        self._before = {signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None)}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # What nohup or a shell's background had ignored stays so.
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reader)
        os.close(self._writer)

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Within this a request to stop breaks off what is being done, as KeyboardInterrupt."""
        self._interrupts = True
        try:
            if self.stops:
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False

    def sleep(self, seconds: float | None, *descriptors: int) -> None:
        """Until a signal comes, one of the descriptors can be read, or the time is over."""
        select.select([self._reader, *descriptors], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1
        if self._interrupts:
            self._interrupts = False  # what has to be cleared up is then not interrupted
            raise KeyboardInterrupt
        if self.stops > 1:
            self.hurry()
