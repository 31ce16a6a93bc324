"""What a command is given, what it tells, and that it cannot be carried out."""

import json
from collections.abc import Iterable
from typing import Any

Arguments = dict[str, Any]
"""Of a command line, by name. With `json` the command speaks to a program, else to a person."""


class CommandError(Exception):
    """The command cannot be carried out; the message is one line that says what to do."""


def tell(arguments: Arguments, facts: dict[str, str], note: str = "") -> None:
    """Print facts by their names; the note is for people alone."""
    if arguments["json"]:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name}: {value}")
    if note:
        print(note)


def tell_list(
    arguments: Arguments, entries: list[dict[str, Any]], lines: Iterable[str], none: str
) -> None:
    """Print the entries to a program, a line each to a person, or `none` where there are none."""
    if arguments["json"]:
        print(json.dumps(entries))
        return
    print("\n".join(lines) if entries else none)


def line(arguments: Arguments, good: bool, text: str) -> None:
    """Print a line of a check."""
    print(
        json.dumps({"ok": good, "text": text})
        if arguments["json"]
        else f"{'ok ' if good else 'BAD'} {text}"
    )
