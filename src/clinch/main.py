"""Runs one process of the program: `python -m clinch.main NAME`.

The parent (`clinch up`) starts these processes and tells them what they need by environment
variables; see `clinch.cli.processes`.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from os import environ
from typing import Any

import asyncpg

from clinch.cli.administration.sealed import CannotOpenDatabase, check_keys
from clinch.cli.administration.telling import CommandError
from clinch.db.database import Database
from clinch.db.home import default_home
from clinch.db.migrations import MigrationError, check_migrated, migrate
from clinch.events.chore import Chore
from clinch.events.follower import Errand, Follower, behind, catch_up, run_errand
from clinch.events.wake import SWEEP, Listener, Waker
from clinch.program import CHORES, ERRANDS, FOLLOWERS, application, declarations
from clinch.resources.store import Store
from clinch.server.log import log_as_lines, log_failure, write_requests
from clinch.vault.keys import SecretKeyError
from clinch.vault.vault import open_vault

_CONNECTIONS = 8

_UNREACHABLE = (
    ConnectionError,
    FileNotFoundError,  # a unix socket
    TimeoutError,
    socket.gaierror,
    asyncpg.CannotConnectNowError,
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
)


async def web() -> None:
    """Serve HTTP on the socket that the parent listens on, until told to stop."""
    import uvicorn

    from clinch.server import memory
    from clinch.server.transport import HttpProtocol

    memory.keep_what_is_freed()
    database = Database(environ["CLINCH_DATABASE_URL"], _CONNECTIONS)
    waker = Waker(environ["CLINCH_DATABASE_URL"])
    waker.start()
    store = Store(database, declarations(environ["CLINCH_PUBLIC_URL"]), lambda _: waker.note())
    vault = open_vault(default_home())
    app = application(store, vault, int(environ.get("CLINCH_RATE_LIMIT") or "1000"))
    memory.settle_what_lasts()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=HttpProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=8,
        )
    )
    listening = socket.socket(fileno=int(environ["CLINCH_LISTEN_FD"]))

    def leave(*_: object) -> None:
        server.should_exit = True

    leave_with_parent(leave)
    # uvicorn raises a signal once more when it has served, with what handled it before: unless that
    # is ours, the process is gone before anything is closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    try:
        await server.serve(sockets=[listening])
    finally:
        write_requests()
        await app.close()
        await waker.stop()
        await database.close()


async def worker() -> None:
    """Let the followers follow, until told to stop. Whatever fails is tried again."""
    stopped = asyncio.Event()
    leave_with_parent(stopped.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    following = asyncio.create_task(follow(environ["CLINCH_DATABASE_URL"]))
    await stopped.wait()
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


async def follow(url: str) -> None:
    """Keep every follower up with every organization's log; errands apart, since they take long.

    Beside them the chores are done.
    """
    chores = (do_again(url, chore) for chore in CHORES)
    await asyncio.gather(keep_up(url, FOLLOWERS), keep_up(url, ERRANDS), *chores)


async def keep_up(url: str, followers: Sequence[Follower | Errand]) -> None:
    database, listener = Database(url, 2), Listener(url)
    store = Store(database, declarations())
    try:
        while True:
            try:
                for follower in followers:
                    for organization_id in await behind(database, follower):
                        if isinstance(follower, Errand):
                            await run_errand(store, follower, organization_id)
                        else:
                            await catch_up(database, follower, organization_id)
                await listener.wait()
            except Exception as error:
                log_failure(error, process="worker")
                await asyncio.sleep(SWEEP)
    finally:
        await listener.close()
        await database.close()


async def do_again(url: str, chore: Chore) -> None:
    """Do a chore round after round. One that fails is done again after the pause."""
    database = Database(url, 1)
    store = Store(database, declarations())
    try:
        while True:
            more = False
            try:
                more = await chore.round(store, datetime.now(UTC))
            except Exception as error:
                log_failure(error, process="worker", chore=chore.name)
            await asyncio.sleep(0 if more else chore.pause.total_seconds())
    finally:
        await database.close()


def leave_with_parent(leave: Callable[[], object]) -> None:
    """Call `leave` when the parent is gone, which its end of a pipe tells."""
    parent = environ.get("CLINCH_PARENT_FD")
    if parent is not None:
        loop, number = asyncio.get_running_loop(), int(parent)

        def gone() -> None:
            loop.remove_reader(number)
            leave()

        loop.add_reader(number, gone)


async def migrate_database() -> None:
    """Bring the database up to date."""
    await migrate(environ["CLINCH_DATABASE_URL"], lambda step: print(step, file=sys.stderr))


async def prepare(organization: str = "") -> int:
    """Bring the database up to date, and see that all that is sealed in it can be opened.

    With `sample` make the sample organization in the home, unless it is there.
    """
    await migrate_database()
    database = Database(environ["CLINCH_DATABASE_URL"], 1)
    try:
        await check_keys(database, open_vault(default_home()))
    finally:
        await database.close()
    if organization != "sample":
        return 0
    return await _administer("sample", {"home": environ["CLINCH_HOME"]})


async def administration(command: str, arguments: str) -> int:
    """Run one of the commands that work on the database; `arguments` are a JSON object."""
    await check_migrated(environ["CLINCH_DATABASE_URL"])
    return await _administer(command, json.loads(arguments))


async def _administer(command: str, arguments: dict[str, Any]) -> int:
    from clinch.cli.administration.commands import administer  # of no use to the others

    database = Database(environ["CLINCH_DATABASE_URL"], 2)
    try:
        store = Store(database, declarations(environ.get("CLINCH_PUBLIC_URL", "")))
        return await administer(store, command, arguments)
    except CommandError as error:
        print(f"clinch: {error}", file=sys.stderr)
        return 1
    finally:
        await database.close()


PROCESSES: dict[str, Callable[..., Coroutine[Any, Any, int | None]]] = {
    "prepare": prepare,
    "migrate": migrate_database,
    "administer": administration,
    "web": web,
    "worker": worker,
}


def main(name: str, *arguments: str) -> int:
    """Run one process; the exit code. What stops it is said in one line on standard error."""
    log_as_lines()
    run = asyncio.run
    with suppress(ImportError):
        import uvloop

        run = uvloop.run
    try:
        code = run(PROCESSES[name](*arguments)) or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # who reads what is printed has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MigrationError, SecretKeyError, CannotOpenDatabase) as error:
        print(f"clinch: {error}", file=sys.stderr)
        return 1
    except _UNREACHABLE as error:
        place = "the database at CLINCH_DATABASE_URL"
        print(f"clinch: {place} cannot be used: {error}".splitlines()[0], file=sys.stderr)
        return 1
    except Exception as error:
        log_failure(error, process=name)
        print(f"{type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
