"""Connections: an app, let in for a tenant. One exists as soon as it is asked for.

What the app takes as proof is sealed under the tenant's data key, in a version that moves with
every change. A connection to this very server holds a grant like any program's, and renews it.
"""

import asyncio
import hashlib
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import jsonschema_rs
import msgspec

from clinch.db.database import Database, Tenant
from clinch.db.ids import new_id, new_secret
from clinch.db.schema import Column, ForeignKey, Index, id_column, tenant_table
from clinch.gateway.access import Caller
from clinch.gateway.api import Api, ApiAnswer, ApiRequest
from clinch.gateway.connectors.catalog import Catalog, Catalogs
from clinch.gateway.connectors.connector import AuthOption, Connector
from clinch.gateway.connectors.placement import NotSendable
from clinch.gateway.errors import (
    AccessDenied,
    AlreadyExists,
    ConfigurationError,
    ConnectionDefunct,
    GatewayError,
    InvalidRequest,
    NotFound,
)
from clinch.gateway.paging import cursor_after, read_cursor
from clinch.gateway.rows import TenantRows, tenant_rows
from clinch.gateway.secrets import TenantVault
from clinch.gateway.sending import Sender
from clinch.gateway.tenants import GatewayTenant, tenant_by_id
from clinch.gateway.this_server import Asgi, call_this_server
from clinch.identity.oauth.clients import GATEWAY
from clinch.identity.oauth.errors import OAuthError
from clinch.identity.oauth.grants import (
    LIFETIME,
    issue_grant,
    narrow_token,
    refresh_grant,
    revoke_token,
)
from clinch.identity.scopes import Scope
from clinch.outbound.http import Client
from clinch.resources.actor import EVERY_CLASS, OperationClass

PREFIX = "conn"
TICKET_LIFE = timedelta(hours=1)
_MARGIN = timedelta(minutes=5)
_LONGEST_NAME = 100
_POLL = 0.25
_REMEMBERED = 10_000

State = Literal["CLIENT_ACTION_REQUIRED", "READY"]

