"""Running actions for a tenant, through one of their connections, with a record."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from clinch.gateway.actions.action import Action
from clinch.gateway.actions.errors import ActionError
from clinch.gateway.actions.exchange import Exchange, exchange_of
from clinch.gateway.actions.run import RunOptions
from clinch.gateway.actions.runner import run_action
from clinch.gateway.api import Api, ApiAnswer, ApiRequest, below
from clinch.gateway.connections.calls import Calls
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connectors.connector import SEVERITY
from clinch.gateway.errors import AccessDenied, ActionFailed, GatewayError, InvalidRequest
from clinch.gateway.outside import pointers_of_answer
from clinch.gateway.running.encoding import document_in
from clinch.gateway.running.finding import (
    AnyAction,
    Finder,
    Scope,
)
from clinch.gateway.running.operations import answer_to, checked_input, request_of
from clinch.gateway.running.run_logs import Details, RunLog, Sent
from clinch.gateway.running.saved_actions import SavedAction
from clinch.gateway.running.templates import read_template
from clinch.gateway.tenancy.access import Caller
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.resources.actor import OperationClass

_DRY_RUN = "_dry_run"
_LONGEST_NAME = 200


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
    """One run under way; `name` is what its record calls it."""

    name: str
    tenant: GatewayTenant
    connection: Connection
    input: Any
    options: Options
    begun: datetime
    sent: list[Exchange] = field(default_factory=list)


class Actions:
    """Runs what the finder finds, and single requests."""

    def __init__(self, finder: Finder, calls: Calls, runs: RunLog) -> None:
        self._finder, self._calls, self._runs = finder, calls, runs

    async def run(
        self, caller: Caller, scope: Scope, key: str, input: Any, options: Options
    ) -> Ran:
        """Run the action with a key; raises GatewayError, whose data has the record's id."""
        tenant = caller.own_tenant
        found = await self._finder.get(tenant, scope, key)
        action = found.action
        if action.operation_class not in caller.operations:
            raise AccessDenied(
                f"Your login does not cover this: {key} needs {action.operation_class}.",
                hint="Log in again and allow it: membrane login --tenant",
            )
        connection = await self._finder.connection(tenant, scope, found)
        attempt = _Attempt(action.key, tenant, connection, input, options, _now())
        return await self._logged(attempt, caller, lambda api: _run(attempt, action, api))

    async def send(
        self, caller: Caller, scope: Scope, request: Any, input: Any, options: Options
    ) -> Ran:
        """Send one request, a template as saved actions have it; raises GatewayError, whose data
        has the record's id if the request was one."""
        tenant = caller.own_tenant
        connection = await self._finder.connection(tenant, scope)
        proofs, base_url = connection.connector.proofs, connection.option.base_url
        template = read_template(request, "api", base_url, proofs)
        # What a query has may be a secret, and a name is kept as it is.
        name = f"{template.method} {template.path.partition('?')[0]}"[:_LONGEST_NAME]
        attempt = _Attempt(name, tenant, connection, input, options, _now())

        async def run(api: Api) -> Ran:
            filled = template.fill(checked_input({}, input))
            return await _sent_once(attempt, filled, api)

        return await self._logged(attempt, caller, run)

    async def _logged(
        self, attempt: _Attempt, caller: Caller, run: Callable[[Api], Awaitable[Ran]]
    ) -> Ran:
        """Run, and keep a record of what came of it either way."""
        reached = self._calls.api(attempt.tenant, attempt.connection, caller.operations)
        try:
            ran = await run(_noted(reached, attempt.sent, attempt.options))
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
            attempt.name,
            attempt.connection.id,
            attempt.connection.connector.key,
            attempt.begun,
            int((_now() - attempt.begun) / timedelta(milliseconds=1)),
            Details(attempt.input, output, error, attempt.options.meta, sent, untrusted),
        )


async def _run(attempt: _Attempt, action: AnyAction, api: Api) -> Ran:
    input = attempt.input
    if isinstance(action, Action):
        options = RunOptions(_now, attempt.options.dry_run, attempt.connection.is_here)
        result = await run_action(action, api, input, options)
        return Ran("", result.output, result.warnings, result.untrusted)
    if not isinstance(action, SavedAction):
        return await _sent_once(attempt, request_of(action, input), api)
    request = action.template.fill(checked_input(action.input_schema, input))
    does = _class_of(attempt, request)
    if SEVERITY.index(does) > SEVERITY.index(action.operation_class):
        raise InvalidRequest(
            f"With this input the request would be {does}; the action is {action.operation_class}."
        )
    ran = await _sent_once(attempt, request, api)
    return replace(ran, warnings=_ignored(action, input))


async def _sent_once(attempt: _Attempt, request: ApiRequest, api: Api) -> Ran:
    """What comes of one request, in which the app's own texts are not to be trusted."""
    app = attempt.connection.connector
    output = await answer_to(_tried(attempt, request), app, api)
    return Ran("", output, untrusted=pointers_of_answer(app, _path(attempt, request), output))


def _ignored(action: SavedAction, input: Mapping[str, Any]) -> tuple[str, ...]:
    """What of an input means nothing."""
    if () in action.template.places:  # all of it is used
        return ()
    known = action.input_schema["properties"]
    return tuple(
        f"{name} is not an input of {action.key} and was ignored."
        for name in input
        if name not in known
    )


def _class_of(attempt: _Attempt, request: ApiRequest) -> OperationClass:
    return attempt.connection.connector.class_of(request.method, _path(attempt, request))


def _path(attempt: _Attempt, request: ApiRequest) -> str:
    return below(request.path.partition("?")[0], attempt.connection.option.base_url)


def _tried(attempt: _Attempt, request: ApiRequest) -> ApiRequest:
    """The request; in a dry run one that changes nothing. Raises InvalidRequest where it would."""
    if not attempt.options.dry_run or _class_of(attempt, request) is OperationClass.READ:
        return request
    app = attempt.connection.connector
    operation = app.operation_at(request.method, _path(attempt, request))
    known = operation is not None and any(one.key == _DRY_RUN for one in operation.parameters)
    body = document_in(request.body or b"")
    # Parameters in the body would be taken in place of those of the query.
    elsewhere = isinstance(body, dict) and "_params" in body
    if not attempt.connection.is_here or not known or elsewhere:
        raise InvalidRequest("This cannot be tried without doing it, so nothing was sent.")
    others = tuple(pair for pair in request.query if pair[0] != _DRY_RUN)
    return replace(request, query=(*others, (_DRY_RUN, "true")))


def _now() -> datetime:
    return datetime.now(UTC)


def _noted(api: Api, sent: list[Exchange], options: Options) -> Api:
    """The same, with a note of what was sent, and each change under a key of its own, by which it
    is not done again when the run is repeated with the same key."""
    key, changes = options.once or secrets.token_urlsafe(18), 0

    async def call(request: ApiRequest) -> ApiAnswer:
        nonlocal changes
        if request.method != "GET" and not options.dry_run:
            changes += 1
            once = (("idempotency-key", f"{key}.{changes}"),)
            request = replace(request, headers=request.headers + once)
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
