"""Identifiers: a prefix, an underscore and 22 base62 characters that sort by their time."""

import itertools
import os
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_BASE = len(_PAIRS)


_last = 0

_PROCESS = int.from_bytes(os.urandom(6)) >> 4
_requests = itertools.count(1)


def new_id(prefix: str) -> str:
    """A new id such as `lead_0CqY…`: 48 bits of milliseconds, then 80 random bits.

    The ids that one process makes ascend, so that what is made together keeps its order.
    """
    global _last
    number = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10))
    if number <= _last:
        number = _last + 1 + int.from_bytes(os.urandom(8))
    _last = number
    return f"{prefix}_{base62(number)}"


def new_request_id() -> str:
    """An id of a request: 44 random bits of the process, then its requests in their order.

    Nothing sorts by it or refers to it, and every request has one, so it is made faster.
    """
    return f"req_{_PROCESS:011x}{next(_requests):011x}"


def new_secret() -> str:
    """22 base62 characters of 128 random bits, for keys and tokens."""
    return base62(int.from_bytes(os.urandom(16)))


def base62(number: int) -> str:
    """128 bits as 22 characters."""
    pairs = []
    for _ in range(11):
        number, rest = divmod(number, _BASE)
        pairs.append(_PAIRS[rest])
    return "".join(reversed(pairs))


def made_at(id: str) -> datetime:
    """When an id of ours was made, to the millisecond."""
    number = 0
    for character in id.rpartition("_")[2]:
        number = number * len(_ALPHABET) + _ALPHABET.index(character)
    return datetime.fromtimestamp((number >> 80) / 1000, UTC)
