"""Saving actions: what is kept is what can run; all else is refused, and leaves nothing."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jsonschema_rs

from clinch.gateway.api import below
from clinch.gateway.connectors.connector import Connector, Schema
from clinch.gateway.errors import AccessDenied, AlreadyExists, InvalidRequest
from clinch.gateway.running.finding import Finder, Found, Scope
from clinch.gateway.running.saved_actions import Definition, SavedAction, SavedActions
from clinch.gateway.running.templates import Place, Template, read_template
from clinch.gateway.tenancy.access import Caller
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.resources.actor import OperationClass

TYPE = "api-request-to-external-app"
FORM = '--config=\'{"request": {"method": "GET", "path": "/things/{id}"}}\''

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LONGEST_NAME, _LONGEST_DESCRIPTION = 100, 500
_DEEPEST = 30
_SUGGESTED = 3
_MEMBERS = (
    *("key", "name", "description", "type", "config", "inputSchema", "outputSchema", "intent"),
)


class Saving:
    """What tenants do with actions of their own."""

    def __init__(self, finder: Finder, saved: SavedActions) -> None:
        self._finder, self._saved = finder, saved

    async def create(
        self, caller: Caller, scope: Scope, sent: Mapping[str, Any], now: datetime
    ) -> Found:
        """Save an action for a connection, or for an app; raises GatewayError."""
        tenant = _own(caller)
        if sent.get("intent") and "config" not in sent:
            raise await self._of_words(tenant, scope, sent["intent"])
        connection_id = None
        if scope.connector is not None and scope.connection is None:
            connector = await self._finder.connected(tenant, scope.connector)
            base_url = connector.base_url
        else:
            connection = await self._finder.connection(tenant, scope)
            connection_id, connector = connection.id, connection.connector
            base_url = connection.option.base_url
        definition = _definition(sent, connector, base_url)
        _check_class(caller, definition)
        key = await self._key(tenant, sent.get("key"))
        made = await self._saved.add(tenant, key, connector.key, connection_id, definition, now)
        return await self._finder.get(tenant, scope, made.id)

    async def change(
        self,
        caller: Caller,
        scope: Scope,
        key: str,
        sent: Mapping[str, Any],
        now: datetime,
        *,
        whole: bool,
    ) -> Found:
        """Change what is sent of a saved action, or with `whole` all of it; raises GatewayError."""
        tenant = _own(caller)
        one, found = await self._one(tenant, scope, key)
        _check_class(caller, one)
        told = dict(sent) if whole else {**written(one), **sent}
        base_url = found.connector.base_url
        if one.connection_id is not None:
            connection = await self._finder.connection(tenant, Scope(connection=one.connection_id))
            base_url = connection.option.base_url
        definition = _definition(told, found.connector, base_url)
        _check_class(caller, definition)
        own = told.get("key") or one.key
        if own != one.key:
            await self._key(tenant, own)
        await self._saved.put(tenant, one, own, definition, now)
        return await self._finder.get(tenant, scope, one.id)

    async def remove(self, caller: Caller, scope: Scope, key: str) -> None:
        """Remove a saved action for good; raises GatewayError."""
        tenant = _own(caller)
        one, _ = await self._one(tenant, scope, key)
        _check_class(caller, one)
        await self._saved.remove(tenant, one.id)

    async def _one(
        self, tenant: GatewayTenant, scope: Scope, key: str
    ) -> tuple[SavedAction, Found]:
        found = await self._finder.get(tenant, scope, key)
        if not isinstance(found.action, SavedAction):
            raise InvalidRequest(
                f"{key} comes with {found.connector.name} and stays as it is.",
                hint=f"Save one of your own: membrane action create --key=KEY {FORM}",
            )
        return found.action, found

    async def _key(self, tenant: GatewayTenant, key: Any) -> str | None:
        """A key that no other action has; raises GatewayError."""
        if key is None:
            return None
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise InvalidRequest(
                "key: has 1 to 100 letters, digits, dots, hyphens and underscores.", field="key"
            )
        if await self._finder.app_has(tenant, key):
            raise AlreadyExists(f"An action that comes with an app has the key {key}.", key=key)
        return key

    async def _of_words(self, tenant: GatewayTenant, scope: Scope, intent: Any) -> InvalidRequest:
        """Why an action is not made of an intent, and which ones there are that do it."""
        found = []
        if isinstance(intent, str):
            found = await self._finder.find(tenant, scope, intent, _SUGGESTED)
        ids = [one.id for one in found]
        there = f"These may do it already: {', '.join(ids)}. " if ids else ""
        return InvalidRequest(
            f"An action is made of a request, not of words alone. {there}",
            hint=f"membrane action run {ids[0]}, or: membrane action create {FORM}"
            if ids
            else f"membrane action create {FORM}",
            actions=ids,
        )


def written(one: SavedAction) -> dict[str, Any]:
    """What is sent to save an action, as it would be sent for this one."""
    return {
        "key": one.key,
        "name": one.name,
        "description": one.description,
        "type": TYPE,
        "config": {"request": one.template.written},
        "inputSchema": one.input_schema,
        "outputSchema": one.output_schema,
    }


def _own(caller: Caller) -> GatewayTenant:
    """The tenant whose actions are changed; raises AccessDenied."""
    if caller.tenant is None:
        raise AccessDenied(
            "Saved actions are a tenant's own; there are none for a whole workspace.",
            hint="Use a token that names a tenant (tenantKey).",
        )
    return caller.tenant


def _check_class(caller: Caller, definition: Definition) -> None:
    """Raise AccessDenied unless the caller may change things, and run this: by another's login it
    would do what this one does not allow."""
    needed = {OperationClass.WRITE, definition.operation_class} - caller.operations
    if needed:
        raise AccessDenied(
            f"Your login does not cover this: it needs {', '.join(sorted(needed))}.",
            hint="Log in again and allow it: membrane login --tenant",
        )


def _definition(sent: Mapping[str, Any], app: Connector, base_url: str) -> Definition:
    """What was sent, checked; raises InvalidRequest."""
    if unknown := sorted(set(sent) - set(_MEMBERS)):
        raise InvalidRequest(f"{unknown[0]} is not known here.", known=list(_MEMBERS))
    type = sent.get("type", TYPE)
    if type != TYPE:
        code = " No code of others is run here." if type == "run-javascript" else ""
        raise InvalidRequest(f"type: is {TYPE}; others do not run here.{code}", field="type")
    config = sent.get("config")
    if not isinstance(config, dict) or set(config) != {"request"}:
        raise InvalidRequest(
            'config: is {"request": {"method", "path", …}}, and nothing beside.',
            field="config",
            hint=f"membrane action create {FORM}",
        )
    template = read_template(config["request"], "config.request", base_url, app.proofs)
    name = _text(sent, "name", _LONGEST_NAME) or f"{template.method} {template.path}"
    description = _text(sent, "description", _LONGEST_DESCRIPTION)
    description = description or _text(sent, "intent", _LONGEST_DESCRIPTION)
    return Definition(
        name=name[:_LONGEST_NAME],
        description=description,
        template=template,
        operation_class=app.class_of(
            template.method, below(template.path.partition("?")[0], base_url)
        ),
        input_schema=_input_schema(sent.get("inputSchema"), template),
        output_schema=_schema(sent.get("outputSchema"), "outputSchema"),
    )


def _input_schema(sent: Any, template: Template) -> Schema:
    """The schema of what is put into the request; without one, of all that the request names."""
    if sent is None:
        names = dict.fromkeys(sorted(place[0] for place in template.places if place))
        needed = sorted({place[0] for place in template.places_in_path if place})
        schema: Schema = {"type": "object", "properties": {name: {} for name in names}}
        return schema | ({"required": needed} if needed else {})
    schema = _schema(sent, "inputSchema")
    if schema.setdefault("type", "object") != "object":
        raise InvalidRequest("inputSchema: describes an object.", field="inputSchema")
    schema.setdefault("properties", {})
    for place in sorted(template.places):
        if not _describes(schema, place):
            name = ".".join(place)
            raise InvalidRequest(
                f"inputSchema: the request uses {name}, which is not in it.",
                field="inputSchema",
                hint="Describe it there, or send null to have a schema made of the request.",
            )
    return schema


def _describes(schema: Any, place: Place) -> bool:
    """Whether a schema knows a place, or leaves open what is there."""
    for name in place:
        members = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(members, dict):
            return True
        if name not in members:
            return False
        schema = members[name]
    return True


def _schema(sent: Any, at: str) -> Schema:
    """A JSON Schema that stands by itself; an empty one where none was sent."""
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise InvalidRequest(f"{at}: is a JSON Schema.", field=at)
    schema: Schema = {name: value for name, value in sent.items() if name != "$schema"}
    _check_plain(schema, at)
    try:
        good = jsonschema_rs.meta.is_valid(schema)
        if good:
            # Patterns that can be tried one way after another would keep others waiting.
            jsonschema_rs.validator_for(schema, pattern_options=jsonschema_rs.RegexOptions())
    except (ValueError, jsonschema_rs.ValidationError):
        good = False
    if not good:
        raise InvalidRequest(f"{at}: is no JSON Schema that is read here.", field=at)
    return schema


def _check_plain(value: Any, at: str, depth: int = 0) -> None:
    """Raise InvalidRequest for what refers elsewhere, or is nested too deep."""
    if depth > _DEEPEST:
        raise InvalidRequest(f"{at}: is nested more than {_DEEPEST} deep.", field=at)
    names = value if isinstance(value, dict) else {}
    for name in ("$ref", "$dynamicRef", "$recursiveRef", "$schema"):
        if name in names:
            raise InvalidRequest(f"{at}: has no {name}; write out what it stands for.", field=at)
    for one in value if isinstance(value, list) else names.values():
        _check_plain(one, at, depth + 1)


def _text(sent: Mapping[str, Any], name: str, longest: int) -> str:
    text = sent.get(name)
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > longest or "\x00" in text:
        raise InvalidRequest(f"{name}: is a text of at most {longest} characters.", field=name)
    return text.strip()
