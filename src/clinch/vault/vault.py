"""Seals what must be kept readable, yet not lie open in the database.

A sealed value is a format byte, 4 bytes that name the key, a nonce of 12 bytes, and what
AES-256-GCM makes of the value, its tag of 16 bytes included.
"""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clinch.vault.keys import SecretKeyError, read_keys

_FORMAT = b"\x01"
_NAME = slice(1, 5)
_NONCE = slice(5, 17)


class CannotOpen(Exception):
    """A sealed value was altered, belongs elsewhere, or its key is not here."""


class Vault:
    """The secret keys of this installation. They show in no `repr` and no error."""

    def __init__(self, text: str) -> None:
        """`text` is that of CLINCH_SECRET_KEY or of the key file; raises SecretKeyError."""
        keys = read_keys(text, "CLINCH_SECRET_KEY")
        self._ciphers = {_name_of(key): AESGCM(key) for key in keys}
        if len(self._ciphers) != len(keys):
            raise SecretKeyError("CLINCH_SECRET_KEY holds the same secret key twice")
        self._first = _name_of(keys[0])

    def seal(self, value: bytes, place: str) -> bytes:
        """The value, sealed for one place: it opens nowhere else."""
        nonce = os.urandom(12)
        sealed = self._ciphers[self._first].encrypt(nonce, value, place.encode())
        return _FORMAT + self._first + nonce + sealed

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed for this place; raises CannotOpen."""
        cipher = self._ciphers.get(sealed[_NAME])
        if cipher is None or sealed[:1] != _FORMAT:
            raise CannotOpen("the key that sealed this is not among the secret keys")
        try:
            return cipher.decrypt(sealed[_NONCE], sealed[_NONCE.stop :], place.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen("the sealed value was altered, or belongs elsewhere") from None


def _name_of(key: bytes) -> bytes:
    return hashlib.sha256(b"clinch key name" + key).digest()[:4]
