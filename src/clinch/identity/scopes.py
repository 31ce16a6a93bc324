"""What a program may do: the classes of operations, under our names and under Close's."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from clinch.resources.actor import EVERY_CLASS, OperationClass

FULL, OFFLINE = "all.full_access", "offline_access"
KNOWN = (*OperationClass, FULL, OFFLINE)


class InvalidScope(Exception):
    """A text names no scope. The message is for the developer."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Classes of operations, and whether they hold while nobody is there (a refresh token).

    `full` is whether all of them go by Close's one name.
    """

    operations: frozenset[OperationClass]
    offline: bool
    full: bool = False

    def __str__(self) -> str:
        named = [FULL] if self.full and self.operations == EVERY_CLASS else self._names()
        return " ".join([*named, OFFLINE] if self.offline else named)

    def within(self, operations: Iterable[OperationClass]) -> "Scope":
        """The same without what is not among these."""
        return Scope(self.operations & frozenset(operations), self.offline, self.full)

    def _names(self) -> list[str]:
        return [name for name in OperationClass if name in self.operations]


def read_scope(text: str) -> Scope:
    """The scope that a text names, everything where it names nothing; raises InvalidScope."""
    words = set(text.split()) or {FULL, OFFLINE}
    if unknown := sorted(words - set(KNOWN)):
        raise InvalidScope(f"{unknown[0][:100]} is none of the scopes {', '.join(KNOWN)}.")
    full = FULL in words
    named = frozenset(name for name in OperationClass if full or name in words)
    if not named:
        raise InvalidScope("A scope beside offline_access is needed.")
    return Scope(named, OFFLINE in words, full)


@cache
def covers(text: str) -> frozenset[OperationClass]:
    """The classes of operations that a stored scope covers."""
    return read_scope(text).operations
