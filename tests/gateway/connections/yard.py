"""The connector of the stand-in in `provider.py`, and the gateway's rooms over it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from clinch.db.database import Database
from clinch.gateway.connections.calls import Calls
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.credentials import Credentials
from clinch.gateway.connections.issuers import Issuers
from clinch.gateway.connections.records import Connections
from clinch.gateway.connections.renewal import Renewal
from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.connectors.clients import OAuthClients
from clinch.gateway.connectors.connector import AuthOption, Connector, OAuthServer, TestCall
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.tenancy.rows import tenant_rows
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.outbound.guard import Guard, read_allowed
from clinch.outbound.http import Client
from clinch.vault.vault import Vault

KEY = "yard"
SETTING = "CLINCH_APP_YARD_CLIENT_ID", "CLINCH_APP_YARD_CLIENT_SECRET"
HERE = "https://crm.example"


def yard(url: str, window: float | None) -> Connector:
    server = OAuthServer(
        authorize_url=f"{url}/authorize",
        token_url=f"{url}/token",
        revoke_url=f"{url}/revoke",
        scopes=("boats",),
        replay_window=None if window is None else int(window),
    )
    return Connector(
        "connector_yard",
        KEY,
        "Boat Yard",
        "",
        (),
        (),
        f"{url}/api",
        (AuthOption("login", "oauth2", "Login", base_url=f"{url}/api", oauth=server),),
        (),
        TestCall("GET", "/me"),
    )


@dataclass
class Yard:
    """One process's view of the connections to the stand-in."""

    database: Database
    credentials: Credentials
    connections: Connections
    renewal: Renewal
    issuers: Issuers
    calls: Calls
    client: Client

    async def close(self) -> None:
        await self.client.close()


def open_yard(
    database: Database,
    secret_key: str,
    url: str,
    window: float | None,
    client_secret: str = "our-secret",
    lease: float = 2.0,
) -> Yard:
    """The rooms, over a database that may have others at it."""
    place = urlsplit(url)
    client = Client(Guard(read_allowed(f"{place.hostname}:{place.port}")))
    clients = OAuthClients(
        dict(zip(SETTING, ("our-client", client_secret), strict=True)), frozenset({KEY})
    )
    credentials = Credentials(database, TenantVault(Vault(secret_key)))
    catalogs = Catalogs([yard(url, window)], ImportedConnectors(database, frozenset()))
    connections = Connections(database, catalogs)
    issuers = Issuers(database, client, clients, f"{HERE}/connect/callback")
    renewal = Renewal(credentials, issuers, timedelta(seconds=lease))
    calls = Calls(database, connections, credentials, renewal, lambda: _nobody, client)
    return Yard(database, credentials, connections, renewal, issuers, calls, client)


async def add_connection(yard: Yard, tenant: GatewayTenant, id: str) -> Connection:
    """A connection that nobody has let in yet."""
    async with tenant_rows(yard.database, tenant) as rows:
        await rows.execute(
            "insert into gateway_connection (organization_id, tenant_id, id, name, connector_key,"
            " option_key, state, version, created_at, updated_at)"
            " values ($1, $2, $3, 'Boat Yard', 'yard', 'login', 'CLIENT_ACTION_REQUIRED', 1, now(),"
            " now())",
            id,
        )
    return await yard.connections.get(tenant, id)


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the request was meant for another server")
