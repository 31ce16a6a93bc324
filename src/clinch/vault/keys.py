"""The secret keys of an installation, as text: where they are kept and how they are written.

A text has one key or several, each 64 hexadecimal digits, with white space or commas between. The
first seals; all of them open, so that a new key is put before an old one and both hold.
"""

import fcntl
import os
import re
import secrets
from pathlib import Path

KEY_FILE = "secret.key"
VARIABLE = "CLINCH_SECRET_KEY"


class SecretKeyError(Exception):
    """There is no usable secret key. The message is one line that says what to do."""


class NoSecretKey(SecretKeyError):
    """Neither the environment nor the home has any."""


def ensure_keys(home: Path, begun: bool = False) -> None:
    """See that CLINCH_SECRET_KEY or the home's key file holds keys.

    The file is made at need, but not where a database was ``begun``: what is sealed in it needs the
    key that is gone. Raises SecretKeyError. Whoever calls holds the home's lock.
    """
    given = os.environ.get(VARIABLE)
    if given:
        read_keys(given, VARIABLE)
        return
    file = KeyFile(home)
    if not begun:
        file.make()
    file.text()


class KeyFile:
    """The key file of a home, as one reader knows it."""

    def __init__(self, home: Path) -> None:
        self.path = home / KEY_FILE
        self._known: tuple[int, int] | None = None

    def make(self) -> None:
        """Put a first key into it, unless it is there; raises SecretKeyError."""
        try:
            if not self.path.exists():
                _write(self.path, new_key() + "\n")
        except OSError as error:
            raise SecretKeyError(f"cannot write {self.path} ({error})") from None

    def text(self) -> str:
        """What it holds; raises SecretKeyError."""
        try:
            with self.path.open(encoding="ascii") as file:
                known = _identity(os.fstat(file.fileno()))
                text = file.read()
        except FileNotFoundError:
            raise NoSecretKey(
                f"there is no secret key: put it into {self.path} from your copy, or set"
                f" {VARIABLE}; if it is lost for good, see `clinch vault forget`"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise SecretKeyError(f"cannot read {self.path} ({error})") from None
        read_keys(text, str(self.path))
        self._known = known
        return text

    def replaced(self) -> str | None:
        """What it holds, if that may have changed since it was read; raises SecretKeyError."""
        try:
            known = _identity(self.path.stat())
        except OSError as error:
            raise SecretKeyError(f"cannot read {self.path} ({error})") from None
        return None if known == self._known else self.text()

    def is_private(self) -> bool:
        """Whether its mode lets nobody but its owner (and root) at it."""
        return not self.path.stat().st_mode & 0o077

    def put_new_key_first(self) -> bool:
        """Put a new key before the one there is; False where there are several already.

        Who reads the file meanwhile finds it as it was or as it will be. Raises SecretKeyError.
        """
        while True:
            with self.path.open(encoding="ascii") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if _identity(os.fstat(file.fileno())) != _identity(self.path.stat()):
                    continue  # somebody else has just replaced it
                text = file.read()
                if len(read_keys(text, str(self.path))) > 1:
                    return False
                _write(self.path, f"{new_key()}\n{text.strip()}\n")
                return True


def read_keys(text: str, place: str) -> list[bytes]:
    """The keys in a text that stands in `place`; raises SecretKeyError, which does not quote it."""
    words = re.split(r"[\s,]+", text.strip())
    if not all(re.fullmatch("[0-9a-fA-F]{64}", word) for word in words):
        raise SecretKeyError(
            f"{place} holds no secret key: each has 64 hexadecimal digits, such as"
            " `openssl rand -hex 32` prints"
        )
    return [bytes.fromhex(word) for word in words]


def new_key() -> str:
    return secrets.token_hex(32)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_mtime_ns


def _write(path: Path, text: str) -> None:
    """Put a text in place of the file, on disk under its name only once it is whole."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
