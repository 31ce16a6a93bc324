"""Finding and running actions for a tenant, through one of their connections, with a record."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from clinch.gateway.access import Caller
from clinch.gateway.actions.action import Action
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.exchange import Exchange, exchange_of
from clinch.gateway.actions.run import RunOptions
from clinch.gateway.actions.runner import run_action
from clinch.gateway.api import Api, ApiAnswer, ApiRequest
from clinch.gateway.connectors import close
from clinch.gateway.connectors.catalog import Catalog, Catalogs
from clinch.gateway.connectors.connector import Connector, Operation
from clinch.gateway.errors import (
    AccessDenied,
    ActionFailed,
    GatewayError,
    InvalidRequest,
    NotFound,
)
from clinch.gateway.intent.document import document_of
from clinch.gateway.intent.index import IntentIndex
from clinch.gateway.operations import run_operation
from clinch.gateway.outside import pointers_of_answer
from clinch.gateway.run_logs import Details, RunLog, Sent
from clinch.gateway.tenants import GatewayTenant
from clinch.resources.actor import OperationClass

_DRY_RUN = "_dry_run"
_MOST_INDEXES = 100


class Connected(Protocol):
    """What is needed to know of a connection."""

    @property
    def id(self) -> str: ...

    @property
    def connector_key(self) -> str: ...

    @property
    def is_ready(self) -> bool: ...

    @property
    def is_here(self) -> bool:
        """Whether it leads to this very server."""
        ...


class Connections(Protocol):
    async def get(self, tenant: GatewayTenant, id_or_key: str) -> Connected: ...

    async def of_tenant(self, tenant: GatewayTenant) -> list[Any]: ...

    def api(
        self, tenant: GatewayTenant, connection: Any, operations: frozenset[OperationClass]
    ) -> Api: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """Through what an action is found or run: a connection or an app, by id or key, or neither."""

    connection: str | None = None
    connector: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An action as it is told; `connection_ids` are those by which the tenant can run it."""

    action: Action | Operation
    connector: Connector
    connection_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run an action. `once` is the key by which it is not done again."""

    dry_run: bool = False
    once: str | None = None
    meta: Any = None


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run: its output, the id of its record, and what to know beside."""

    id: str
    output: Any
    warnings: tuple[str, ...] = ()
    untrusted: tuple[str, ...] = ()


@dataclass(slots=True)
class _Attempt:
    """One run under way."""

    tenant: GatewayTenant
    operations: frozenset[OperationClass]
    found: Found
    connection: Connected
    input: Any
    options: Options
    begun: datetime
    sent: list[Exchange] = field(default_factory=list)


