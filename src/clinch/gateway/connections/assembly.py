"""The room put together."""

from collections.abc import Callable
from dataclasses import dataclass

from clinch.db.database import Database
from clinch.gateway.connections.calls import Calls
from clinch.gateway.connections.credentials import Credentials
from clinch.gateway.connections.entrance import CALLBACK, Entrance
from clinch.gateway.connections.issuers import Issuers
from clinch.gateway.connections.lifecycle import Lifecycle
from clinch.gateway.connections.records import Connections
from clinch.gateway.connections.renewal import Renewal
from clinch.gateway.connections.sessions import ConnectSessions
from clinch.gateway.connections.this_server import Asgi
from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.connectors.clients import OAuthClients
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.outbound.http import Client


@dataclass(frozen=True, slots=True)
class ConnectionRoom:
    """What other rooms use of this one."""

    connections: Connections
    renewal: Renewal
    calls: Calls
    lifecycle: Lifecycle
    entrance: Entrance
    sessions: ConnectSessions


def connection_room(
    database: Database,
    vault: TenantVault,
    catalogs: Catalogs,
    clients: OAuthClients,
    app: Callable[[], Asgi],
    client: Client,
    public_url: str,
) -> ConnectionRoom:
    """The room over a database. `app` is this server, and `client` leads to all others."""
    connections = Connections(database, catalogs)
    credentials = Credentials(database, vault)
    issuers = Issuers(database, client, clients, f"{public_url}{CALLBACK}")
    renewal = Renewal(credentials, issuers)
    calls = Calls(database, connections, credentials, renewal, app, client)
    entrance = Entrance(database, vault, connections, credentials, issuers, calls, public_url)
    lifecycle = Lifecycle(
        database, catalogs, clients, connections, credentials, issuers, renewal, entrance
    )
    sessions = ConnectSessions(database)
    return ConnectionRoom(connections, renewal, calls, lifecycle, entrance, sessions)
