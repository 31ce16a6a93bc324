"""The `membrane` command: a table of commands that prints its own help; the chosen one is imported.

Exit codes: 0 what was asked is done, even if a person has the next step; 1 it failed; 2 the command
line cannot be meant; 3 what `--wait` waited for did not come.
"""

from __future__ import annotations

import sys

from clinch import __version__
from clinch.cli.gateway.arguments import EVERYWHERE, flag, option, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinch.cli.gateway.arguments import Argument


class Command:
    """One command: its words, what it does in a line, where it is (`module.function`), and what it
    takes. Those without a summary are other names of commands, and not in the help.
    """

    __slots__ = ("arguments", "run", "summary", "words")

    def __init__(
        self, words: str, summary: str, run: str, arguments: tuple[Argument, ...] = ()
    ) -> None:
        self.words, self.summary, self.run, self.arguments = words, summary, run, arguments

    @property
    def parts(self) -> list[str]:
        return self.words.split()


_SCOPE = (
    option("connectionId", "ID", "which connection"),
    option("connectionKey", "KEY", "which connection, by its key"),
    option("integrationId", "ID", "which app"),
    option("integrationKey", "KEY", "which app, by its key"),
)
_PAGE = (
    option("limit", "N", "how many at most"),
    option("cursor", "CURSOR", "go on after the last page"),
)
_LOGIN = (
    option("clientName", "NAME", "what program logs in: claude, codex, …"),
    flag("tenant", "for one tenant, chosen on the page, instead of for you as a person"),
)
_TARGET = (
    option("connectorId", "ID", "the app, as search finds it"),
    option("connectorKey", "KEY", "the app, by its key"),
    option("integrationId", "ID", "the app"),
    option("integrationKey", "KEY", "the app, by its key"),
    option("connectionId", "ID", "connect this one again"),
    option("name", "NAME", "what the connection is called"),
)
_CONNECTION = place("connection", "CONNECTION", "its id or key")
_ACTION = place("action", "ACTION", "its id or key")
_WAIT = (
    flag("wait", "until it is ready"),
    option("timeout", "SECONDS", "how long to wait (30)"),
)
_INPUT = option("input", "JSON", "what the action is given")
_DRY_RUN = flag("dry-run", "do everything, and change nothing")
_ONCE = option("idempotencyKey", "KEY", "send the same again and it is not done again")
_DATA = option("data", "JSON", "what changes")
_CHANGE = (_ACTION, *_SCOPE, _DATA)
_REQUEST = (
    _CONNECTION,
    place("path", "PATH", "below the app's base address"),
    option("method", "METHOD", "GET, POST, PUT, PATCH or DELETE", short="X"),
    option("header", "NAME: VALUE", "a header", short="H", repeat=True),
    option("data", "TEXT", "the body as it is; @FILE, @- for standard input", short="d"),
    option("query", "NAME=VALUE", "a parameter of the query", repeat=True),
    option("pathParam", "NAME=VALUE", "fills {NAME} or :NAME in the path", repeat=True),
)

