"""What the command line keeps: a file of the login, for nobody else to read, changed under a lock.

Nothing of a third party is in it, only what this server gave for this person.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clinch.cli.gateway.result import Failure


def folder() -> Path:
    """MEMBRANE_HOME, else `.membrane` of the user's home; raises Failure where there is none."""
    given = os.environ.get("MEMBRANE_HOME")
    try:
        return Path(given).expanduser() if given else Path.home() / ".membrane"
    except RuntimeError:
        raise Failure(
            "no_home",
            "There is no home directory to keep a login in.",
            "Name a folder in full: MEMBRANE_HOME=DIR",
        ) from None


class Store:
    """The files of one user."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def read(self, name: str = "credentials") -> dict[str, Any]:
        """What a file holds; nothing where there is none or it is broken."""
        try:
            found = json.loads((self._place / f"{name}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, document: dict[str, Any], name: str = "credentials") -> None:
        """Put a whole new file in place of the old one."""
        path = self._place / f"{name}.json"
        part = path.with_suffix(f".{os.getpid()}")
        try:
            self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        except OSError as error:
            raise self._unwritable(error) from None

    def remove(self, name: str = "credentials") -> None:
        (self._place / f"{name}.json").unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Only one process of this user at a time is in here."""
        try:
            self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._place / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _unwritable(self, error: OSError) -> Failure:
        return Failure(
            "home",
            f"Cannot write to {self._place} ({error.strerror}).",
            "Name another folder with MEMBRANE_HOME.",
        )
