"""`/action-run-logs`: what was run for the tenant that asks."""

from datetime import datetime, timedelta
from typing import Any

from clinch.gateway.errors import InvalidRequest
from clinch.gateway.running.run_logs import Details, Run, RunLog
from clinch.server.gateway.exchange import Answer, Exchange, GatewayRoute, json_answer

# What the list shows of a run whose details were given up.
_NOTHING = Details(None, None, None, None, ())


def run_routes(runs: RunLog) -> list[GatewayRoute]:
    async def listed(exchange: Exchange) -> Answer:
        status = exchange.value("status")
        if status not in (None, "success", "error"):
            raise InvalidRequest("status is success or error.")
        page = await runs.find(
            exchange.tenant,
            action=exchange.value("actionId"),
            connection_id=exchange.value("connectionId"),
            status=status,
            since=_moment(exchange, "from"),
            until=_moment(exchange, "to"),
            limit=exchange.limit(),
            cursor=exchange.value("cursor"),
        )
        items = [shown(run) for run in page.items]
        return json_answer({"items": items} | ({"cursor": page.cursor} if page.cursor else {}))

    async def one(exchange: Exchange) -> Answer:
        run, _ = await runs.get(exchange.tenant, exchange.arguments[0])
        return json_answer(shown(run))

    async def details(exchange: Exchange) -> Answer:
        run, quoted = await runs.get(exchange.tenant, exchange.arguments[0])
        told = shown(run) | {"requests": quoted.sent}
        if quoted.untrusted:
            told["untrusted"] += [f"/requests/{n}/answer" for n in range(len(quoted.sent))]
        return json_answer(told)

    return [
        GatewayRoute("GET", "action-run-logs", listed),
        GatewayRoute("GET", "action-run-logs/{}", one),
        GatewayRoute("GET", "action-run-logs/{}/details", details),
    ]


def shown(run: Run) -> dict[str, Any]:
    """A record as the REST API has it."""
    quoted = run.details or _NOTHING
    told = {
        "id": run.id,
        "name": run.action,
        "action": run.action,
        "connectionId": run.connection_id,
        "connectorKey": run.connector_key,
        "status": run.status,
        "createdAt": run.created_at,
        "completedAt": run.created_at + timedelta(milliseconds=run.duration),
        "duration": run.duration,
        "input": quoted.input,
        "output": quoted.output,
        "error": quoted.error,
        "meta": quoted.meta,
    }
    if quoted.untrusted:
        told["untrusted"] = [f"/output{place}" for place in quoted.untrusted]
    return told


def _moment(exchange: Exchange, name: str) -> datetime | None:
    text = exchange.value(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} is a time such as 2026-05-01T09:00:00Z.") from None
    if moment.tzinfo is None:
        raise InvalidRequest(f"{name} has to say its time zone, such as 2026-05-01T09:00:00Z.")
    return moment
