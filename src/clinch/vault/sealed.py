"""Which columns hold what the vault seals, so that it can be told and sealed anew.

A column is declared where its table is, and all of them are listed in `SEALED` of
`clinch.cli.administration.sealed`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed values. `what` is what they are, as people read it, in the plural; `key`
    is the table's primary key; `place` is what a value is sealed for, with the columns of the key
    in braces; `fresh` makes a new value, for the day on which what was sealed cannot be opened ever
    again."""

    what: str
    table: str
    key: tuple[str, ...]
    column: str
    place: str
    fresh: Callable[[], bytes]

    def place_of(self, *key: Any) -> str:
        """The place of one row, by the values of its primary key."""
        return self.place.format(**dict(zip(self.key, key, strict=True)))
