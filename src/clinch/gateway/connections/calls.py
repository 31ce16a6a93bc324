"""Calls of an app by a connection: within what the caller may do, and with what the app takes."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from clinch.db.database import Database
from clinch.gateway.api import Api, ApiAnswer, ApiRequest, below
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.credentials import Credentials, Version
from clinch.gateway.connections.records import Connections
from clinch.gateway.connections.renewal import Renewal
from clinch.gateway.connections.sending import Sender
from clinch.gateway.connections.this_server import Asgi, call_this_server
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.placement import NotSendable
from clinch.gateway.errors import (
    AccessDenied,
    ConnectionDefunct,
    ConnectionFailed,
    InvalidRequest,
)
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.identity.oauth.errors import OAuthError
from clinch.identity.oauth.grants import narrow_token
from clinch.outbound.http import Arriving, Client, Unreachable
from clinch.resources.actor import EVERY_CLASS, OperationClass

_REMEMBERED = 10_000
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Calls:
    """Calls by all connections. `app` is this server as an ASGI application; `client` leads to all
    others."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        credentials: Credentials,
        renewal: Renewal,
        app: Callable[[], Asgi],
        client: Client,
    ) -> None:
        self._database, self._connections = database, connections
        self._credentials, self._renewal = credentials, renewal
        self._app, self._sender = app, Sender(client)
        self._narrowed: OrderedDict[tuple[str, int, frozenset[OperationClass]], str] = OrderedDict()
        # The versions that an app refuses though they were new: to renew them helps nothing.
        self._refused: OrderedDict[str, int] = OrderedDict()

    def api(
        self, tenant: GatewayTenant, connection: Connection, operations: frozenset[OperationClass]
    ) -> Api:
        """The app, as this connection is let in, for these operations alone: whoever asks may have
        allowed less than who connected. What is over is renewed, once for each request.

        Raises AccessDenied, and ConnectionDefunct where a person has to connect anew.
        """

        async def call(request: ApiRequest) -> ApiAnswer:
            return await _whole(await self.open(tenant, connection.id, operations, request))

        return call

    async def open(
        self,
        tenant: GatewayTenant,
        id_or_key: str,
        operations: frozenset[OperationClass],
        request: ApiRequest,
    ) -> Arriving:
        """The same for one request, with the answer as soon as it begins.

        What was renewed because the app refused it is shown at once, unless the request can be sent
        only once.
        """
        one, sealed = await self._connections.with_sealed(tenant, id_or_key)
        _check_class(one, request, operations)
        held = self._credentials.opened(tenant, one.id, sealed)
        if held is None or held.held.is_due(datetime.now(UTC)):
            held = await self._renewal.fresh(tenant, one)
        answer = await self._shown(one, held, operations, request)
        if answer.status != 401 or self._refused.get(one.id) == held.number:
            return answer
        try:
            renewed = await self._renewal.fresh(tenant, one, held.number)
        except BaseException:
            answer.close()
            raise
        if renewed.number == held.number or request.rest is not None:
            return answer
        answer.close()
        answer = await self._shown(one, renewed, operations, request)
        if answer.status == 401:
            _remember(self._refused, one.id, renewed.number)
        return answer

    async def works(self, tenant: GatewayTenant, one: Connection) -> bool:
        """Whether the app answers well with what the connection holds."""
        if not one.is_ready:
            return False
        try:
            answer = await self.api(tenant, one, EVERY_CLASS)(_test_request(one.connector))
        except ConnectionDefunct:
            return False
        return one.connector.lets_in(answer)

    async def try_out(self, one: Connection, values: Mapping[str, str]) -> ApiAnswer:
        """What the app answers to its test with these values, which are kept nowhere yet."""
        return await _whole(await self._send(one, values, _test_request(one.connector)))

    async def _shown(
        self,
        one: Connection,
        held: Version,
        operations: frozenset[OperationClass],
        request: ApiRequest,
    ) -> Arriving:
        return await self._send(one, await self._within(one, held, operations), request)

    async def _within(
        self, one: Connection, held: Version, operations: frozenset[OperationClass]
    ) -> Mapping[str, str]:
        """What is shown to this server for these operations: a token for them, made once."""
        values = held.held.values
        if operations == EVERY_CLASS or one.option.type != "this-server":
            return values
        known = (one.id, held.number, operations)
        token = self._narrowed.get(known)
        if token is None:
            try:
                token = await narrow_token(
                    self._database, values["access"], operations, datetime.now(UTC)
                )
            except OAuthError:
                return {**values, "access": ""}  # refused by the server, as what it stands for is
            _remember(self._narrowed, known, token)
        return {**values, "access": token}

    async def _send(
        self, one: Connection, values: Mapping[str, str], request: ApiRequest
    ) -> Arriving:
        try:
            shown = {"token": values.get("access", ""), **values}
            proof, in_query = one.option.placement.placed(shown)
        except NotSendable as error:
            raise InvalidRequest(str(error)) from None
        headers = tuple(
            (name, value)
            for name, value in request.headers
            if name.lower() not in ("authorization", "cookie", "host")
        )
        path, mark, query = request.path.partition("?")
        path = below(path, one.option.base_url)
        if one.connector.trailing_slash and not path.endswith("/"):
            path += "/"
        asked = replace(
            request,
            path=path + mark + query,
            query=(*request.query, *in_query),
            headers=(*headers, *proof),
        )
        if one.option.here:
            return await call_this_server(self._app(), one.option.base_url, asked)
        wanted = one.connector.class_of(request.method, path)
        reads = request.method == "GET" and wanted is OperationClass.READ and request.rest is None
        return await self._sender.send(one.id, one.option.base_url, asked, reads=reads)


async def _whole(answer: Arriving) -> ApiAnswer:
    try:
        taken = await answer.whole()
    except Unreachable as failure:
        raise ConnectionFailed(f"The app gave no whole answer. {failure}", sent=True) from None
    return ApiAnswer(taken.status, taken.headers, taken.body)


def _check_class(
    one: Connection, request: ApiRequest, operations: frozenset[OperationClass]
) -> None:
    """Raise AccessDenied for a request that these operations do not cover."""
    method = request.method
    for name, value in request.headers:
        if name.lower() == "x-http-method-override":
            method = value.strip().upper()
    path = below(request.path.partition("?")[0], one.option.base_url)
    wanted = one.connector.class_of(method, path)
    if wanted not in operations:
        raise AccessDenied(
            f"Your login does not cover this: it is {wanted}.",
            hint="Log in again and allow it: membrane login --tenant",
        )


def _test_request(connector: Connector) -> ApiRequest:
    test = connector.test
    return ApiRequest("GET", "/") if test is None else ApiRequest(test.method, test.path)


def _remember(memory: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
