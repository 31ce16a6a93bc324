"""What the program is made of: its resources and tables, its doors, and what its worker does."""

import importlib
import pkgutil
from collections.abc import Callable
from datetime import datetime, timedelta
from os import environ
from typing import Any

from starlette.routing import Route as PageRoute

import clinch.crm
import clinch.identity
from clinch.crm.custom_values import VALUES
from clinch.db.home import default_home
from clinch.db.migrations import SCHEMA_MIGRATION, migrations
from clinch.db.schema import Table
from clinch.events.chore import Chore
from clinch.events.follower import EVENT_CURSOR, Errand, Follower
from clinch.events.seal import EVENT_SEAL, SEAL
from clinch.files.sweep import sweep_files
from clinch.gateway.actions.catalog import ACTIONS
from clinch.gateway.connections.assembly import connection_room
from clinch.gateway.connections.connection import GATEWAY_CONNECTION
from clinch.gateway.connections.idle import idle_connections, renew_idle
from clinch.gateway.connections.sessions import GATEWAY_CONNECT_SESSION
from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.connectors.clients import OAuthClients
from clinch.gateway.connectors.close import close
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.imported import GATEWAY_CONNECTOR, ImportedConnectors
from clinch.gateway.connectors.shipped import SHIPPED_KEYS, shipped_connectors
from clinch.gateway.running.actions import Actions
from clinch.gateway.running.finding import Finder
from clinch.gateway.running.run_logs import GATEWAY_RUN, RunLog, sweep_runs
from clinch.gateway.running.saved_actions import GATEWAY_ACTION, SavedActions
from clinch.gateway.running.saving import Saving
from clinch.gateway.tenancy.access import Access
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import GATEWAY_TENANT
from clinch.gateway.tenancy.workspace_keys import GATEWAY_WORKSPACE
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
from clinch.server.api_keys import api_key_routes
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
from clinch.server.gateway.proxy import proxy_routes
from clinch.server.gateway.runs import run_routes
from clinch.server.groups import group_routes
from clinch.server.idempotency import Idempotency, forget_keys
from clinch.server.lead_merge import lead_merge_routes
from clinch.server.log import log_failure
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
from clinch.vault.vault import Vault, open_vault

FOLLOWERS: tuple[Follower, ...] = (SEAL,)
ERRANDS: tuple[Errand, ...] = (VALUES,)


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
        *api_key_routes(store),
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
    imported = ImportedConnectors(database, SHIPPED_KEYS)
    catalogs = Catalogs(_shipped(document, public_url), imported)
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
        *proxy_routes(room.calls),
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


def _shipped(document: dict[str, Any], public_url: str) -> tuple[Connector, ...]:
    """The apps that come with the program."""
    elsewhere = read_origin(environ.get("CLINCH_APP_CLOSE_URL", ""))
    return (close(document, public_url, elsewhere), *shipped_connectors())


async def renew_idle_connections(store: Store, now: datetime) -> bool:
    """Renew what connections to apps hold that nobody uses."""
    database = store.database
    idle = await idle_connections(database, now)
    if idle:
        client, public_url = Client(guard_of(environ)), environ["CLINCH_PUBLIC_URL"]
        vault = TenantVault(open_vault(default_home()))
        # How an app is let in is known without the operations that it has.
        shipped = _shipped({"paths": {}}, public_url)
        catalogs = Catalogs(shipped, ImportedConnectors(database, SHIPPED_KEYS))
        clients = OAuthClients(environ, SHIPPED_KEYS)
        room = connection_room(database, vault, catalogs, clients, _no_server, client, public_url)
        try:
            await renew_idle(database, room.connections, room.renewal, idle)
        finally:
            await client.close()
    return False


def _no_server() -> Asgi:
    raise RuntimeError("a worker answers no requests")


CHORES: tuple[Chore, ...] = (
    Chore("files", timedelta(minutes=10), sweep_files),
    Chore("idempotency keys", timedelta(minutes=10), forget_keys),
    Chore("access tokens", timedelta(minutes=10), sweep_tokens),
    Chore("runs", timedelta(minutes=10), sweep_runs),
    Chore("idle connections", timedelta(hours=1), renew_idle_connections),
)
