"""A connection from when it is asked for to when it ends."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from clinch.db.database import Database
from clinch.db.ids import new_id
from clinch.gateway.connections.connection import PREFIX, Connection, Wanted
from clinch.gateway.connections.credentials import Credentials, Held
from clinch.gateway.connections.entrance import Entrance, is_tokens
from clinch.gateway.connections.issuers import Issuers, ThisServer
from clinch.gateway.connections.records import Connections, check_key, checked_text
from clinch.gateway.connections.renewal import Renewal
from clinch.gateway.connections.sessions import ConnectSession
from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.connectors.clients import OAuthClients
from clinch.gateway.connectors.connector import AuthOption, Connector
from clinch.gateway.errors import (
    ConfigurationError,
    GatewayError,
    InvalidRequest,
    NotFound,
)
from clinch.gateway.tenancy.access import Caller
from clinch.gateway.tenancy.rows import tenant_rows
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.identity.oauth.clients import GATEWAY
from clinch.identity.oauth.grants import issue_grant
from clinch.identity.scopes import Scope
from clinch.resources.actor import EVERY_CLASS


class Lifecycle:
    """Makes, renews and ends the connections of all tenants."""

    def __init__(
        self,
        database: Database,
        catalogs: Catalogs,
        clients: OAuthClients,
        connections: Connections,
        credentials: Credentials,
        issuers: Issuers,
        renewal: Renewal,
        entrance: Entrance,
    ) -> None:
        self._database, self._catalogs, self._clients = database, catalogs, clients
        self._connections, self._credentials = connections, credentials
        self._issuers, self._renewal, self._entrance = issuers, renewal, entrance

    async def create(
        self,
        caller: Caller,
        wanted: Wanted,
        now: datetime,
        session: ConnectSession | None = None,
    ) -> Connection:
        """A connection to an app, the one that is there unless another is asked for; a page for it
        is one of the session.

        Raises GatewayError.
        """
        tenant = caller.own_tenant
        connector = (await self._catalogs.of(tenant.organization)).named(wanted.app)
        option = self._option(caller, connector, wanted)
        if not wanted.again and wanted.input is None and wanted.key is None:
            for one in await self._connections.of_tenant(tenant):
                if one.connector_key == connector.key and one.option.key == option.key:
                    return one if one.is_ready else await self.connect(caller, one.id, now, session)
        id, name = new_id(PREFIX), checked_text(wanted.name, "name") or connector.name
        key = checked_text(wanted.key, "key")
        async with tenant_rows(self._database, tenant) as rows:
            await check_key(rows, key, None)
            await rows.execute(
                "insert into gateway_connection (organization_id, tenant_id, id, key, name,"
                " connector_key, option_key, state, version, created_at, updated_at)"
                " values ($1, $2, $3, $4, $5, $6, $7, 'CLIENT_ACTION_REQUIRED', 1, $8, $8)",
                id,
                key,
                name,
                connector.key,
                option.key,
                now,
            )
        if wanted.input is not None:
            return await self._entered(tenant, id, wanted.input, now)
        return await self.connect(caller, id, now, session)

    async def ensure(
        self, caller: Caller, address: str, name: str | None, now: datetime
    ) -> Connection:
        """The connection to the app at a web address, made at need; raises GatewayError."""
        catalog = await self._catalogs.of(caller.own_tenant.organization)
        connector = catalog.by_domain(address) or catalog.get(address.strip().lower())
        if connector is None:
            raise NotFound(
                "No app that is known here has this address.", hint="membrane search WORDS --json"
            )
        return await self.create(caller, Wanted(connector.key, name=name), now)

    async def connect(
        self,
        caller: Caller,
        id_or_key: str,
        now: datetime,
        session: ConnectSession | None = None,
    ) -> Connection:
        """Let a connection in, in place: at once where no person is needed, else by a page."""
        tenant = caller.own_tenant
        one = await self._connections.get(tenant, id_or_key)
        if one.option.type != "this-server" or caller.actor is None:
            page = await self._entrance.page_for(tenant, one, now, session)
            return replace(one, ui_url=page)
        scope = Scope(EVERY_CLASS, offline=True, full=True)
        tokens = await issue_grant(self._database, caller.actor, GATEWAY, scope, now)
        before = await self._credentials.read(tenant, one.id)
        await self._credentials.keep(tenant, one.id, ThisServer.held(tokens, now), now)
        if before is not None:
            await self._revoke(one, before.held)
        return await self._connections.get(tenant, one.id)

    async def options(self, tenant: GatewayTenant, app: str) -> tuple[AuthOption, ...]:
        """The ways into an app that can be gone here; raises NotFound."""
        catalog = await self._catalogs.of(tenant.organization)
        return self._clients.offered(catalog.named(app))

    async def renew(self, tenant: GatewayTenant, id_or_key: str) -> None:
        """Renew what a connection holds before its time; raises ConnectionDefunct.

        What a person typed cannot be renewed, and stays.
        """
        one = await self._connections.get(tenant, id_or_key)
        held = await self._credentials.read(tenant, one.id)
        await self._renewal.fresh(tenant, one, held.number if held is not None else None)

    async def disconnect(self, tenant: GatewayTenant, id_or_key: str, now: datetime) -> None:
        """Erase what a connection holds, and revoke it where it came from; it can be connected
        anew."""
        await self._end(tenant, id_or_key, None, now)

    async def archive(self, tenant: GatewayTenant, id_or_key: str, now: datetime) -> None:
        """The same, and the connection is in no list any more."""
        await self._end(tenant, id_or_key, now, now)

    async def restore(self, tenant: GatewayTenant, id: str, now: datetime) -> Connection:
        """Bring an archived connection back, which a person has to connect anew; one that is not
        archived stays as it is. Raises NotFound, and AlreadyExists where another has its key."""
        id = id.replace("\x00", "")
        async with tenant_rows(self._database, tenant) as rows:
            key = await rows.value(
                "select c.key from gateway_connection c where c.organization_id = $1"
                " and c.tenant_id = $2 and c.id = $3 for update",
                id,
            )
            if key is not None:
                await check_key(rows, key, id)
            await rows.execute(
                "update gateway_connection set archived_at = null, updated_at = $4"
                " where organization_id = $1 and tenant_id = $2 and id = $3"
                " and archived_at is not null",
                id,
                now,
            )
        return await self._connections.get(tenant, id)

    async def _end(
        self, tenant: GatewayTenant, id_or_key: str, archived_at: datetime | None, now: datetime
    ) -> None:
        one = await self._connections.get(tenant, id_or_key)
        held = await self._credentials.read(tenant, one.id)
        async with tenant_rows(self._database, tenant) as rows:
            await rows.execute(
                "update gateway_connection set secrets = null, ticket = null, login = null,"
                " state = 'CLIENT_ACTION_REQUIRED', reason = 'It was disconnected.',"
                " archived_at = $4, updated_at = $5"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
                archived_at,
                now,
            )
        if held is not None:
            await self._revoke(one, held.held)

    async def _entered(
        self, tenant: GatewayTenant, id: str, input: Mapping[str, Any], now: datetime
    ) -> Connection:
        """A new connection with what was sent along; none is left where that does not work."""
        try:
            return await self._entrance.enter(tenant, id, input, now)
        except GatewayError:
            async with tenant_rows(self._database, tenant) as rows:
                await rows.execute(
                    "delete from gateway_connection where organization_id = $1 and tenant_id = $2"
                    " and id = $3",
                    id,
                )
            raise

    async def _revoke(self, one: Connection, held: Held) -> None:
        try:
            issuer = self._issuers.of(one)
        except ConfigurationError:
            return
        if issuer is not None:
            await issuer.revoke(held)

    def _option(self, caller: Caller, connector: Connector, wanted: Wanted) -> AuthOption:
        """The way in that is meant: one that takes what was sent, or that the caller can go."""
        offered = self._clients.offered(connector)
        if wanted.option is not None:
            option = next((one for one in offered if one.key == wanted.option), None)
            if option is not None:
                return option
            if connector.option(wanted.option) is not None:
                raise self._no_client(connector)
            known = ", ".join(one.key for one in offered)
            raise InvalidRequest(f"{connector.name} has no such way in; there are {known}.")
        for option in offered:
            if option.type == "this-server":
                fits = caller.actor is not None and wanted.input is None
            else:
                fits = wanted.input is None or (option.oauth is not None) == is_tokens(wanted.input)
            if fits:
                return option
        raise self._no_client(connector)

    def _no_client(self, connector: Connector) -> ConfigurationError:
        settings = ", ".join(self._clients.settings(connector))
        return ConfigurationError(
            f"{connector.name} has no way in for this caller, unless whoever runs this server makes"
            f" it a client of {connector.name} and sets {settings}."
        )
