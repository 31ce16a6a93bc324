"""Plugs the floors together, and runs one process of the program: `python -m clinch.main NAME`.

The parent (`clinch up`) starts these processes and tells them what they need by environment
variables; see `clinch.cli.processes`.
"""

import asyncio
import ctypes
import importlib
import json
import pkgutil
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from os import environ
from typing import Any

from starlette.routing import Route as PageRoute

import clinch.crm
import clinch.identity
from clinch.cli.sealed import CannotOpenDatabase, check_keys
from clinch.crm.custom_values import VALUES
from clinch.db.database import Database
from clinch.db.home import default_home
from clinch.db.migrations import SCHEMA_MIGRATION, MigrationError, migrate, migrations
from clinch.db.schema import Table
from clinch.events.chore import Chore
from clinch.events.follower import EVENT_CURSOR, Errand, Follower, behind, catch_up, run_errand
from clinch.events.seal import EVENT_SEAL, SEAL
from clinch.events.wake import SWEEP, Listener, Waker
from clinch.files.sweep import sweep_files
from clinch.gateway.access import Access
from clinch.gateway.actions.catalog import ACTIONS
from clinch.gateway.connections.assembly import connection_room
from clinch.gateway.connections.connection import GATEWAY_CONNECTION
from clinch.gateway.connections.sessions import GATEWAY_CONNECT_SESSION
from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.connectors.clients import OAuthClients
from clinch.gateway.connectors.close import close
from clinch.gateway.connectors.imported import GATEWAY_CONNECTOR, ImportedConnectors
from clinch.gateway.connectors.shipped import SHIPPED_KEYS, shipped_connectors
from clinch.gateway.finding import Finder
from clinch.gateway.run_logs import GATEWAY_RUN, RunLog, sweep_runs
from clinch.gateway.running import Actions
from clinch.gateway.saved_actions import GATEWAY_ACTION, SavedActions
from clinch.gateway.saving import Saving
from clinch.gateway.secrets import TenantVault
from clinch.gateway.tenants import GATEWAY_TENANT
from clinch.gateway.workspace_keys import GATEWAY_WORKSPACE
from clinch.identity.credentials import CREDENTIAL, Authenticator
from clinch.identity.links import LINK
from clinch.identity.oauth.clients import OAUTH_CLIENT
from clinch.identity.oauth.codes import OAUTH_CODE
from clinch.identity.oauth.grants import OAUTH_GRANT, sweep_tokens
from clinch.identity.organizations import ORGANIZATION_DIRECTORY
from clinch.identity.second_factor import SECOND_FACTOR
from clinch.identity.throttle import SIGN_IN_FAILURE
from clinch.identity.users import LOGIN
from clinch.mcp.http import McpApplication
from clinch.mcp.protocol import Server as McpServer
from clinch.mcp.tools import INSTRUCTIONS, tools
from clinch.outbound.guard import guard_of, read_origin
from clinch.outbound.http import Client
from clinch.resources.custom_values import CUSTOM_VALUE
from clinch.resources.declaration import Declarations, Resource
from clinch.resources.files import FILE, FILE_PART, FILE_USE, FILES
from clinch.resources.once import ONCE
from clinch.resources.search_text import SEARCH_TEXT
from clinch.resources.store import Store
from clinch.resources.write.log import log_tables
from clinch.server.application import Application, Asgi
from clinch.server.custom_field_schema import custom_field_schema_routes
from clinch.server.events import event_routes
from clinch.server.field_associations import field_association_routes
from clinch.server.files import download_routes, file_routes
from clinch.server.gateway.actions import action_routes
from clinch.server.gateway.apps import app_routes
from clinch.server.gateway.connect_form import connect_form
from clinch.server.gateway.connect_page import connect_page
from clinch.server.gateway.connection_events import connection_event_routes
from clinch.server.gateway.connection_requests import connection_request_routes
from clinch.server.gateway.connections import connection_routes
from clinch.server.gateway.customers import customer_routes
from clinch.server.gateway.exchange import GatewayApplication
from clinch.server.gateway.imports import import_routes
from clinch.server.gateway.runs import run_routes
from clinch.server.groups import group_routes
from clinch.server.idempotency import Idempotency, forget_keys
from clinch.server.lead_merge import lead_merge_routes
from clinch.server.log import log_as_lines, log_failure
from clinch.server.me import me_routes
from clinch.server.memberships import membership_routes
from clinch.server.oauth.grants import grant_routes
from clinch.server.openapi import openapi
from clinch.server.organizations import organization_routes
from clinch.server.pages import pages
from clinch.server.rate_limit import RateLimit
from clinch.server.resets import reset_routes
from clinch.server.resource_routes import ResourceRoutes
from clinch.server.routes import Route, Routes
from clinch.server.second_factor import second_factor_routes
from clinch.server.session import SignInRoute, session_routes
from clinch.vault.keys import SecretKeyError
from clinch.vault.vault import Vault, open_vault

