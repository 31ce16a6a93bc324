"""Runs a command that needs the database: finds it, or starts the embedded one for as long."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clinch.cli.settings import check_settings
from clinch.db.embedded import EmbeddedError, EmbeddedPostgres, running_url
from clinch.db.home import HomeError, HomeLock, default_home, running_at
from clinch.outbound.guard import SettingError
from clinch.vault.keys import SecretKeyError, ensure_keys


def launch(command: str, arguments: dict[str, Any]) -> int:
    """Run the command in a process of its own that has the database; its exit code."""
    home = Path(arguments["home"]) if arguments["home"] else default_home()
    try:
        check_settings()
        with _database(arguments["database_url"], home) as (url, ours):
            public_url = os.environ.get("CLINCH_PUBLIC_URL") or running_at(home) or ""
            environment = os.environ | {
                "CLINCH_DATABASE_URL": url,
                "CLINCH_PUBLIC_URL": public_url,
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
    return subprocess.run(
        [sys.executable, "-m", "clinch.main", *words], env=environment, check=False
    ).returncode


@contextlib.contextmanager
def _database(url: str | None, home: Path) -> Iterator[tuple[str, bool]]:
    """The URL of the database, and whether it was started for this command."""
    url = url or running_url(home)
    if url is not None:
        yield url, False
        return
    with HomeLock(home):
        ensure_keys(home)
        server = EmbeddedPostgres(home)
        server.start(lambda step: print(f"clinch: {step}", file=sys.stderr))
        try:
            yield server.url, True
        finally:
            server.stop()