class Actions:
    """The actions of all connectors: the friendly ones of the app `close`, and every operation."""

    def __init__(
        self,
        catalogs: Catalogs,
        connections: Connections,
        friendly: Mapping[str, Action],
        runs: RunLog,
    ) -> None:
        self._catalogs, self._connections = catalogs, connections
        self._friendly, self._runs = friendly, runs
        self._indexes: OrderedDict[tuple[str, ...], IntentIndex] = OrderedDict()

    async def find(
        self, tenant: GatewayTenant, scope: Scope, intent: str, limit: int, skip: int = 0
    ) -> list[Found]:
        """The actions that do what the intent says, the best first; all of them without one.

        They are those of the apps that are connected, where no app is named. Raises GatewayError.
        """
        connectors, connected = await self._reach(tenant, scope)
        if scope == Scope():
            keys = {one.connector_key for one in connected}
            connectors = [one for one in connectors if one.key in keys] or connectors[:1]
        if intent:
            named = await self._search(connectors, intent, skip + limit)
        else:
            named = [(one, action.key) for one in connectors for action in self._of(one)]
        return [
            Found(
                self._named(connector, key),
                connector,
                tuple(one.id for one in connected if one.connector_key == connector.key),
            )
            for connector, key in named[skip : skip + limit]
        ]

    async def get(self, tenant: GatewayTenant, scope: Scope, key: str) -> Found:
        """The action with a key; raises NotFound."""
        connectors, connected = await self._reach(tenant, scope)
        for connector in connectors:
            if any(action.key == key for action in self._of(connector)):
                ids = tuple(one.id for one in connected if one.connector_key == connector.key)
                return Found(self._named(connector, key), connector, ids)
        raise NotFound(
            f"No action is called {key[:100]}.",
            hint='Find one: membrane action list --intent="what you want to do" --json',
        )

    async def run(
        self, caller: Caller, scope: Scope, key: str, input: Any, options: Options
    ) -> Ran:
        """Run the action with a key; raises GatewayError, whose data has the record's id."""
        tenant = _tenant(caller)
        found = await self.get(tenant, scope, key)
        if found.action.operation_class not in caller.operations:
            raise AccessDenied(
                f"Your login does not cover this: {key} needs {found.action.operation_class}.",
                hint="Log in again and allow it: membrane login --tenant",
            )
        connection = await self._connection(tenant, scope, found)
        attempt = _Attempt(tenant, caller.operations, found, connection, input, options, _now())
        return await self._logged(attempt)

    async def _run(self, attempt: _Attempt) -> Ran:
        reached = self._connections.api(attempt.tenant, attempt.connection, attempt.operations)
        api = _noted(reached, attempt.sent, attempt.options)
        action = attempt.found.action
        if isinstance(action, Action):
            here = attempt.connection.is_here
            options = RunOptions(_now, attempt.options.dry_run, here)
            result = await run_action(action, api, attempt.input, options)
            return Ran("", result.output, result.warnings, result.untrusted)
        input = dict(attempt.input)
        if attempt.options.dry_run and action.operation_class is not OperationClass.READ:
            known = any(one.key == _DRY_RUN for one in action.parameters)
            if not attempt.connection.is_here or not known:
                raise InvalidRequest("This cannot be tried without doing it, so nothing was sent.")
            input[_DRY_RUN] = True
        app = attempt.found.connector
        output = await run_operation(app, action, api, input)
        return Ran("", output, untrusted=pointers_of_answer(app, action.path, output))

    async def _logged(self, attempt: _Attempt) -> Ran:
        """Run, and keep a record of what came of it either way."""
        try:
            ran = await self._run(attempt)
        except (ActionError, GatewayError) as error:
            refusal = _refusal(error) if isinstance(error, ActionError) else error
            refusal.data["actionRunId"] = await self._note(attempt, None, refusal.body)
            raise refusal from None
        return replace(ran, id=await self._note(attempt, ran.output, None, ran.untrusted))

    async def _note(
        self,
        attempt: _Attempt,
        output: Any,
        error: dict[str, Any] | None,
        untrusted: tuple[str, ...] = (),
    ) -> str:
        sent = tuple(_sent(one) for one in attempt.sent)
        return await self._runs.note(
            attempt.tenant,
            attempt.found.action.key,
            attempt.connection.id,
            attempt.found.connector.key,
            attempt.begun,
            int((_now() - attempt.begun) / timedelta(milliseconds=1)),
            Details(attempt.input, output, error, attempt.options.meta, sent, untrusted),
        )

    async def _reach(
        self, tenant: GatewayTenant, scope: Scope
    ) -> tuple[list[Connector], list[Connected]]:
        """The connectors that a scope comes to, and the tenant's connections to them."""
        catalog = await self._catalogs.of(tenant.organization)
        if scope.connection is not None:
            connection = await self._connections.get(tenant, scope.connection)
            return [_connector(catalog, connection.connector_key)], [connection]
        connected: list[Connected] = await self._connections.of_tenant(tenant)
        if scope.connector is not None:
            return [_connector(catalog, scope.connector)], connected
        return list(catalog.connectors), connected

    async def _connection(self, tenant: GatewayTenant, scope: Scope, found: Found) -> Connected:
        """The connection to run by; raises GatewayError where there is none, or no one of them."""
        app = found.connector
        if scope.connection is None and len(found.connection_ids) != 1:
            if found.connection_ids:
                raise InvalidRequest(
                    f"There are several connections to {app.name}: say which.",
                    hint="--connectionId=ID",
                    connectionIds=list(found.connection_ids),
                )
            raise InvalidRequest(
                f"{app.name} is not connected.",
                hint=f"membrane connect --connectorKey={app.key} --json",
            )
        id = scope.connection or found.connection_ids[0]
        connection = await self._connections.get(tenant, id)
        if not connection.is_ready:
            raise InvalidRequest(
                f"The connection to {app.name} is not ready.",
                hint=f"membrane connection get {connection.id} --json",
                connectionId=connection.id,
            )
        return connection

    def _of(self, connector: Connector) -> list[Action | Operation]:
        friendly = list(self._friendly.values()) if connector.key == close.KEY else []
        return [*friendly, *connector.operations]

    def _named(self, connector: Connector, key: str) -> Action | Operation:
        return next(action for action in self._of(connector) if action.key == key)

    async def _search(
        self, connectors: Sequence[Connector], intent: str, limit: int
    ) -> list[tuple[Connector, str]]:
        """The actions that an intent finds in all of these: the connector and the key of each."""
        ids = tuple(one.id for one in connectors)
        index = self._indexes.get(ids)
        if index is None:
            # Making one takes a while, so it is done in a thread.
            index = await asyncio.to_thread(self._index, connectors)
            self._indexes[ids] = index
            if len(self._indexes) > _MOST_INDEXES:
                self._indexes.popitem(last=False)
        found = [one.id.partition(" ") for one in index.search(intent, limit)]
        return [(connectors[int(place)], key) for place, _, key in found]

    def _index(self, connectors: Sequence[Connector]) -> IntentIndex:
        return IntentIndex(
            document_of(
                f"{place} {action.key}",
                action.name,
                action.description,
                app=connector.name,
                # A friendly action says in words what it takes; its long inputs would hide them.
                input_schema=None if isinstance(action, Action) else action.input_schema,
                operation_class=action.operation_class,
                rank=0 if isinstance(action, Action) else 1,
            )
            for place, connector in enumerate(connectors)
            for action in self._of(connector)
        )