GATEWAY_CONNECTION = tenant_table(
    "gateway_connection",
    id_column("tenant_id"),
    id_column(),
    Column("key", "text", nullable=True),
    Column("name", "text"),
    Column("connector_key", "text"),
    Column("option_key", "text"),
    Column("state", "text"),
    Column("reason", "text", nullable=True),
    Column("version", "bigint"),
    Column("secrets", "bytea", nullable=True),
    Column("expires_at", "timestamp with time zone", nullable=True),
    Column("ticket", "bytea", nullable=True),
    Column("ticket_until", "timestamp with time zone", nullable=True),
    Column("created_at", "timestamp with time zone"),
    Column("updated_at", "timestamp with time zone"),
    Column("archived_at", "timestamp with time zone", nullable=True),
    key=("tenant_id", "id"),
    indexes=(
        Index(("organization_id", "tenant_id", "key"), unique=True, where="(archived_at is null)"),
        Index(("organization_id", "tenant_id", "created_at", "id")),
    ),
    foreign_keys=(ForeignKey("tenant_id", "gateway_tenant", "tenant_id"),),
)


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection, without what it holds. `reason` says why a person is needed again."""

    id: str
    key: str | None
    name: str
    connector: Connector
    option: AuthOption
    state: State
    reason: str | None
    version: int
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    ui_url: str | None = field(default=None, repr=False)

    @property
    def connector_key(self) -> str:
        return self.connector.key

    @property
    def is_ready(self) -> bool:
        return self.state == "READY" and self.archived_at is None

    @property
    def is_here(self) -> bool:
        """Whether it leads to this very server."""
        return self.option.here


@dataclass(frozen=True, slots=True)
class Wanted:
    """What connection is asked for. `input` is what a product that embeds the gateway sends in
    place of a person; `again` makes another where there is one."""

    app: str
    option: str | None = None
    name: str | None = None
    key: str | None = None
    input: Mapping[str, Any] | None = field(default=None, repr=False)
    again: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """Connections, the oldest first; `cursor` leads to those that follow."""

    items: list[Connection]
    cursor: str | None


class Connections:
    """The connections of all tenants. `app` is this server as an ASGI application; `client` leads
    to all others."""

    def __init__(
        self,
        database: Database,
        vault: TenantVault,
        catalogs: Catalogs,
        app: Callable[[], Asgi],
        client: Client,
        public_url: str,
    ) -> None:
        self._database, self._vault, self._catalogs = database, vault, catalogs
        self._narrowed: OrderedDict[tuple[str, int, frozenset[OperationClass]], str] = OrderedDict()
        self._app, self._public_url = app, public_url
        self._sender = Sender(client)

    async def create(self, caller: Caller, wanted: Wanted, now: datetime) -> Connection:
        """A connection to an app, the one that is there unless another is asked for.

        Raises GatewayError.
        """
        tenant = _tenant(caller)
        connector = _connector(await self._catalogs.of(tenant.organization), wanted.app)
        option = self._option(caller, connector, wanted)
        if not wanted.again and wanted.input is None and wanted.key is None:
            for one in await self.of_tenant(tenant):
                if one.connector_key == connector.key and one.option.key == option.key:
                    return one if one.is_ready else await self.connect(caller, one.id, now)
        id, name = new_id(PREFIX), _checked(wanted.name, "name") or connector.name
        key = _checked(wanted.key, "key")
        async with tenant_rows(self._database, tenant) as rows:
            await self._check_key(rows, key, None)
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
        return await self.connect(caller, id, now)

    async def ensure(
        self, caller: Caller, address: str, name: str | None, now: datetime
    ) -> Connection:
        """The connection to the app at a web address, made at need; raises GatewayError."""
        catalog = await self._catalogs.of(_tenant(caller).organization)
        connector = catalog.by_domain(address) or catalog.get(address.strip().lower())
        if connector is None:
            raise NotFound(
                "No app that is known here has this address.", hint="membrane search WORDS --json"
            )
        return await self.create(caller, Wanted(connector.key, name=name), now)

    async def connect(self, caller: Caller, id_or_key: str, now: datetime) -> Connection:
        """Let a connection in, in place: at once where no person is needed, else by a page."""
        tenant = _tenant(caller)
        one = await self.get(tenant, id_or_key)
        if one.option.type == "this-server" and caller.actor is not None:
            scope = Scope(EVERY_CLASS, offline=True, full=True)
            tokens = await issue_grant(self._database, caller.actor, GATEWAY, scope, now)
            held = {"access": tokens.access_token, "refresh": tokens.refresh_token or ""}
            before = await self._held(tenant, one)
            await self._keep(tenant, one, held, now + LIFETIME, now)
            await self._revoke(before)
            return await self.get(tenant, one.id)
        ticket = new_secret() + new_secret()
        async with tenant_rows(self._database, tenant) as rows:
            await rows.execute(
                "update gateway_connection set ticket = $4, ticket_until = $5"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
                _hash(ticket),
                now + TICKET_LIFE,
            )
        organization = tenant.organization_id.replace("-", "")
        place = f"{organization}.{tenant.id}.{one.id}.{ticket}"
        return replace(one, ui_url=f"{self._public_url}/connect/{place}")

    async def enter(
        self, tenant: GatewayTenant, id: str, input: Mapping[str, Any], now: datetime
    ) -> Connection:
        """Give a connection what its app takes as proof, if it works; raises GatewayError.

        Nothing is kept of what does not.
        """
        one = await self.get(tenant, id)
        wrong = next(
            iter(jsonschema_rs.validator_for(one.option.input_schema).iter_errors(dict(input))),
            None,
        )
        if wrong is not None or one.option.type == "this-server":
            needed = ", ".join(one.option.input_schema["properties"]) or "nothing"
            raise InvalidRequest(f"This way in takes {needed}.", option=one.option.key)
        held = {name: str(value) for name, value in input.items()}
        answer = await self._send(one, held, _test_request(one.connector))
        if not one.connector.is_good(answer):
            told = one.connector.refusal(answer)
            raise InvalidRequest(f"{one.connector.name} does not take this {told}")
        await self._keep(tenant, one, held, None, now)
        return await self.get(tenant, one.id)

    async def by_ticket(self, text: str, now: datetime) -> tuple[GatewayTenant, Connection]:
        """For whom a page is, and which connection it lets in; raises NotFound."""
        missing = NotFound("This page is not there any more. Ask for a new one.")
        parts = text.split(".")
        if len(parts) != 4 or "\x00" in text:
            raise missing
        try:
            organization = Tenant(str(uuid.UUID(parts[0])))
            tenant = await tenant_by_id(self._database, organization, parts[1])
            one = await self.get(tenant, parts[2])
        except (NotFound, ValueError):
            raise missing from None
        async with tenant_rows(self._database, tenant) as rows:
            good = await rows.value(
                "select 1 from gateway_connection where organization_id = $1 and tenant_id = $2"
                " and id = $3 and ticket = $4 and ticket_until > $5",
                one.id,
                _hash(parts[3]),
                now,
            )
        if good is None:
            raise missing
        return tenant, one

    async def get(self, tenant: GatewayTenant, id_or_key: str) -> Connection:
        """One that is not archived; raises NotFound."""
        async with tenant_rows(self._database, tenant) as rows:
            found = await rows.rows(
                f"{_SELECT} and (c.id = $3 or c.key = $3) and c.archived_at is null"
                " order by c.id = $3 desc limit 1",
                id_or_key.replace("\x00", ""),
            )
        if not found:
            raise NotFound(
                f"No connection is called {id_or_key[:100]}.",
                hint="membrane connection list --json",
            )
        one = _connection(await self._catalogs.of(tenant.organization), found[0])
        if one is None:
            raise ConfigurationError(
                "The connector of this connection was removed.", connectionId=id_or_key[:100]
            )
        return one

    async def wait(self, tenant: GatewayTenant, id_or_key: str, seconds: int) -> Connection:
        """The connection once it is ready, or as it is after so many seconds."""
        ends = time.monotonic() + seconds
        while True:
            one = await self.get(tenant, id_or_key)
            if one.is_ready or time.monotonic() >= ends:
                return one
            await asyncio.sleep(_POLL)

    async def options(self, tenant: GatewayTenant, app: str) -> tuple[AuthOption, ...]:
        """The ways into an app; raises NotFound."""
        return _connector(await self._catalogs.of(tenant.organization), app).offered

    async def of_tenant(self, tenant: GatewayTenant) -> list[Connection]:
        """All that are not archived, up to a thousand."""
        return (await self.find(tenant, limit=1000)).items

    async def find(
        self,
        tenant: GatewayTenant,
        *,
        connector: str | None = None,
        search: str = "",
        limit: int = 100,
        cursor: str | None = None,
    ) -> ConnectionPage:
        """The connections that fit, the oldest first; raises InvalidRequest."""
        at, id = read_cursor(cursor) or (None, "")
        catalog = await self._catalogs.of(tenant.organization)
        known = catalog.get(connector) if connector else None
        async with tenant_rows(self._database, tenant) as rows:
            found = await rows.rows(
                f"{_SELECT} and c.archived_at is null"
                " and ($3::text is null or c.connector_key = $3)"
                " and ($4 = '' or strpos(lower(c.name), lower($4)) > 0)"
                " and ($5::timestamptz is null or (c.created_at, c.id) > ($5, $6))"
                " order by c.created_at, c.id limit $7",
                known.key if known else connector,
                search,
                at,
                id,
                limit + 1,
            )
        read = [_connection(catalog, row) for row in found[:limit]]
        items = [one for one in read if one is not None]
        return ConnectionPage(items, cursor_after(items, more=len(found) > limit))

    async def patch(
        self, tenant: GatewayTenant, id_or_key: str, change: Mapping[str, Any], now: datetime
    ) -> Connection:
        """Change the name or the key of a connection; raises GatewayError."""
        one = await self.get(tenant, id_or_key)
        if unknown := sorted(set(change) - {"name", "key"}):
            raise InvalidRequest(f"{unknown[0]} cannot be changed; name and key can.")
        name = _checked(change["name"], "name") if "name" in change else one.name
        key = _checked(change["key"], "key") if "key" in change else one.key
        async with tenant_rows(self._database, tenant) as rows:
            await self._check_key(rows, key, one.id)
            await rows.execute(
                "update gateway_connection set name = $4, key = $5, updated_at = $6"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
                name or one.connector.name,
                key,
                now,
            )
        return await self.get(tenant, one.id)

    async def archive(self, tenant: GatewayTenant, id_or_key: str, now: datetime) -> None:
        """End a connection: what it holds is erased, and revoked where it came from."""
        one = await self.get(tenant, id_or_key)
        held = await self._held(tenant, one)
        async with tenant_rows(self._database, tenant) as rows:
            await rows.execute(
                "update gateway_connection set secrets = null, ticket = null, archived_at = $4,"
                " updated_at = $4, state = 'CLIENT_ACTION_REQUIRED'"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
                now,
            )
        await self._revoke(held)

    async def test(self, tenant: GatewayTenant, id_or_key: str) -> bool:
        """Whether the app answers well with what the connection holds."""
        one = await self.get(tenant, id_or_key)
        if not one.is_ready:
            return False
        try:
            answer = await self.api(tenant, one, EVERY_CLASS)(_test_request(one.connector))
            return one.connector.is_good(answer)
        except ConnectionDefunct:
            return False

    async def renew(self, tenant: GatewayTenant, id_or_key: str) -> None:
        """Renew what a connection holds before its time; raises ConnectionDefunct.

        What a person typed cannot be renewed, and stays.
        """
        one = await self.get(tenant, id_or_key)
        held = await self._held(tenant, one)
        if one.option.type == "this-server":
            await self._fresh(tenant, one, spent=held)

    def api(
        self, tenant: GatewayTenant, connection: Connection, operations: frozenset[OperationClass]
    ) -> Api:
        """The app, as this connection is let in, for these operations alone: whoever asks may have
        allowed less than who connected. What is over is renewed, once for each request.

        Raises AccessDenied, and ConnectionDefunct where a person has to connect anew.
        """

        async def call(request: ApiRequest) -> ApiAnswer:
            one = await self.get(tenant, connection.id)
            _check_class(one, request, operations)
            held = await self._fresh(tenant, one, spent=None)
            answer = await self._send(one, await self._within(one, held, operations), request)
            if answer.status == 401 and one.option.type == "this-server":
                held = await self._fresh(tenant, one, spent=held)
                one = await self.get(tenant, connection.id)
                answer = await self._send(one, await self._within(one, held, operations), request)
            return answer

        return call

    async def _within(
        self,
        one: Connection,
        held: Mapping[str, str],
        operations: frozenset[OperationClass],
    ) -> Mapping[str, str]:
        """What is shown to this server for these operations: a token for them, made once."""
        if operations == EVERY_CLASS or one.option.type != "this-server":
            return held
        known = (one.id, one.version, operations)
        token = self._narrowed.get(known)
        if token is None:
            try:
                token = await narrow_token(
                    self._database, held["access"], operations, datetime.now(UTC)
                )
            except OAuthError:
                return {**held, "access": ""}  # refused by the server, as what it stands for is
            self._narrowed[known] = token
            if len(self._narrowed) > _REMEMBERED:
                self._narrowed.popitem(last=False)
        return {**held, "access": token}

    async def _entered(
        self, tenant: GatewayTenant, id: str, input: Mapping[str, Any], now: datetime
    ) -> Connection:
        """A new connection with what was sent along; none is left where that does not work."""
        try:
            return await self.enter(tenant, id, input, now)
        except GatewayError:
            async with tenant_rows(self._database, tenant) as rows:
                await rows.execute(
                    "delete from gateway_connection where organization_id = $1 and tenant_id = $2"
                    " and id = $3",
                    id,
                )
            raise

    async def _fresh(
        self, tenant: GatewayTenant, one: Connection, spent: Mapping[str, str] | None
    ) -> Mapping[str, str]:
        """What the connection holds, renewed where its time is nearly over or it was `spent`.

        Many may renew at once: who comes second is given what the first one was.
        """
        now = datetime.now(UTC)
        held = await self._held(tenant, one)
        if held is None:
            raise _defunct(one)
        over = one.expires_at is not None and one.expires_at - _MARGIN < now
        if not over and (spent is None or held != spent):
            return held
        try:
            tokens = await refresh_grant(self._database, GATEWAY, held["refresh"], "", now)
        except OAuthError as error:
            await self._lose(tenant, one, error.description, now)
            raise _defunct(one) from None
        renewed = {"access": tokens.access_token, "refresh": tokens.refresh_token or ""}
        await self._keep(tenant, one, renewed, now + LIFETIME, now)
        return renewed

    async def _send(
        self, one: Connection, held: Mapping[str, str], request: ApiRequest
    ) -> ApiAnswer:
        try:
            proof, in_query = one.option.placement.placed({"token": held.get("access", ""), **held})
        except NotSendable as error:
            raise InvalidRequest(str(error)) from None
        headers = tuple(
            (name, value)
            for name, value in request.headers
            if name.lower() not in ("authorization", "cookie", "host")
        )
        path, mark, query = request.path.partition("?")
        path = _below(path, one.option.base_url)
        if one.connector.trailing_slash and not path.endswith("/"):
            path += "/"
        asked = ApiRequest(
            request.method,
            path + mark + query,
            (*request.query, *in_query),
            (*headers, *proof),
            request.body,
        )
        if one.option.here:
            return await call_this_server(self._app(), one.option.base_url, asked)
        wanted = one.connector.class_of(request.method, path)
        reads = request.method == "GET" and wanted is OperationClass.READ
        return await self._sender.send(one.id, one.option.base_url, asked, reads=reads)

    async def _held(self, tenant: GatewayTenant, one: Connection) -> Mapping[str, str] | None:
        async with tenant_rows(self._database, tenant) as rows:
            found = await rows.rows(
                "select c.version, c.secrets from gateway_connection c"
                " where c.organization_id = $1 and c.tenant_id = $2 and c.id = $3",
                one.id,
            )
        version, sealed = found[0]
        if sealed is None:
            return None
        opened = self._vault.open(tenant, one.id, "secrets", version, sealed)
        return msgspec.json.decode(opened, type=dict[str, str])

    async def _keep(
        self,
        tenant: GatewayTenant,
        one: Connection,
        held: Mapping[str, str],
        expires_at: datetime | None,
        now: datetime,
    ) -> None:
        """Store what the connection holds, sealed for its next version."""
        async with tenant_rows(self._database, tenant) as rows:
            version = 1 + await rows.value(
                "select c.version from gateway_connection c where c.organization_id = $1"
                " and c.tenant_id = $2 and c.id = $3 for update",
                one.id,
            )
            sealed = self._vault.seal(tenant, one.id, "secrets", version, msgspec.json.encode(held))
            await rows.execute(
                "update gateway_connection set secrets = $4, version = $5, expires_at = $6,"
                " state = 'READY', reason = null, ticket = null, updated_at = $7"
                " where organization_id = $1 and tenant_id = $2 and id = $3",
                one.id,
                sealed,
                version,
                expires_at,
                now,
            )

    async def _lose(
        self, tenant: GatewayTenant, one: Connection, reason: str, now: datetime
    ) -> None:
        """Note that a person is needed again, unless somebody was quicker to connect anew."""
        async with tenant_rows(self._database, tenant) as rows:
            await rows.execute(
                "update gateway_connection set state = 'CLIENT_ACTION_REQUIRED', reason = $5,"
                " updated_at = $6 where organization_id = $1 and tenant_id = $2 and id = $3"
                " and version = $4",
                one.id,
                one.version,
                reason,
                now,
            )

    async def _revoke(self, held: Mapping[str, str] | None) -> None:
        if held is not None and held.get("refresh"):
            await revoke_token(self._database, GATEWAY, held["refresh"])

    async def _check_key(self, rows: TenantRows, key: str | None, own: str | None) -> None:
        taken = await rows.value(
            "select 1 from gateway_connection where organization_id = $1 and tenant_id = $2"
            " and key = $3 and id is distinct from $4 and archived_at is null",
            key,
            own,
        )
        if taken is not None:
            raise AlreadyExists(f"Another connection has the key {key}.")

    def _option(self, caller: Caller, connector: Connector, wanted: Wanted) -> AuthOption:
        """The way in that is meant: one that takes what was sent, or that the caller can go."""
        if wanted.option is not None:
            option = connector.option(wanted.option)
            if option is None:
                known = ", ".join(one.key for one in connector.offered)
                raise InvalidRequest(f"{connector.name} has no such way in; there are {known}.")
            return option
        as_oneself = caller.actor is not None and wanted.input is None
        for option in connector.offered:
            if option.type != "this-server" or as_oneself:
                return option
        raise ConfigurationError(f"{connector.name} has no way in for this caller.")


_SELECT = (
    "select c.id, c.key, c.name, c.connector_key, c.option_key, c.state, c.reason, c.version,"
    " c.expires_at, c.created_at, c.updated_at, c.archived_at from gateway_connection c"
    " where c.organization_id = $1 and c.tenant_id = $2"
)


def _check_class(
    one: Connection, request: ApiRequest, operations: frozenset[OperationClass]
) -> None:
    """Raise AccessDenied for a request that these operations do not cover."""
    method = request.method
    for name, value in request.headers:
        if name.lower() == "x-http-method-override":
            method = value.strip().upper()
    path = _below(request.path.partition("?")[0], one.option.base_url)
    wanted = one.connector.class_of(method, path)
    if wanted not in operations:
        raise AccessDenied(
            f"Your login does not cover this: it is {wanted}.",
            hint="Log in again and allow it: membrane login --tenant",
        )


def _below(path: str, base_url: str) -> str:
    """The path below the base address, whose own path may stand before it.

    Raises InvalidRequest.
    """
    base = urlsplit(base_url).path.rstrip("/")
    if path.startswith(f"{base}/"):
        path = path.removeprefix(base)
    decoded = unquote(path)
    if ".." in decoded.split("/") or "\\" in decoded or path.startswith("//"):
        raise InvalidRequest("The path goes out of the app's base address.", field="path")
    return path


def _test_request(connector: Connector) -> ApiRequest:
    test = connector.test
    return ApiRequest("GET", "/") if test is None else ApiRequest(test.method, test.path)


def _connector(catalog: Catalog, app: str) -> Connector:
    connector = catalog.get(app)
    if connector is None:
        raise NotFound(
            "No app has this id or key.", hint="membrane search WORDS --elementType=connector"
        )
    return connector


def _connection(catalog: Catalog, row: Sequence[Any]) -> Connection | None:
    """A row as a connection; None where its connector was removed."""
    id, key, name, connector_key, option_key, *rest = row
    connector = catalog.get(connector_key)
    option = connector.option(option_key) if connector is not None else None
    if connector is None or option is None:
        return None
    return Connection(id, key, name, connector, option, *rest)


def _tenant(caller: Caller) -> GatewayTenant:
    if caller.tenant is None:
        raise AccessDenied("This is a tenant's own: the token has to name one (tenantKey).")
    return caller.tenant


def _defunct(one: Connection) -> ConnectionDefunct:
    return ConnectionDefunct(
        f"The connection to {one.connector.name} does not hold any more.",
        hint=f"membrane connect --connectionId={one.id}",
        connectionId=one.id,
    )


def _checked(text: Any, what: str) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str) or not 1 <= len(text) <= _LONGEST_NAME or not text.isprintable():
        raise InvalidRequest(f"{what} has 1 to {_LONGEST_NAME} printable characters.")
    return text


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
