"""`/actions` and `/act`: finding actions by what is wanted, and running them.

An action is at `/actions/{id or key}`, at `/action?key=` as the SDK asks for one of several
layers, and below its connection, where a run takes its input without the envelope.
"""

from typing import Any

from clinch.gateway.actions.action import Action
from clinch.gateway.errors import InvalidRequest
from clinch.gateway.running import Actions, Found, Options, Ran, Scope
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer

_MOST_VALUES = 10
_ONCE = b"idempotency-key"
_SCOPES = ("connectionId", "connectionKey", "integrationId", "integrationKey")
_ACT = frozenset(("id", "key", "input", "meta", *_SCOPES))


def action_routes(actions: Actions) -> list[GatewayRoute]:
    async def listed(exchange: Exchange) -> Answer:
        return await _page(exchange, _scope(exchange))

    async def of_connection(exchange: Exchange) -> Answer:
        return await _page(exchange, Scope(connection=exchange.arguments[0]))

    async def _page(exchange: Exchange, scope: Scope) -> Answer:
        intent = exchange.value("intent") or exchange.value("search") or ""
        limit, skip = exchange.limit(10), _skip(exchange)
        found = await actions.find(exchange.tenant, scope, intent, limit + 1, skip)
        items = [_brief(one) for one in found[:limit]]
        more = {"cursor": str(skip + limit)} if len(found) > limit else {}
        hint = {} if items else {"hint": "Say it in other words, or send a raw request."}
        return json_answer({"items": items, **more, **hint})

    async def one(exchange: Exchange) -> Answer:
        scope, key = _named(exchange)
        return json_answer(_whole(await actions.get(exchange.tenant, scope, key)))

    async def run(exchange: Exchange) -> Answer:
        scope, key = _named(exchange)
        sent = await exchange.document()
        options = Options(exchange.flag("dryRun"), _once(exchange), sent.get("meta"))
        return _told(await actions.run(exchange.caller, scope, key, _input(sent), options))

    async def run_of_connection(exchange: Exchange) -> Answer:
        scope, key = _named(exchange)
        sent = await exchange.document()
        options = Options(exchange.flag("dryRun"), _once(exchange))
        return _told(await actions.run(exchange.caller, scope, key, sent, options))

    async def act(exchange: Exchange) -> Answer:
        sent = await exchange.document()
        if unknown := sorted(set(sent) - _ACT):
            raise InvalidRequest(f"{unknown[0]} is not known here.", known=sorted(_ACT))
        named = [sent[name] for name in ("key", "id") if sent.get(name)]
        if len(named) != 1 or not isinstance(named[0], str):
            raise InvalidRequest("Say which action: one of key and id.")
        texts = {name: value for name, value in sent.items() if isinstance(value, str)}
        options = Options(exchange.flag("dryRun"), _once(exchange), sent.get("meta"))
        scope = _scope_of(texts)
        return _told(await actions.run(exchange.caller, scope, named[0], _input(sent), options))

    return [
        GatewayRoute("GET", "actions", listed),
        GatewayRoute("GET", "actions/{}", one),
        GatewayRoute("POST", "actions/{}/run", run),
        GatewayRoute("GET", "action", one),
        GatewayRoute("POST", "action/run", run),
        GatewayRoute("POST", "act", act),
        GatewayRoute("GET", "connections/{}/actions", of_connection),
        GatewayRoute("GET", "connections/{}/actions/{}", one),
        GatewayRoute("POST", "connections/{}/actions/{}/run", run_of_connection),
    ]


def _named(exchange: Exchange) -> tuple[Scope, str]:
    """Which action is meant, and through what."""
    if len(exchange.arguments) == 2:
        connection, key = exchange.arguments
        return Scope(connection=connection), key
    if exchange.arguments:
        return _scope(exchange), exchange.arguments[0]
    key = exchange.value("key") or exchange.value("id") or ""
    if not key:
        raise InvalidRequest("Say which action: key or id.")
    return _scope(exchange), key


def _scope(exchange: Exchange) -> Scope:
    return _scope_of(dict(exchange.query))


def _scope_of(texts: dict[str, str]) -> Scope:
    """A connection before an app, an id before a key."""
    connection = texts.get("connectionId") or texts.get("connectionKey") or None
    app = texts.get("integrationId") or texts.get("integrationKey") or texts.get("externalAppId")
    return Scope(connection, app or None)


def _skip(exchange: Exchange) -> int:
    text = exchange.value("cursor") or "0"
    if not text.isdigit() or len(text) > 6:
        raise InvalidRequest("cursor is one that a page before this one told.")
    return int(text)


def _once(exchange: Exchange) -> str | None:
    key = exchange.headers.get(_ONCE, b"").decode("latin-1").strip()
    if len(key) > 200 or not key.isprintable():
        raise InvalidRequest("An Idempotency-Key has at most 200 printable characters.")
    return key or None


def _input(sent: dict[str, Any]) -> Any:
    input = sent.get("input", {})
    return {} if input is None else input


def _told(ran: Ran) -> Answer:
    told: dict[str, Any] = {"output": ran.output, "actionRunId": ran.id}
    if ran.warnings:
        told["warnings"] = ran.warnings
    if ran.untrusted:
        told["untrusted"] = ran.untrusted
    return json_answer(told)


def _brief(found: Found) -> dict[str, Any]:
    """An action among others: enough to choose and run it."""
    action = found.action
    told: dict[str, Any] = {
        "id": action.key,
        "key": action.key,
        "name": action.name,
        "description": action.description,
        "operationClass": action.operation_class,
        "connectorKey": found.connector.key,
    }
    if isinstance(action, Action):
        told["inputSchema"] = _outline(action.input_schema)
    if len(found.connection_ids) == 1:
        told["connectionId"] = found.connection_ids[0]
    elif found.connection_ids:
        told["connectionIds"] = found.connection_ids
    return told


def _outline(schema: dict[str, Any]) -> dict[str, Any]:
    """An input schema in short: the names and types of what it takes. The whole one is told of one
    action alone, so that a list of ten fits into a model's window."""
    properties = {name: _type_of(one) for name, one in schema["properties"].items()}
    told = {"type": "object", "properties": properties}
    return told | ({"required": schema["required"]} if schema.get("required") else {})


def _type_of(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema and len(schema["enum"]) <= _MOST_VALUES:
        return {"enum": schema["enum"]}
    return {"type": schema["type"]} if "type" in schema else {}


def _whole(found: Found) -> dict[str, Any]:
    action = found.action
    kind = "connector-operation" if not isinstance(action, Action) else "api-request"
    return _brief(found) | {
        "type": kind,
        "state": "READY",
        "inputSchema": action.input_schema,
        "outputSchema": action.output_schema,
    }