def _connector(catalog: Catalog, key: str) -> Connector:
    connector = catalog.get(key)
    if connector is None:
        raise NotFound(
            f"No app is called {key[:100]}.", hint="Find one: membrane search WORDS --json"
        )
    return connector


def _now() -> datetime:
    return datetime.now(UTC)


def _tenant(caller: Caller) -> GatewayTenant:
    if caller.tenant is None:
        raise AccessDenied("This is a tenant's own: the token has to name one (tenantKey).")
    return caller.tenant


def _noted(api: Api, sent: list[Exchange], options: Options) -> Api:
    """The same, with a note of what was sent, and each change under a key of its own, by which it
    is not done again when the run is repeated with the same key."""
    key, changes = options.once or secrets.token_urlsafe(18), 0

    async def call(request: ApiRequest) -> ApiAnswer:
        nonlocal changes
        if request.method != "GET" and not options.dry_run:
            changes += 1
            once = (("idempotency-key", f"{key}.{changes}"),)
            request = ApiRequest(
                request.method, request.path, request.query, request.headers + once, request.body
            )
        answer = None
        try:
            answer = await api(request)
        finally:
            sent.append(exchange_of(request, answer))
        return answer

    return call


def _sent(one: Exchange) -> Sent:
    return Sent(one.method, one.path, one.query, one.request_body, one.status or 0, one.answer_body)


def _refusal(error: ActionError) -> GatewayError:
    """An action's error in the gateway's shape."""
    told = {"hint": error.hint, "field": error.field, "status": error.status, "body": error.body}
    return ActionFailed(
        error.message, **{name: value for name, value in told.items() if value is not None}
    )