FOLLOWERS: tuple[Follower, ...] = (SEAL,)
ERRANDS: tuple[Errand, ...] = (VALUES,)
CHORES: tuple[Chore, ...] = (
    Chore("files", timedelta(minutes=10), sweep_files),
    Chore("idempotency keys", timedelta(minutes=10), forget_keys),
    Chore("access tokens", timedelta(minutes=10), sweep_tokens),
    Chore("runs", timedelta(minutes=10), sweep_runs),
)

_CONNECTIONS = 8
# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of glibc's malloc.h.
_MALLOC = ((-1, 32 << 20), (-2, 2 << 20), (-3, 8 << 20))


def declared_resources() -> list[type[Resource]]:
    """Every resource declared in the rooms `identity` and `crm`, in the order of their names."""
    found: dict[str, type[Resource]] = {}
    for room in (clinch.identity, clinch.crm):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, Resource) and value.path:
                    found[value.noun] = value
    return [found[name] for name in sorted(found)]


def declarations(public_url: str = "") -> Declarations:
    return Declarations(declared_resources(), public_url)


def tables(declared: Declarations) -> list[Table]:
    """Every table of the program; a database that is migrated has these and no others."""
    return [
        SCHEMA_MIGRATION,
        ORGANIZATION_DIRECTORY,
        LOGIN,
        SIGN_IN_FAILURE,
        CREDENTIAL,
        LINK,
        OAUTH_CLIENT,
        OAUTH_CODE,
        OAUTH_GRANT,
        SECOND_FACTOR,
        *log_tables(declared),
        EVENT_CURSOR,
        EVENT_SEAL,
        SEARCH_TEXT,
        CUSTOM_VALUE,
        FILE,
        FILE_PART,
        FILE_USE,
        ONCE,
        GATEWAY_WORKSPACE,
        GATEWAY_TENANT,
        GATEWAY_CONNECTOR,
        GATEWAY_CONNECTION,
        GATEWAY_CONNECT_SESSION,
        GATEWAY_RUN,
        GATEWAY_ACTION,
        *declared.tables(),
    ]


def api_routes(store: Store, vault: Vault) -> list[Route]:
    """All that is answered below `/api/v1`; of two for the same operation the later one holds."""
    resource_routes = ResourceRoutes(store)
    return [
        *me_routes(store),
        *event_routes(store),
        *custom_field_schema_routes(store),
        *reset_routes(store),
        *field_association_routes(store),
        *grant_routes(store),
        *group_routes(store),
        *lead_merge_routes(store),
        *membership_routes(store),
        *file_routes(store, vault),
        *(route for resource in store.declared for route in resource_routes.routes(resource)),
        *organization_routes(store),
    ]


def sign_in_routes(store: Store, vault: Vault, authenticator: Authenticator) -> list[SignInRoute]:
    """All that is answered below `/session`."""
    return [
        *second_factor_routes(store, vault, authenticator),
        *session_routes(store, vault, authenticator),
    ]


def application(store: Store, vault: Vault, rate_limit: int = 1000) -> Application:
    """The HTTP door over a store; who asks may do so `rate_limit` times a second."""
    authenticator = Authenticator(store.database)
    routes, signing_in = api_routes(store, vault), sign_in_routes(store, vault, authenticator)
    newest = len(migrations())

    async def ready() -> bool:
        try:
            async with store.database.installation() as transaction:
                return bool(
                    await transaction.value("select max(number) = $1 from schema_migration", newest)
                )
        except Exception as error:
            log_failure(error, check="ready")
            return False

    document = openapi(store.declared, routes, signing_in)
    client = Client(guard_of(environ))
    limit = RateLimit(rate_limit)
    connecting, doors = gateway(store, vault, authenticator, document, client, limit, lambda: app)
    app = Application(
        authenticator,
        {"/api/v1": Routes(routes), FILES: Routes(download_routes(store))},
        doors,
        pages(store, vault, authenticator, connecting, signing_in, document, ready),
        limit,
        Idempotency(store.database, vault),
        store.declared.public_url,
        client.close,
    )
    return app


