"""Finding actions for a tenant: those of the apps, and those that they saved."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clinch.gateway.actions.action import Action
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.records import Connections
from clinch.gateway.connectors import close
from clinch.gateway.connectors.catalog import Catalogs
from clinch.gateway.connectors.connector import Connector, Operation
from clinch.gateway.errors import InvalidRequest, NotFound
from clinch.gateway.intent.document import document_of
from clinch.gateway.intent.index import IntentIndex
from clinch.gateway.running.saved_actions import SavedAction, SavedActions
from clinch.gateway.tenancy.tenants import GatewayTenant

_MOST_INDEXES = 100

AnyAction = Action | Operation | SavedAction


@dataclass(frozen=True, slots=True)
class Scope:
    """Through what an action is found or run: a connection or an app, by id or key, or neither."""

    connection: str | None = None
    connector: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An action as it is told; `connection_ids` are those by which the tenant can run it."""

    action: AnyAction
    connector: Connector
    connection_ids: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.action.id if isinstance(self.action, SavedAction) else self.action.key


@dataclass(frozen=True, slots=True)
class _Index:
    """What an intent is looked up in, and the actions by the ids that they have there."""

    intents: IntentIndex
    actions: Mapping[str, tuple[Connector, AnyAction]]


class Finder:
    """The friendly actions of the app `close`, every operation of every app, and what tenants
    saved."""

    def __init__(
        self,
        catalogs: Catalogs,
        connections: Connections,
        friendly: Mapping[str, Action],
        saved: SavedActions,
    ) -> None:
        self._catalogs, self._connections = catalogs, connections
        self._friendly, self._saved = friendly, saved
        self._indexes: OrderedDict[tuple[object, ...], _Index] = OrderedDict()

    async def find(
        self, tenant: GatewayTenant, scope: Scope, intent: str, limit: int, skip: int = 0
    ) -> list[Found]:
        """The actions that do what the intent says, the best first; all of them without one.

        They are those of the apps that are connected, where no app is named. Raises GatewayError.
        """
        connectors, connected = await self._reach(tenant, scope)
        if scope == Scope():
            keys = {one.connector.key for one in connected}
            connectors = [one for one in connectors if one.key in keys] or connectors[:1]
        saved = [one for one in await self._saved.of(tenant) if _within(one, connected)]
        if intent:
            named = await self._search(connectors, saved, intent, skip + limit)
        else:
            named = [
                (connector, action)
                for connector in connectors
                for action in (*_saved_for(saved, connector), *self._of(connector))
            ]
        return [
            Found(action, connector, _ids(action, connector, connected))
            for connector, action in named[skip : skip + limit]
        ]

    async def get(self, tenant: GatewayTenant, scope: Scope, key: str) -> Found:
        """The action with a key or id; raises NotFound."""
        connectors, connected = await self._reach(tenant, scope)
        for connector in connectors:
            for action in self._of(connector):
                if action.key == key:
                    return Found(action, connector, _ids(action, connector, connected))
        saved = await self._saved.get(tenant, key)
        if saved is not None and _within(saved, connected):
            for connector in connectors:
                if connector.key == saved.connector_key:
                    return Found(saved, connector, _ids(saved, connector, connected))
        raise NotFound(
            f"No action is called {key[:100]}.",
            hint='Find one: membrane action list --intent="what you want to do" --json',
        )

    async def app_has(self, tenant: GatewayTenant, key: str) -> bool:
        """Whether an action of an app has the key, which can be that of no other then."""
        catalog = await self._catalogs.of(tenant.organization)
        return any(action.key == key for one in catalog.connectors for action in self._of(one))

    async def connected(self, tenant: GatewayTenant, id_or_key: str) -> Connector:
        """The app that is called so, if a connection to it is ready; raises GatewayError."""
        [app], connected = await self._reach(tenant, Scope(connector=id_or_key))
        if not any(one.is_ready for one in connected):
            raise _not_one(app, [])
        return app

    async def connection(
        self, tenant: GatewayTenant, scope: Scope, found: Found | None = None
    ) -> Connection:
        """The connection to go by, which is ready: the one that is named, or the only one there is.

        Raises GatewayError.
        """
        app: Connector | None = None
        if scope.connection is not None:
            ids = [scope.connection]
        elif found is not None:
            app, ids = found.connector, list(found.connection_ids)
        else:
            connectors, connected = await self._reach(tenant, scope)
            app = connectors[0] if scope.connector is not None else None
            ids = [one.id for one in connected]
        if len(ids) != 1:
            raise _not_one(app, ids)
        connection = await self._connections.get(tenant, ids[0])
        if not connection.is_ready:
            raise InvalidRequest(
                f"The connection to {connection.connector.name} is not ready.",
                hint=f"membrane connection get {connection.id} --json",
                connectionId=connection.id,
            )
        return connection

    async def _reach(
        self, tenant: GatewayTenant, scope: Scope
    ) -> tuple[list[Connector], list[Connection]]:
        """The connectors that a scope comes to, and the tenant's connections to them."""
        if scope.connection is not None:
            connection = await self._connections.get(tenant, scope.connection)
            return [connection.connector], [connection]
        catalog = await self._catalogs.of(tenant.organization)
        connected: list[Connection] = await self._connections.of_tenant(tenant)
        if scope.connector is not None:
            connector = catalog.named(scope.connector)
            return [connector], [one for one in connected if one.connector.key == connector.key]
        return list(catalog.connectors), connected

    def _of(self, connector: Connector) -> Iterable[Action | Operation]:
        if connector.key == close.KEY:
            yield from self._friendly.values()
        yield from connector.operations

    async def _search(
        self,
        connectors: Sequence[Connector],
        saved: Sequence[SavedAction],
        intent: str,
        limit: int,
    ) -> list[tuple[Connector, AnyAction]]:
        """The actions that an intent finds in all of these, the best first."""
        known = (
            *(one.id for one in connectors),
            *((one.id, one.version) for one in saved),
        )
        index = self._indexes.get(known)
        if index is None:
            # Making one takes a while, so it is done in a thread.
            index = await asyncio.to_thread(self._index, connectors, saved)
            self._indexes[known] = index
            if len(self._indexes) > _MOST_INDEXES:
                self._indexes.popitem(last=False)
        return [index.actions[one.id] for one in index.intents.search(intent, limit)]

    def _index(self, connectors: Sequence[Connector], saved: Sequence[SavedAction]) -> _Index:
        actions: dict[str, tuple[Connector, AnyAction]] = {}
        for place, connector in enumerate(connectors):
            for action in self._of(connector):
                actions[f"{place} {action.key}"] = connector, action
            for own in _saved_for(saved, connector):
                actions[f"{place} {own.id}"] = connector, own
        documents = (
            document_of(
                id,
                action.name,
                action.description,
                app=connector.name,
                # A friendly action says in words what it takes; its long inputs would hide them.
                input_schema=None if isinstance(action, Action) else action.input_schema,
                operation_class=action.operation_class,
                rank=1 if isinstance(action, Operation) else 0,
            )
            for id, (connector, action) in actions.items()
        )
        return _Index(IntentIndex(documents), actions)


def _within(saved: SavedAction, connected: Sequence[Connection]) -> bool:
    """Whether an action for one connection is for one of these."""
    return saved.connection_id is None or any(one.id == saved.connection_id for one in connected)


def _saved_for(saved: Sequence[SavedAction], connector: Connector) -> list[SavedAction]:
    return [one for one in saved if one.connector_key == connector.key]


def _ids(
    action: AnyAction, connector: Connector, connected: Sequence[Connection]
) -> tuple[str, ...]:
    if isinstance(action, SavedAction) and action.connection_id is not None:
        return (action.connection_id,)
    return tuple(one.id for one in connected if one.connector.key == connector.key)


def _not_one(app: Connector | None, ids: Sequence[str]) -> InvalidRequest:
    """Why it is not clear by which connection to go."""
    if ids:
        to = f" to {app.name}" if app is not None else ""
        return InvalidRequest(
            f"There are several connections{to}: say which.",
            hint="--connectionId=ID",
            connectionIds=list(ids),
        )
    if app is None:
        return InvalidRequest("No app is connected.", hint="membrane connect APP --json")
    return InvalidRequest(
        f"{app.name} is not connected.",
        hint=f"membrane connect --connectorKey={app.key} --json",
    )
