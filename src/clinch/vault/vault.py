"""Seals what must be kept readable, yet not lie open in the database.

A sealed value is a format byte, 4 bytes that name the key, a nonce of 12 bytes, and what
AES-256-GCM makes of the value, its tag of 16 bytes included.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clinch.vault.keys import VARIABLE, KeyFile, SecretKeyError, read_keys

_FORMAT = b"\x01"
_NAME = slice(1, 5)
_NONCE = slice(5, 17)


class CannotOpen(Exception):
    """A sealed value was altered, belongs elsewhere, or its key is not here."""


class KeyMissing(CannotOpen):
    """The key that sealed a value is not here; with it, the value opens."""


class Vault:
    """The secret keys of this installation. They show in no `repr` and no error."""

    def __init__(self, text: str, replaced: Callable[[], str | None] = lambda: None) -> None:
        """`text` is that of CLINCH_SECRET_KEY or of the key file; raises SecretKeyError.

        `replaced` tells the text that has taken its place since it was last asked, if one has.
        """
        self._replaced = replaced
        self._take(text)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys, 8 hexadecimal digits each; the first seals."""
        self._renew()
        return tuple(name.hex() for name in self._ciphers)

    def seal(self, value: bytes, place: str) -> bytes:
        """The value, sealed for one place: it opens nowhere else."""
        self._renew()
        nonce = os.urandom(12)
        name, cipher = next(iter(self._ciphers.items()))
        return _FORMAT + name + nonce + cipher.encrypt(nonce, value, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed for this place; raises CannotOpen, and KeyMissing."""
        if sealed[_NAME] not in self._ciphers:
            self._renew()
        cipher = self._ciphers.get(sealed[_NAME])
        if sealed[:1] != _FORMAT:
            raise CannotOpen("the sealed value is of no format that is known")
        if cipher is None:
            raise KeyMissing("the key that sealed this is not among the secret keys")
        try:
            return cipher.decrypt(sealed[_NONCE], sealed[_NONCE.stop :], place.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen("the sealed value was altered, or belongs elsewhere") from None

    def _renew(self) -> None:
        """Take the keys that have been put in place of these; of a text that holds none, none."""
        with contextlib.suppress(SecretKeyError):
            text = self._replaced()
            if text is not None:
                self._take(text)

    def _take(self, text: str) -> None:
        keys = read_keys(text, VARIABLE)
        ciphers = {_name_of(key): AESGCM(key) for key in keys}
        if len(ciphers) != len(keys):
            raise SecretKeyError(f"{VARIABLE} holds the same secret key twice")
        self._ciphers = ciphers


def open_vault(home: Path) -> Vault:
    """The vault with the keys of CLINCH_SECRET_KEY, else of the home's key file, which it follows.

    Raises SecretKeyError.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return Vault(given)
    file = KeyFile(home)
    return Vault(file.text(), file.replaced)


def key_name(sealed: bytes) -> str:
    """The name of the key that sealed a value."""
    return sealed[_NAME].hex()


def _name_of(key: bytes) -> bytes:
    return hashlib.sha256(b"clinch key name" + key).digest()[:4]
