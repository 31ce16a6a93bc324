"""`/actions` and `/act`: finding actions by what is wanted, running and saving them.

An action is at `/actions/{id or key}`, at `/action?key=` as the SDK asks for one of several
layers, and below its connection, where a run takes its input without the envelope.
"""

from collections.abc import Iterable
from typing import Any

from clinch.gateway.actions.action import Action
from clinch.gateway.errors import InvalidRequest
from clinch.gateway.running.actions import Actions, Options, Ran
from clinch.gateway.running.finding import Finder, Found, Scope
from clinch.gateway.running.saved_actions import SavedAction
from clinch.gateway.running.saving import Saving, written
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer

_MOST_VALUES = 10
# What is told of an action, and may come back with a change that somebody makes to it.
_READ_ONLY = ("id", "state", "operationClass", "connectionIds", "createdAt", "updatedAt")
_ONCE = b"idempotency-key"
_SCOPES = (
    *("connectionId", "connectionKey", "integrationId", "integrationKey", "externalAppId"),
    *("connectorId", "connectorKey"),
)
_ACT = frozenset(("id", "key", "api", "code", "input", "meta", *_SCOPES))


def action_routes(finder: Finder, actions: Actions, saving: Saving) -> list[GatewayRoute]:
    async def listed(exchange: Exchange) -> Answer:
        return await _page(exchange, _scope(exchange))

    async def of_connection(exchange: Exchange) -> Answer:
        return await _page(exchange, Scope(connection=exchange.arguments[0]))

    async def _page(exchange: Exchange, scope: Scope) -> Answer:
        intent = exchange.value("intent") or exchange.value("search") or ""
        limit, skip = exchange.limit(10), _skip(exchange)
        found = await finder.find(exchange.tenant, scope, intent, limit + 1, skip)
        items = [_brief(one) for one in found[:limit]]
        more = {"cursor": str(skip + limit)} if len(found) > limit else {}
        hint = {} if items else {"hint": "Say it in other words, or send a raw request."}
        return json_answer({"items": items, **more, **hint})

    async def one(exchange: Exchange) -> Answer:
        scope, key = _named(exchange)
        return json_answer(_whole(await finder.get(exchange.tenant, scope, key)))

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
        if sent.get("code") is not None:
            raise InvalidRequest("No code of others is run here: send a request, as api.")
        named = [name for name in ("key", "id", "api") if sent.get(name) not in (None, "")]
        if len(named) != 1:
            raise InvalidRequest("Say what to do: one of key, id and api.")
        what, input, caller = sent[named[0]], _input(sent), exchange.caller
        options = Options(exchange.flag("dryRun"), _once(exchange), sent.get("meta"))
        scope = _scope_in(sent)
        if named == ["api"]:
            return _told(await actions.send(caller, scope, what, input, options))
        if not isinstance(what, str):
            raise InvalidRequest(f"{named[0]} is a text.")
        return _told(await actions.run(caller, scope, what, input, options))

    async def create(exchange: Exchange) -> Answer:
        sent = await exchange.document()
        scope = _scope_in(sent, exchange.query)
        return await _create(exchange, scope, sent)

    async def create_for_connection(exchange: Exchange) -> Answer:
        sent = await exchange.document()
        return await _create(exchange, Scope(connection=exchange.arguments[0]), sent)

    async def _create(exchange: Exchange, scope: Scope, sent: dict[str, Any]) -> Answer:
        definition = _without_scope(sent)
        return json_answer(
            _whole(await saving.create(exchange.caller, scope, definition, exchange.now))
        )

    async def change(exchange: Exchange) -> Answer:
        return await _change(exchange, whole=False)

    async def replace(exchange: Exchange) -> Answer:
        return await _change(exchange, whole=True)

    async def _change(exchange: Exchange, *, whole: bool) -> Answer:
        scope, key = _named(exchange)
        sent = await exchange.document()
        definition = {
            name: value for name, value in _without_scope(sent).items() if name not in _READ_ONLY
        }
        changed = await saving.change(
            exchange.caller, scope, key, definition, exchange.now, whole=whole
        )
        return json_answer(_whole(changed))

    async def remove(exchange: Exchange) -> Answer:
        scope, key = _named(exchange)
        await saving.remove(exchange.caller, scope, key)
        return Answer()

    return [
        GatewayRoute("GET", "actions", listed),
        GatewayRoute("POST", "actions", create),
        GatewayRoute("GET", "connections/{}/actions", of_connection),
        GatewayRoute("POST", "connections/{}/actions", create_for_connection),
        *(
            GatewayRoute(method, path, handler)
            for path in ("actions/{}", "action", "connections/{}/actions/{}")
            for method, handler in (
                ("GET", one),
                ("PATCH", change),
                ("PUT", replace),
                ("DELETE", remove),
            )
        ),
        GatewayRoute("POST", "actions/{}/run", run),
        GatewayRoute("POST", "action/run", run),
        GatewayRoute("POST", "act", act),
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
    app = next((texts[name] for name in _SCOPES[2:] if texts.get(name)), None)
    return Scope(connection, app)


def _scope_in(sent: dict[str, Any], query: Iterable[tuple[str, str]] = ()) -> Scope:
    """The scope that a body names, else the query; raises InvalidRequest for what is no text."""
    for name in _SCOPES:
        if not isinstance(sent.get(name), str | None):
            raise InvalidRequest(f"{name} is a text.", field=name)
    return _scope_of(dict(query) | {name: sent[name] for name in _SCOPES if sent.get(name)})


def _without_scope(sent: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sent.items() if name not in _SCOPES}


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
        "id": found.id,
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
    told = _brief(found) | {
        "type": "api-request" if isinstance(action, Action) else "connector-operation",
        "state": "READY",
        "inputSchema": action.input_schema,
        "outputSchema": action.output_schema,
    }
    if isinstance(action, SavedAction):
        times = {"createdAt": action.created_at, "updatedAt": action.updated_at}
        told |= written(action) | times
    return told