def gateway(
    store: Store,
    vault: Vault,
    authenticator: Authenticator,
    document: dict[str, Any],
    client: Client,
    limit: RateLimit,
    app: Callable[[], Asgi],
) -> tuple[list[PageRoute], dict[str, Asgi]]:
    """The pages on which a person lets apps in, and the gateway's doors by the first segments of
    their paths.

    `document` is our OpenAPI document, of which the app `close` is made; `app` is this server, and
    `client` leads to all others.
    """
    database, public_url = store.database, store.declared.public_url
    tenant_vault = TenantVault(vault)
    close_url = read_origin(environ.get("CLINCH_APP_CLOSE_URL", ""))
    shipped = (close(document, public_url, close_url), *shipped_connectors())
    imported = ImportedConnectors(database, SHIPPED_KEYS)
    catalogs = Catalogs(shipped, imported)
    runs = RunLog(database, tenant_vault)
    clients = OAuthClients(environ, SHIPPED_KEYS)
    room = connection_room(database, tenant_vault, catalogs, clients, app, client, public_url)
    saved = SavedActions(database)
    finder = Finder(catalogs, room.connections, ACTIONS, saved)
    actions = Actions(finder, room.calls, runs)
    routes = [
        *customer_routes(database),
        *app_routes(catalogs, clients),
        *import_routes(imported, client, clients),
        *connection_routes(room),
        *connection_request_routes(database, room.lifecycle),
        *action_routes(finder, actions, Saving(finder, saved)),
        *run_routes(runs),
        *connection_event_routes(room),
    ]
    access = Access(database, vault, authenticator)
    connecting = [
        connect_form(access.caller, limit, room),
        *connect_page(database, vault, authenticator, room, public_url),
    ]
    rest = GatewayApplication(Routes(routes), access.caller, limit)
    server = McpServer(tools(finder, actions, room), INSTRUCTIONS)
    mcp = McpApplication(server, access.caller, limit, public_url)
    doors: dict[str, Asgi] = {route.path.partition("/")[0]: rest for route in routes}
    return connecting, doors | {"mcp": mcp}


async def web() -> None:
    """Serve HTTP on the socket that the parent listens on, until told to stop."""
    import uvicorn

    keep_freed_memory()
    database = Database(environ["CLINCH_DATABASE_URL"], _CONNECTIONS)
    waker = Waker(environ["CLINCH_DATABASE_URL"])
    waker.start()
    store = Store(database, declarations(environ["CLINCH_PUBLIC_URL"]), lambda _: waker.note())
    vault = open_vault(default_home())
    app = application(store, vault, int(environ.get("CLINCH_RATE_LIMIT", "1000")))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=8,
        )
    )
    listening = socket.socket(fileno=int(environ["CLINCH_LISTEN_FD"]))
    leave_with_parent(lambda: setattr(server, "should_exit", True))
    try:
        await server.serve(sockets=[listening])
    finally:
        await app.close()
        await waker.stop()
        await database.close()


def keep_freed_memory() -> None:
    """Let the allocator keep what a large answer took for the next one.

    glibc would give it back to the kernel after each, and touch every page of it anew: a tenth of
    the time of a page of leads. The numbers are bytes; other allocators have no such call.
    """
    with suppress(AttributeError, OSError):
        set_option = ctypes.CDLL(None).mallopt
        for option, size in _MALLOC:
            set_option(option, size)


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
    return await administration("sample", json.dumps({"home": environ["CLINCH_HOME"]}))


async def administration(command: str, arguments: str) -> int:
    """Run one of the commands that work on the database; `arguments` are a JSON object."""
    from clinch.cli.administration import CommandError, administer  # of no use to the others

    database = Database(environ["CLINCH_DATABASE_URL"], 2)
    try:
        store = Store(database, declarations(environ.get("CLINCH_PUBLIC_URL", "").rstrip("/")))
        return await administer(store, command, json.loads(arguments))
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
        return run(PROCESSES[name](*arguments)) or 0
    except (MigrationError, SecretKeyError, CannotOpenDatabase) as error:
        print(f"clinch: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        log_failure(error, process=name)
        print(f"{type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
