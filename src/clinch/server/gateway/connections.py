"""`/connections`: letting apps in, and seeing and ending that."""

from typing import Any

from clinch.gateway.connections.assembly import ConnectionRoom
from clinch.gateway.connections.connection import Connection, Wanted
from clinch.gateway.errors import InvalidRequest
from clinch.server.gateway.apps import option_shown
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer

_LONGEST_WAIT = 60


def connection_routes(room: ConnectionRoom) -> list[GatewayRoute]:
    connections, lifecycle = room.connections, room.lifecycle

    async def listed(exchange: Exchange) -> Answer:
        app = exchange.value("integrationKey") or exchange.value("integrationId")
        page = await connections.find(
            exchange.tenant,
            connector=app or exchange.value("connectorId") or exchange.value("externalAppId"),
            search=exchange.value("search") or "",
            limit=exchange.limit(),
            cursor=exchange.value("cursor"),
        )
        items = [shown(one) for one in page.items]
        return json_answer({"items": items} | ({"cursor": page.cursor} if page.cursor else {}))

    async def create(exchange: Exchange) -> Answer:
        wanted = wanted_in(await exchange.document())
        return json_answer(shown(await lifecycle.create(exchange.caller, wanted, exchange.now)))

    async def ensure(exchange: Exchange) -> Answer:
        sent = await exchange.document()
        address = text_in(sent, "appUrl")
        if not address:
            raise InvalidRequest("appUrl is the app's web address.", field="appUrl")
        name = text_in(sent, "name")
        one = await lifecycle.ensure(exchange.caller, address, name, exchange.now)
        return json_answer(shown(one))

    async def one(exchange: Exchange) -> Answer:
        [id] = exchange.arguments
        if exchange.flag("wait"):
            seconds = exchange.number("timeout", 30, _LONGEST_WAIT)
            return json_answer(shown(await connections.wait(exchange.tenant, id, seconds)))
        return json_answer(shown(await connections.get(exchange.tenant, id)))

    async def patch(exchange: Exchange) -> Answer:
        [id] = exchange.arguments
        change = await exchange.document()
        if "connectionKey" in change:
            change["key"] = change.pop("connectionKey")
        for name in ("input", "credentials"):
            if isinstance(change.get(name), dict):
                found = await connections.get(exchange.tenant, id)
                given = change.pop(name)
                await room.entrance.enter(exchange.tenant, found.id, given, exchange.now)
        return json_answer(
            shown(await connections.patch(exchange.tenant, id, change, exchange.now))
        )

    async def archive(exchange: Exchange) -> Answer:
        await lifecycle.archive(exchange.tenant, exchange.arguments[0], exchange.now)
        return Answer()

    async def disconnect(exchange: Exchange) -> Answer:
        await lifecycle.disconnect(exchange.tenant, exchange.arguments[0], exchange.now)
        return Answer(status=204)

    async def restore(exchange: Exchange) -> Answer:
        [id] = exchange.arguments
        return json_answer(shown(await lifecycle.restore(exchange.tenant, id, exchange.now)))

    async def reconnect(exchange: Exchange) -> Answer:
        [id] = exchange.arguments
        return json_answer(shown(await lifecycle.connect(exchange.caller, id, exchange.now)))

    async def renew(exchange: Exchange) -> Answer:
        await lifecycle.renew(exchange.tenant, exchange.arguments[0])
        return Answer(status=204)

    async def test(exchange: Exchange) -> Answer:
        found = await connections.get(exchange.tenant, exchange.arguments[0])
        return json_answer({"success": await room.calls.works(exchange.tenant, found)})

    async def options(exchange: Exchange) -> Answer:
        sent = await exchange.document()
        again = text_in(sent, "connectionId")
        if again is None:
            app = wanted_in(sent).app
        else:
            app = (await connections.get(exchange.tenant, again)).connector_key
        found = await lifecycle.options(exchange.tenant, app)
        return json_answer([option_shown(one) for one in found])

    return [
        GatewayRoute("GET", "connections", listed),
        GatewayRoute("POST", "connections", create),
        GatewayRoute("POST", "connections/ensure", ensure),
        GatewayRoute("POST", "connection-options", options),
        GatewayRoute("GET", "connections/{}", one),
        GatewayRoute("PATCH", "connections/{}", patch),
        GatewayRoute("PUT", "connections/{}", patch),
        GatewayRoute("DELETE", "connections/{}", archive),
        GatewayRoute("POST", "connections/{}/disconnect", disconnect),
        GatewayRoute("POST", "connections/{}/restore", restore),
        GatewayRoute("POST", "connections/{}/reconnect", reconnect),
        GatewayRoute("POST", "connections/{}/test", test),
        GatewayRoute("POST", "connections/{}/refresh-credentials", renew),
    ]


def shown(one: Connection) -> dict[str, Any]:
    """A connection as the REST API has it."""
    told: dict[str, Any] = {
        "id": one.id,
        "connectionId": one.id,
        "name": one.name,
        "key": one.key,
        "state": one.state,
        "connected": one.is_ready,
        "disconnected": not one.is_ready,
        "connectorId": one.connector.id,
        "connectorKey": one.connector.key,
        "connectorName": one.connector.name,
        "integrationId": one.connector.id,
        "authOptionKey": one.option.key,
        "createdAt": one.created_at,
        "updatedAt": one.updated_at,
    }
    if one.reason is not None:
        told["error"] = {"message": one.reason}
    if not one.is_ready:
        told["clientAction"] = _client_action(one)
    return told


def _client_action(one: Connection) -> dict[str, Any]:
    """What a person has to do, for who can show them a page."""
    app = one.connector.name
    told: dict[str, Any] = {
        "type": "connect",
        "description": f"Let {app} be connected, on a page of this server.",
        "agentInstructions": (
            f"Show the person the address uiUrl and ask them to connect {app} there; they type what"
            f" is secret into that page, never to you. Then run: membrane connection get {one.id}"
            " --wait --json"
        ),
    }
    if one.ui_url is not None:
        return told | {"uiUrl": one.ui_url}
    again = f"membrane connect --connectionId={one.id} --json"
    told["agentInstructions"] = f"Run: {again}. It answers with the page to show to the person."
    return told


def wanted_in(sent: dict[str, Any]) -> Wanted:
    """What connection is asked for; raises InvalidRequest."""
    names = ("connectorId", "connectorKey", "integrationId", "integrationKey", "externalAppId")
    app = next((text for name in names if (text := text_in(sent, name))), None)
    if app is None:
        raise InvalidRequest("Which app? Say its connectorId or connectorKey.")
    input = sent.get("input", sent.get("credentials"))
    if input is not None and not isinstance(input, dict):
        raise InvalidRequest("input is an object.", field="input")
    return Wanted(
        app,
        text_in(sent, "authOptionKey"),
        text_in(sent, "name"),
        text_in(sent, "key") or text_in(sent, "connectionKey"),
        input,
        sent.get("allowMultipleConnections") is True,
    )


def text_in(sent: dict[str, Any], name: str) -> str | None:
    value = sent.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{name} is a text.", field=name)
    return value
