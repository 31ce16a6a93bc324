"""The `clinch` command: a table of commands that prints its own help, argparse for the chosen one.

Nothing of the server is imported here, so that help and simple calls answer at once.
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clinch import __version__
from clinch.cli.gateway import main as gateway

Add = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its words, what it does in a line, its arguments and what runs it."""

    words: str
    summary: str
    run: Callable[[dict[str, Any]], int]
    arguments: Add = field(default=lambda _: None)


def _up(arguments: dict[str, Any]) -> int:
    from clinch.cli.up import up

    return up(arguments)


def _administer(command: str) -> Callable[[dict[str, Any]], int]:
    def run(arguments: dict[str, Any]) -> int:
        from clinch.cli.administration.launch import launch

        return launch(command, arguments)

    return run


def _folder(text: str) -> str:
    """A folder as processes that run elsewhere find it."""
    _given(text)
    return os.path.abspath(os.path.expanduser(text))


def _given(text: str) -> str:
    """No empty text, such as a variable of a shell that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home",
        metavar="DIR",
        type=_folder,
        help="the folder of this installation, instead of CLINCH_HOME",
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        type=_given,
        default=os.environ.get("CLINCH_DATABASE_URL") or None,
        help="a PostgreSQL to use instead of the embedded one",
    )


def _up_arguments(parser: argparse.ArgumentParser) -> None:
    _where(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port",
        type=_port,
        default=os.environ.get("CLINCH_PORT") or "8080",
        help="port to listen on, 0 for any that is free (%(default)s)",
    )
    parser.add_argument(
        "--processes", type=_processes, default=1, metavar="N", help="web processes (%(default)s)"
    )
    parser.add_argument(
        "--sample", action="store_true", help="with a sample organization to look around in"
    )
    _json(parser)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _processes(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 64")
    return int(text)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _everywhere(parser: argparse.ArgumentParser) -> None:
    _where(parser)
    _json(parser)


def _in_organization(parser: argparse.ArgumentParser) -> None:
    _where(parser)
    parser.add_argument("--organization", help="its id or name; needed where there are several")
    _json(parser)


def _organization_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    _everywhere(parser)


def _organization_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("organization", metavar="ORGANIZATION", help="its id or name")
    parser.add_argument("--yes", action="store_true", help="do it")
    _everywhere(parser)


def _user_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("email", metavar="EMAIL")
    parser.add_argument("--first-name", default="")
    parser.add_argument("--last-name", default="")
    _role(parser)
    parser.add_argument(
        "--password-stdin", action="store_true", help="read a password from standard input"
    )
    _in_organization(parser)


def _role(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--role",
        default="user",
        help="admin, superuser, user, restricteduser or the id of a role (%(default)s)",
    )


def _user_invite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("email", metavar="EMAIL")
    _role(parser)
    _in_organization(parser)


def _user_reset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("email", metavar="EMAIL")
    parser.add_argument(
        "--second-factor",
        action="store_true",
        help="turn the second factor off, instead of making a link to a new password",
    )
    _everywhere(parser)


def _key_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("email", metavar="EMAIL", help="the user whose rights the key has")
    parser.add_argument("--label", default="", help="what the key is for")
    _in_organization(parser)


def _key_revoke(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="KEY", help="the key, or its part before the dot")
    _in_organization(parser)


def _app_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what people see when they are asked")
    parser.add_argument(
        "--redirect-uri",
        action="append",
        required=True,
        metavar="URI",
        help="where people are sent back to, exactly; may be given again",
    )
    parser.add_argument("--public", action="store_true", help="without a secret; it uses PKCE")
    _in_organization(parser)


def _app_revoke(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="CLIENT_ID")
    _in_organization(parser)


def _workspace_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rotate", action="store_true", help="make a new secret; the one before ends at once"
    )
    _in_organization(parser)


def _connector_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="FILE_OR_URL",
        help="an OpenAPI 3 document, JSON or YAML: a file, or its https address",
    )
    parser.add_argument("--key", help="what it is called in commands, in place of its title")
    parser.add_argument("--name", help="what people see, in place of its title")
    parser.add_argument(
        "--domain",
        action="append",
        default=[],
        help="an internet domain of the app, in place of its address; may be repeated",
    )
    parser.add_argument(
        "--base-url", metavar="URL", help="where the API is, in place of what the document says"
    )
    _in_organization(parser)


def _connector_remove(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("connector", metavar="CONNECTOR", help="its key or id")
    _in_organization(parser)


def _vault_forget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="the name of the key, 8 hexadecimal digits; without it, each that is not here",
    )
    parser.add_argument("--yes", action="store_true", help="do it")
    _everywhere(parser)


def _doctor(parser: argparse.ArgumentParser) -> None:
    _where(parser)
    parser.add_argument(
        "--recount",
        action="store_true",
        help="also count what counters keep, and mend the rows of custom values",
    )
    _json(parser)


COMMANDS = (
    Command("up", "start everything; Ctrl-C stops it", _up, _up_arguments),
    Command("migrate", "bring the database up to date", _administer("migrate"), _where),
    Command(
        "organization create",
        "make an organization",
        _administer("organization create"),
        _organization_create,
    ),
    Command(
        "organization list",
        "list the organizations",
        _administer("organization list"),
        _everywhere,
    ),
    Command(
        "organization delete",
        "delete an organization and all it has",
        _administer("organization delete"),
        _organization_delete,
    ),
    Command(
        "user create", "add a user to an organization", _administer("user create"), _user_create
    ),
    Command(
        "user invite",
        "make a link by which somebody joins an organization",
        _administer("user invite"),
        _user_invite,
    ),
    Command(
        "user reset",
        "make a link by which somebody sets a new password",
        _administer("user reset"),
        _user_reset,
    ),
    Command("key create", "make an API key for a user", _administer("key create"), _key_create),
    Command("key list", "list the API keys", _administer("key list"), _in_organization),
    Command("key revoke", "end an API key", _administer("key revoke"), _key_revoke),
    Command(
        "app create",
        "register a program that acts for people (OAuth)",
        _administer("app create"),
        _app_create,
    ),
    Command("app list", "list the programs", _administer("app list"), _in_organization),
    Command(
        "app revoke",
        "end a program, and all that it was allowed",
        _administer("app revoke"),
        _app_revoke,
    ),
    Command(
        "workspace key",
        "show the key and secret that tokens of customers are signed with",
        _administer("workspace key"),
        _workspace_key,
    ),
    Command(
        "connector add",
        "make a connector of an OpenAPI document",
        _administer("connector add"),
        _connector_add,
    ),
    Command(
        "connector list",
        "list the connectors made of documents",
        _administer("connector list"),
        _in_organization,
    ),
    Command(
        "connector remove",
        "remove a connector made of a document",
        _administer("connector remove"),
        _connector_remove,
    ),
    Command(
        "vault rotate",
        "seal everything anew, under a new secret key",
        _administer("vault rotate"),
        _everywhere,
    ),
    Command(
        "vault forget",
        "give up what a lost secret key has sealed",
        _administer("vault forget"),
        _vault_forget,
    ),
    Command("doctor", "check the database and the log", _administer("doctor"), _doctor),
)


def main(argv: list[str] | None = None) -> int:
    """Run the command that the words name; the exit code (0 done, 1 failed, 2 wrong usage)."""
    _open_closed_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["version"]):
        print(f"clinch {__version__}")
        return 0
    for command in COMMANDS:
        length = len(command.words.split())
        if words[:length] == command.words.split():
            parser = argparse.ArgumentParser(f"clinch {command.words}", description=command.summary)
            command.arguments(parser)
            return command.run(vars(parser.parse_args(words[length:])))
    if gateway.find(words) is not None:
        return gateway.main(words)
    asked = words[-1:] in ([], ["--help"], ["-h"], ["help"])
    text = _help(words[:-1] if asked else words[:1])
    if asked and text is not None:
        print(text)
        return 0
    wrong = " ".join(words[:1] + [word for word in words[1:2] if not word.startswith("-")])
    print(f"clinch: there is no command {wrong!r}\n\n{text or _help([])}", file=sys.stderr)
    return 2


def _open_closed_streams() -> None:
    """Have every standard stream be something: else a pipe or a socket gets its number, and the
    processes that are started take the one for the other."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "w" if number else "r")  # noqa: SIM115 - it stays
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _help(group: list[str]) -> str | None:
    """The commands whose first words these are, all for none; None where there are none."""
    shown = [(command.words, command.summary) for command in COMMANDS]
    own = {words for words, _ in shown}
    gateway_shown = [
        (one.words, one.summary) for one in gateway.COMMANDS if one.summary and one.words not in own
    ]
    if group:
        shown, gateway_shown = (
            [(name, summary) for name, summary in part if name.split()[: len(group)] == group]
            for part in (shown, gateway_shown)
        )
    else:
        shown.append(("--version", "print the version"))
    if not shown and not gateway_shown:
        return None
    lines = [f"usage: {' '.join(['clinch', *group])} COMMAND [OPTION ...]"]
    width = max(len(name) for name, _ in shown + gateway_shown) + 2
    for title, part in (
        ("The server:", shown),
        ("The gateway (these are the commands of `membrane` too):", gateway_shown),
    ):
        if part:
            lines += ["", title, *(f"  {name:{width}}{summary}" for name, summary in part)]
    lines.append("\nclinch COMMAND --help tells more of a command.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
