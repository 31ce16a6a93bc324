"""The secret keys of an installation, as text: where they are kept and how they are written.

A text has one key or several, each 64 hexadecimal digits, with white space or commas between. The
first seals; all of them open, so that a new key is put before an old one and both hold.
"""

import os
import re
import secrets
from pathlib import Path

KEY_FILE = "secret.key"


class SecretKeyError(Exception):
    """There is no usable secret key. The message is one line that says what to do."""


def secret_key(home: Path) -> str:
    """The text of CLINCH_SECRET_KEY, else of the home's key file, which is made at need.

    Raises SecretKeyError. Whoever calls holds the home's lock.
    """
    given = os.environ.get("CLINCH_SECRET_KEY")
    if given:
        read_keys(given, "CLINCH_SECRET_KEY")
        return given
    path = home / KEY_FILE
    try:
        text = path.read_text("ascii") if path.exists() else _make(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SecretKeyError(f"cannot read {path} ({error})") from None
    read_keys(text, str(path))
    return text


def read_keys(text: str, place: str) -> list[bytes]:
    """The keys in a text that stands in `place`; raises SecretKeyError, which does not quote it."""
    words = re.split(r"[\s,]+", text.strip())
    if not all(re.fullmatch("[0-9a-fA-F]{64}", word) for word in words):
        raise SecretKeyError(
            f"{place} holds no secret key: each has 64 hexadecimal digits, such as"
            " `openssl rand -hex 32` prints"
        )
    return [bytes.fromhex(word) for word in words]


def _make(path: Path) -> str:
    """A new key, on disk under its name only once it is whole."""
    text = secrets.token_hex(32) + "\n"
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
    return text
