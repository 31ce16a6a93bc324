"""`/search`, `/connectors`, `/external-apps` and `/integrations`: the apps that can be connected.

An app, its connector and its integration are one here; the three names are those of three
generations of clients.
"""

from typing import Any

from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.connectors.clients import OAuthClients
from clinch.gateway.connectors.connector import AuthOption, Connector
from clinch.gateway.errors import InvalidRequest
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer


def app_routes(catalogs: Catalogs, clients: OAuthClients) -> list[GatewayRoute]:
    async def search(exchange: Exchange) -> Answer:
        text = exchange.value("q") or exchange.value("query") or ""
        kind = (exchange.value("elementType") or "connector").lower()
        if kind not in ("connector", "app", "integration"):
            raise InvalidRequest("elementType is connector: actions have a search of their own.")
        catalog = await catalogs.of(exchange.caller.organization)
        found = catalog.search(text, exchange.limit(10)) if text else []
        items = [{"elementType": kind, "element": shown(one)} for one in found]
        hint = {} if items else {"hint": f"No app is called {text[:100]!r}; try its web address."}
        return json_answer({"items": items, **hint})

    async def listed(exchange: Exchange) -> Answer:
        catalog = await catalogs.of(exchange.caller.organization)
        found = catalog.search(exchange.value("search") or "", exchange.limit())
        return json_answer({"items": [shown(one) for one in found]})

    async def one(exchange: Exchange) -> Answer:
        catalog = await catalogs.of(exchange.caller.organization)
        connector = catalog.named(exchange.arguments[0])
        options = [option_shown(option) for option in clients.offered(connector)]
        return json_answer(shown(connector) | {"options": options})

    return [
        GatewayRoute("GET", "search", search),
        *(
            route
            for noun in ("connectors", "external-apps", "integrations")
            for route in (
                GatewayRoute("GET", noun, listed),
                GatewayRoute("GET", f"{noun}/{{}}", one),
            )
        ),
    ]


def shown(connector: Connector) -> dict[str, Any]:
    """An app as it is listed."""
    return {
        "id": connector.id,
        "key": connector.key,
        "name": connector.name,
        "description": connector.description,
        "categories": connector.categories,
        "domains": connector.domains,
        "connectorId": connector.id,
        "operationsCount": len(connector.operations),
    }


def option_shown(option: AuthOption) -> dict[str, Any]:
    """A way in, as those see it who offer it to a person."""
    return {
        "key": option.key,
        "type": option.type,
        "title": option.title,
        "description": option.description,
        "inputSchema": option.input_schema,
    }
