"""`/connection-requests`: asking for an app to be connected, and what became of it."""

from typing import Any

from clinch.db.database import Database
from clinch.db.ids import new_id
from clinch.gateway.connections.connection import Wanted
from clinch.gateway.connections.lifecycle import Lifecycle
from clinch.gateway.connections.requests import (
    ConnectionRequest,
    connection_request,
    request_connection,
)
from clinch.gateway.connections.sessions import PREFIX, ConnectSession, read_session
from clinch.gateway.errors import InvalidRequest
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.server.gateway.connections import wanted_in
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer


def connection_request_routes(database: Database, lifecycle: Lifecycle) -> list[GatewayRoute]:
    async def create(exchange: Exchange) -> Answer:
        tenant, now = exchange.tenant, exchange.now
        sent = await exchange.document()
        session = _session(sent)
        made = await request_connection(
            database, lifecycle, exchange.caller, tenant, _wanted(sent), now, session
        )
        return json_answer(shown(made, tenant))

    async def one(exchange: Exchange) -> Answer:
        tenant, [id] = exchange.tenant, exchange.arguments
        return json_answer(
            shown(await connection_request(database, tenant, id, exchange.now), tenant)
        )

    return [
        GatewayRoute("POST", "connection-requests", create),
        GatewayRoute("GET", "connection-requests/{}", one),
    ]


def shown(one: ConnectionRequest, tenant: GatewayTenant) -> dict[str, Any]:
    """A request as the REST API has it."""
    told: dict[str, Any] = {
        "id": one.id,
        "requestId": one.id,
        "tenantId": tenant.id,
        "connectorKey": one.connector_key,
        "name": one.name,
        "status": one.status,
        "createdAt": one.created_at,
    }
    if one.url is not None:
        told["url"] = one.url
    if one.status == "success":
        told["resultConnectionId"] = one.connection_id
    if one.error is not None:
        told["resultError"] = {"message": one.error}
    return told


def _session(sent: dict[str, Any]) -> ConnectSession | None:
    """Where the page leads in the end, if anywhere; raises InvalidRequest."""
    redirect_uri = sent.get("redirectUri")
    return None if redirect_uri is None else read_session(new_id(PREFIX), None, redirect_uri)


def _wanted(sent: dict[str, Any]) -> Wanted | str:
    """The app that is asked for, or the connection to be connected anew; raises InvalidRequest."""
    again = sent.get("connectionId")
    if again is None:
        return wanted_in(sent)
    if not isinstance(again, str):
        raise InvalidRequest("connectionId is a text.", field="connectionId")
    return again
