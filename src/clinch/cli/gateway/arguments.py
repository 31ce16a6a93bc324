"""The words of a command line: what a command takes, declared as data and read by argparse.

Help is printed from this alone, so it imports nothing that costs time (dataclasses, typing).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any, NoReturn


class Argument:
    """One argument, whose value is found under `key`; without `flags` it is known by its place,
    without a `metavar` it is on or off."""

    __slots__ = ("flags", "help", "key", "metavar", "needed", "repeat")

    def __init__(
        self,
        key: str,
        flags: tuple[str, ...],
        help: str,
        metavar: str | None = None,
        *,
        repeat: bool = False,
        needed: bool = False,
    ) -> None:
        self.key, self.flags, self.help, self.metavar = key, flags, help, metavar
        self.repeat, self.needed = repeat, needed

    @property
    def is_flag(self) -> bool:
        return bool(self.flags) and self.metavar is None


def place(key: str, metavar: str, help: str, *, needed: bool = True) -> Argument:
    """A word with no flag before it."""
    return Argument(key, (), help, metavar, needed=needed)


def option(
    name: str, metavar: str, help: str, *, short: str = "", repeat: bool = False
) -> Argument:
    """`--name VALUE` or `--name=VALUE`."""
    flags = (f"-{short}", f"--{name}") if short else (f"--{name}",)
    return Argument(name, flags, help, metavar, repeat=repeat)


def flag(name: str, help: str) -> Argument:
    """`--name`, on or off."""
    return Argument(name, (f"--{name}",), help)


EVERYWHERE = (
    flag("json", "print JSON"),
    option("workspaceKey", "KEY", "another workspace than the login's"),
    option("tenantKey", "KEY", "another tenant than the login's"),
    option("apiUri", "URL", "the server; remembered by a login"),
)


def read(
    words: str, summary: str, arguments: Sequence[Argument], given: Sequence[str]
) -> dict[str, Any]:
    """The values of a command's arguments by key; raises Failure, and SystemExit after `--help`."""
    parser = _parser(words, summary, arguments)
    return vars(parser.parse_intermixed_args(list(given)))


def _parser(words: str, summary: str, arguments: Sequence[Argument]) -> ArgumentParser:
    from argparse import ArgumentParser

    from clinch.cli.gateway.result import usage

    class Parser(ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise usage(f"{message}.", f"membrane {words} --help")

    parser = Parser(f"membrane {words}", description=f"{summary}.", allow_abbrev=False)
    for argument in (*arguments, *EVERYWHERE):
        if any(argument.key == other.key for other in arguments) and argument in EVERYWHERE:
            continue
        if argument.is_flag:
            parser.add_argument(
                *argument.flags, dest=argument.key, action="store_true", help=argument.help
            )
        elif not argument.flags:
            parser.add_argument(
                argument.key,
                metavar=argument.metavar,
                nargs=None if argument.needed else "?",
                help=argument.help,
            )
        else:
            parser.add_argument(
                *argument.flags,
                dest=argument.key,
                metavar=argument.metavar,
                action="append" if argument.repeat else "store",
                default=[] if argument.repeat else None,
                help=argument.help,
            )
    return parser
