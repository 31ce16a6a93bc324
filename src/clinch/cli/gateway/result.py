"""What a command comes to: something to print, or a failure that says what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DONE, FAILED, USAGE, WAITED = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Result:
    """`document` is printed as JSON where that is asked for, else `text`, and `notes` beside it, on
    standard error; `raw` are bytes that are printed as they are in both cases."""

    document: Any = None
    text: str = ""
    code: int = DONE
    raw: bytes | None = None
    notes: Sequence[str] = ()


class Failure(Exception):
    """What was asked could not be done. `hint` is the next thing to do, as a command if one helps;
    `more` are further members of the JSON.
    """

    def __init__(
        self,
        error: str,
        message: str,
        hint: str,
        *,
        code: int = FAILED,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.error, self.message, self.hint, self.code = error, message, hint, code
        self.more = more or {}

    def document(self) -> dict[str, Any]:
        return {"error": self.error, "message": self.message, "hint": self.hint, **self.more}


def usage(message: str, hint: str) -> Failure:
    """A command line that cannot be meant; nothing was sent."""
    return Failure("usage", message, hint, code=USAGE)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for people, in columns as wide as they need; no rows are told by `empty`."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = "Nothing found."
    after: Sequence[str] = field(default=())

    def text(self, *, bold: bool = False) -> str:
        if not self.rows:
            return "\n".join([self.empty, *self.after])
        cells = [[_cell(value) for value in row] for row in self.rows]
        widths = [
            max(len(name), *(len(row[place]) for row in cells))
            for place, name in enumerate(self.columns)
        ]
        head = "  ".join(
            name.ljust(width) for name, width in zip(self.columns, widths, strict=True)
        ).rstrip()
        lines = [f"\033[1m{head}\033[0m" if bold else head]
        lines += [
            "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join([*lines, *self.after])


def _cell(value: Any) -> str:
    """A value on one line, without control characters, which could move a terminal's cursor."""
    text = "" if value is None else str(value)
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= 80 else f"{line[:79]}…"
