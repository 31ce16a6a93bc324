"""Runs a command that needs the database: finds it, or starts the embedded one for as long."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clinch.cli.children import program
from clinch.cli.settings import check_settings
from clinch.db.embedded import EmbeddedError, EmbeddedPostgres, running_url
from clinch.db.home import (
    HomeError,
    HomeHeld,
    HomeLock,
    NoInstallation,
    default_home,
    has_database,
    running_at,
)
from clinch.outbound.guard import SettingError, read_origin
from clinch.vault.keys import SecretKeyError, ensure_keys

PATIENCE = 10.0
"""How many seconds a home that is held is waited for."""

_BEGINNING = ("migrate", "organization create")
"""The commands that begin an installation where there is none."""


def launch(command: str, arguments: dict[str, Any]) -> int:
    """Run the command in a process of its own that has the database; its exit code."""
    try:
        check_settings()
        home = Path(arguments["home"]) if arguments["home"] else default_home()
        with _database(arguments["database_url"], home, command in _BEGINNING) as (url, ours):
            given = read_origin(os.environ.get("CLINCH_PUBLIC_URL", ""))
            environment = os.environ | {
                "CLINCH_DATABASE_URL": url,
                "CLINCH_PUBLIC_URL": given or running_at(home) or "",
                "CLINCH_HOME": str(home.absolute()),
            }
            if ours or command == "migrate":
                code = _run(["migrate"], environment)
                if code or command == "migrate":
                    return code
            told = json.dumps(arguments | {"home": str(home)})
            return _run(["administer", command, told], environment)
    except (SettingError, HomeError, EmbeddedError, SecretKeyError) as error:
        print(f"clinch: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def _run(words: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(program(*words), env=environment, check=False).returncode


@contextlib.contextmanager
def _database(url: str | None, home: Path, begins: bool) -> Iterator[tuple[str, bool]]:
    """The URL of the database, and whether it was started for this command."""
    if url is not None:
        yield url, False
        return
    with contextlib.ExitStack() as stack:
        running = _running(home, begins, stack)
        if running is not None:
            yield running, False
            return
        if not has_database(home):
            if not begins:
                raise NoInstallation(home)
            ensure_keys(home)
        server = EmbeddedPostgres(home)
        stack.callback(server.stop)
        server.start(lambda step: print(f"clinch: {step}", file=sys.stderr))
        yield server.url, True


def _running(home: Path, begins: bool, stack: contextlib.ExitStack) -> str | None:
    """The URL of the database that `clinch up` runs in the home; None once we hold the home.

    What another command has started ends with it, and what is being started is not yet up to date:
    for those it waits.
    """
    deadline = time.monotonic() + PATIENCE
    told = False
    while True:
        try:
            stack.enter_context(HomeLock(home, begin=begins or has_database(home)))
            return None
        except HomeHeld as held:
            url = running_url(home) if held.url else None
            if url is not None:
                return url
            elsewhere = held.url is not None and not has_database(home)
            if elsewhere:
                raise HomeError(
                    f"{held}, with a database elsewhere: name it with --database-url or"
                    " CLINCH_DATABASE_URL"
                ) from None
            if time.monotonic() > deadline:
                raise
        if not told:
            told = True
            print(f"clinch: waiting for another command on {home}", file=sys.stderr)
        time.sleep(0.1)
