"""The folder that holds all of one Clinch, and the lock by which one process owns it."""

import contextlib
import fcntl
import json
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self


class HomeError(Exception):
    """The home cannot be used. The message is one line that says what to do."""


class HomeHeld(HomeError):
    """Another process owns the home: its ``pid`` and ``url``, None where not known (yet)."""

    def __init__(self, home: Path, pid: int | None, url: str | None) -> None:
        self.home, self.pid, self.url = home, pid, url
        known = [f"pid {pid}"] * (pid is not None) + [str(url)] * (url is not None)
        who = f" ({', '.join(known)})" if known else ""
        super().__init__(f"already running on {home}{who}")


class NoInstallation(HomeError):
    """Nothing was begun in the home."""

    def __init__(self, home: Path) -> None:
        super().__init__(
            f"there is no installation at {home}: name its folder with --home or CLINCH_HOME, or"
            " its database with --database-url; `clinch up` begins one"
        )


def default_home() -> Path:
    """CLINCH_HOME; else /var/lib/clinch for root, and the user's own data folder for others.

    Raises HomeError where it would be in the folder of a user who has none.
    """
    try:
        if given := os.environ.get("CLINCH_HOME"):
            return Path(given).expanduser().absolute()
        if os.geteuid() == 0:
            return Path("/var/lib/clinch")
        data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        return Path(data).expanduser() / "clinch"
    except RuntimeError:
        raise HomeError(
            "there is no home directory to be in: name a folder in full with --home or CLINCH_HOME"
        ) from None


def has_database(home: Path) -> bool:
    """Whether the home holds the data of a PostgreSQL."""
    return bool(majors(home))


def majors(home: Path) -> list[int]:
    """The major versions of PostgreSQL that the home holds whole data of."""
    found = [re.fullmatch(r"postgresql-(\d+)", path.name) for path in home.glob("postgresql-*")]
    return [int(match[1]) for match in found if match]


class HomeLock:
    """Holds a home as long as the ``with`` lasts or the process lives.

    The file ``lock`` in it says who does, as ``{"pid": 123, "url": "http://…" or null}``. It and
    the home are made at need, but not without ``begin``. Entering raises HomeHeld where another
    process holds the home, HomeError where it cannot be written, and NoInstallation where nothing
    was made.
    """

    def __init__(self, home: Path, begin: bool = True) -> None:
        self.home, self._begin = home.absolute(), begin
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            if self._begin:
                self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Python's descriptors are not inherited: children cannot hold the lock on.
            made = os.O_CREAT if self._begin else 0
            descriptor = os.open(self.home / "lock", os.O_RDWR | made, 0o600)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self._begin:
                raise NoInstallation(self.home) from None
            raise HomeError(
                f"cannot write to {self.home} ({error.strerror}): choose another folder with "
                "--home or CLINCH_HOME"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._descriptor = descriptor
            self._say(url=None)
        except BlockingIOError:
            pid, url = _who(descriptor)
            os.close(descriptor)
            raise HomeHeld(self.home, pid, url) from None
        except OSError as error:
            os.close(descriptor)
            raise HomeError(
                f"cannot lock {self.home} ({error.strerror}): choose a folder on a local disk that "
                "is not full with --home or CLINCH_HOME"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The file stays: who removed it could remove it from under the next holder.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def announce(self, url: str) -> None:
        """Tell those who find the home held where to go."""
        self._say(url)

    def _say(self, url: str | None) -> None:
        said = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, said, 0)


def running_at(home: Path) -> str | None:
    """The URL of the Clinch that holds a home and answers, if one does."""
    with contextlib.suppress(OSError):
        descriptor = os.open(home / "lock", os.O_RDONLY)
        try:
            return _who(descriptor)[1]
        finally:
            os.close(descriptor)
    return None


def _who(descriptor: int) -> tuple[int | None, str | None]:
    try:
        said = json.loads(os.pread(descriptor, 4096, 0))
        return said["pid"], said["url"]
    except (OSError, ValueError, LookupError, TypeError):  # just being written
        return None, None
