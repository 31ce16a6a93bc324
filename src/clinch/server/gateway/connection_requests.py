"""`/connection-requests`: asking for a connection, and what became of it.

An earlier form of `/connections`. A connection exists as soon as it is asked for, so the request
is the connection itself, under the same id.
"""

from typing import Any

from clinch.gateway.connections import Connection, Connections
from clinch.gateway.tenants import GatewayTenant
from clinch.server.gateway.connections import wanted
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer


def connection_request_routes(connections: Connections) -> list[GatewayRoute]:
    async def create(exchange: Exchange) -> Answer:
        sent = await exchange.document()
        again = sent.get("connectionId")
        if isinstance(again, str) and again:
            one = await connections.connect(exchange.caller, again, exchange.now)
        else:
            one = await connections.create(exchange.caller, wanted(sent), exchange.now)
        return json_answer(_shown(exchange.tenant, one))

    async def get(exchange: Exchange) -> Answer:
        one = await connections.get(exchange.tenant, exchange.arguments[0])
        return json_answer(_shown(exchange.tenant, one))

    return [
        GatewayRoute("POST", "connection-requests", create),
        GatewayRoute("GET", "connection-requests/{}", get),
    ]


def _shown(tenant: GatewayTenant, one: Connection) -> dict[str, Any]:
    told: dict[str, Any] = {
        "requestId": one.id,
        "tenantId": tenant.id,
        "connectorId": one.connector.id,
        "connectionId": one.id,
        "name": one.name,
        "status": "success" if one.is_ready else "pending",
        "createdAt": one.created_at,
    }
    if one.is_ready:
        told["resultConnectionId"] = one.id
    if one.ui_url is not None:
        told["url"] = one.ui_url
    return told
