"""`POST /connectors`: making an app's document a connector, for who manages the workspace."""

from typing import Any

import msgspec

from clinch.gateway.connectors.clients import OAuthClients
from clinch.gateway.connectors.fetching import fetch_document
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.connectors.importing import Wanted
from clinch.gateway.errors import InvalidRequest
from clinch.outbound.http import Client
from clinch.resources.actor import OperationClass
from clinch.server.gateway.apps import option_shown, shown
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer

_MEMBERS = ("url", "document", "key", "name", "domains", "baseUrl")


def import_routes(
    imported: ImportedConnectors, client: Client, clients: OAuthClients
) -> list[GatewayRoute]:
    async def add(exchange: Exchange) -> Answer:
        exchange.need_manager(OperationClass.WRITE)
        sent = await exchange.document()
        wanted = _wanted(sent)
        text = _document(sent)
        if text is None:
            text = await fetch_document(client, wanted.found_at)
        made = await imported.add(exchange.caller.organization, text, wanted, exchange.now)
        options = [option_shown(option) for option in clients.offered(made.connector)]
        return json_answer(shown(made.connector) | {"options": options, "skipped": made.skipped})

    async def remove(exchange: Exchange) -> Answer:
        exchange.need_manager(OperationClass.DESTRUCTIVE)
        await imported.remove(exchange.caller.organization, exchange.arguments[0])
        return Answer()

    return [
        GatewayRoute("POST", "connectors", add),
        GatewayRoute("DELETE", "connectors/{}", remove),
    ]


def _wanted(sent: dict[str, Any]) -> Wanted:
    if unknown := sorted(set(sent) - set(_MEMBERS)):
        raise InvalidRequest(f"{unknown[0]} is not known here.", known=list(_MEMBERS))
    if (sent.get("url") is None) == (sent.get("document") is None):
        raise InvalidRequest("Say one of url and document.")
    for name in ("url", "key", "name", "baseUrl"):
        if not isinstance(sent.get(name), str | None):
            raise InvalidRequest(f"{name} is a text.", field=name)
    domains = sent.get("domains") or []
    if not isinstance(domains, list) or not all(isinstance(one, str) for one in domains):
        raise InvalidRequest("domains is a list of texts.", field="domains")
    found_at = sent.get("url") or ""
    return Wanted(sent.get("key"), sent.get("name"), tuple(domains), sent.get("baseUrl"), found_at)


def _document(sent: dict[str, Any]) -> bytes | None:
    """The document that was sent along, an object or a text; None where its address was."""
    document = sent.get("document")
    if document is None:
        return None
    if isinstance(document, str):
        return document.encode()
    return msgspec.json.encode(document)