COMMANDS = (
    Command(
        "login",
        "log in",
        "login.login",
        (
            place("step", "start", "only begin", needed=False),
            *_LOGIN,
            flag("non-interactive", "print a link, and end with login complete"),
        ),
    ),
    Command("login start", "begin a login without a browser here", "login.begin", _LOGIN),
    Command(
        "login complete",
        "end a login with the code that the page shows",
        "login.complete",
        (place("code", "CODE", "the code"),),
    ),
    Command("status", "who is logged in, and where", "login.status"),
    Command("logout", "end the login", "login.logout"),
    Command(
        "search",
        "find apps",
        "connections.search",
        (
            place("query", "WORDS", "what to look for"),
            option("elementType", "TYPE", "connector: what apps are called here"),
            option("limit", "N", "how many at most"),
        ),
    ),
    Command(
        "connect",
        "connect an app",
        "connections.connect",
        (
            place("app", "APP", "its web address", needed=False),
            *_TARGET,
            option("intent", "WORDS", "the app, in words"),
            option("connectionKey", "KEY", "a key to name the connection by"),
            option("authOptionKey", "KEY", "the way in, where an app has several"),
            flag("allowMultipleConnections", "also where there is one already"),
            flag("non-interactive", "print the page's address, and do not wait"),
        ),
    ),
    Command(
        "connection list",
        "list your connections",
        "connections.list_connections",
        (
            option("integrationKey", "KEY", "of one app"),
            option("search", "TEXT", "by name"),
            *_PAGE,
        ),
    ),
    Command(
        "connection get", "show a connection", "connections.get_connection", (_CONNECTION, *_WAIT)
    ),
    Command(
        "connection ensure",
        "find the connection to an app, or make it",
        "connections.ensure_connection",
        (place("app", "URL", "the app's web address"), option("name", "NAME", "what it is called")),
    ),
    Command(
        "connection patch",
        "change a connection",
        "connections.patch_connection",
        (_CONNECTION, _DATA),
    ),
    Command(
        "connection archive",
        "end a connection: revoke and erase what it holds",
        "connections.archive_connection",
        (_CONNECTION,),
    ),
    Command("connection delete", "", "connections.archive_connection", (_CONNECTION,)),
    Command(
        "connection-request create",
        "ask for an app to be connected, by a page",
        "connections.create_request",
        (*_TARGET, option("authOptionKey", "KEY", "the way in, where an app has several")),
    ),
    Command(
        "connection-request get",
        "what became of such a request",
        "connections.get_request",
        (place("request", "REQUEST", "its id"),),
    ),
    Command(
        "action list",
        "find an action by what it is to do",
        "actions.list_actions",
        (
            *_SCOPE,
            option("externalAppId", "ID", "of an app without a connection"),
            option("intent", "WORDS", "what you want to do"),
            *_PAGE,
        ),
    ),
    Command("action get", "show an action", "actions.get_action", (_ACTION, *_SCOPE, *_WAIT)),
    Command(
        "action run",
        "run an action",
        "actions.run_action",
        (_ACTION, *_SCOPE, _INPUT, _DRY_RUN, _ONCE),
    ),
    Command(
        "action create",
        "save a request as an action",
        "actions.create_action",
        (
            place("words", "INTENT", "what it is to do", needed=False),
            option("intent", "WORDS", "what it is to do"),
            option("key", "KEY", "what to call it by"),
            option("name", "NAME", "its name, for people"),
            option("description", "TEXT", "what it does, in a sentence"),
            option("type", "TYPE", "api-request-to-external-app"),
            option("config", "JSON", '{"request": {"method", "path", "query", "body", …}}'),
            option("inputSchema", "JSON", "what it is given, as a JSON Schema"),
            option("outputSchema", "JSON", "what it answers"),
            *_SCOPE,
        ),
    ),
    Command("action update", "change a saved action", "actions.update_action", _CHANGE),
    Command("action replace", "write a saved action anew", "actions.replace_action", _CHANGE),
    Command("action delete", "delete a saved action", "actions.delete_action", (_ACTION, *_SCOPE)),
    Command(
        "act",
        "run an action or send a request at once, with a record",
        "actions.act",
        (
            option("api", "JSON", 'a request: {"method", "path", "query", "headers", "body"}'),
            option("code", "JS", "not taken: no code of others is run"),
            option("key", "KEY", "an action, by its key"),
            option("id", "ID", "an action"),
            *_SCOPE,
            _INPUT,
            _DRY_RUN,
            option("meta", "JSON", "noted in the log"),
            _ONCE,
        ),
    ),
    Command(
        "action-run-log get",
        "what a run did",
        "actions.get_run",
        (place("run", "RUN", "its id"), flag("details", "with what went over the wire")),
    ),
    Command("request", "send a raw request through a connection", "requests.request", _REQUEST),
    Command(
        "external-app list",
        "list the apps",
        "connections.list_apps",
        (option("search", "TEXT", "by name"), *_PAGE),
    ),
    Command(
        "integration list",
        "list the apps of the workspace",
        "connections.list_integrations",
        (
            option("search", "TEXT", "by name"),
            *_PAGE,
            # An app, its connector and its integration are one here, so these change nothing.
            option("connectors", "1", "connectors as well"),
            option("externalApps", "1", "apps as well"),
        ),
    ),
    Command(
        "connector add",
        "make a connector of an OpenAPI document, as the workspace's manager",
        "connectors.add_connector",
        (
            place("source", "FILE_OR_URL", "the document, or its https address"),
            option("key", "KEY", "what it is called in commands"),
            option("name", "NAME", "what people see"),
            option("domain", "DOMAIN", "a domain of the app", repeat=True),
            option("base-url", "URL", "where the API is"),
        ),
    ),
    Command(
        "skill install",
        "put what agents read about the server where their programs look",
        "skills.install",
        (
            option("agent", "NAME", "agents, claude, codex, cursor, …; all without", repeat=True),
            option("dir", "DIR", "a folder of skills, in place of a program's"),
            option("lang", "LANGUAGE", "en or zh, in place of the locale's"),
        ),
    ),
    Command("mcp", "speak MCP by lines, for a program that starts it", "mcp.mcp"),
    Command("credentials", "print settings for a program", "workspaces.credentials"),
    Command(
        "token",
        "print a token for a tenant",
        "workspaces.token",
        (option("expiresIn", "TIME", "5m, 1h or 24h (1h)"),),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the words name; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["version"]):
        print(f"membrane (clinch {__version__})")
        return 0
    found = find(words)
    if found is not None:
        from clinch.cli.gateway.run import run

        return run(*found)
    if not words or not {"--help", "-h", "help"}.isdisjoint(words):
        print(help(words))
        return 0
    if "--json" not in words:
        print(f"{help(words)}\n", file=sys.stderr)
    from clinch.cli.gateway.result import usage
    from clinch.cli.gateway.run import print_failure

    missing = " ".join(word for word in words[:2] if not word.startswith("-"))
    return print_failure(usage(f"There is no command {missing!r}.", "membrane --help"), words)


def find(words: Sequence[str]) -> tuple[Command, list[str]] | None:
    """The command of the most words, and what else there is. What every command takes may also
    stand before its words or between them."""
    named: list[int] = []
    place = 0
    while place < len(words):
        name, equals, _ = words[place].partition("=")
        if name in _ANYWHERE:
            place += 2 if _ANYWHERE[name] and not equals else 1
        elif name.startswith("-"):
            break
        else:
            named.append(place)
            place += 1
    said = [words[place] for place in named]
    fitting = [one for one in COMMANDS if said[: len(one.parts)] == one.parts]
    if not fitting:
        return None
    command = max(fitting, key=lambda one: len(one.parts))
    own = named[: len(command.parts)]
    before = [word for place, word in enumerate(words[: own[-1]]) if place not in own]
    return command, [*words[own[-1] + 1 :], *before]


_ANYWHERE = {name: not one.is_flag for one in EVERYWHERE for name in one.flags}
"""The options that every command takes, and whether a value follows."""


def help(words: Sequence[str]) -> str:
    """The commands; those of a group, where one is begun with."""
    shown = [command for command in COMMANDS if command.summary]
    shown = [command for command in shown if command.parts[0] in words] or shown
    width = max(len(command.words) for command in shown) + 2
    lines = ["usage: membrane COMMAND [OPTION ...]\n"]
    lines += [f"  {command.words:{width}}{command.summary}" for command in shown]
    lines.append("\nmembrane COMMAND --help tells more of a command; --json prints JSON.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
