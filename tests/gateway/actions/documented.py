"""An app that stands for close.com: this server, with no more than what Close documents."""

from collections.abc import Callable
from typing import Any

import msgspec

from clinch.gateway.api import Api, ApiAnswer, ApiRequest

PAGED = {"_limit", "_skip", "_fields"}


def _ranged(*names: str, ops: tuple[str, ...] = ("gt", "gte", "lt", "lte")) -> set[str]:
    return {f"{name}__{op}" for name in names for op in ops}


ACTIVITY = (
    PAGED
    | {"lead_id", "lead_id__in", "contact_id", "contact_id__in", "user_id", "user_id__in"}
    | {"_type", "_type__in", "id__in", "organization_id", "_order_by", "thread_emails"}
    | _ranged("date_created", "activity_at")
)
LISTS: dict[str, set[str]] = {
    "/lead/": PAGED,
    "/contact/": PAGED | {"lead_id"},
    "/opportunity/": PAGED
    | {"lead_id", "user_id", "user_id__in", "status_id", "status_id__in", "status_type"}
    | {"status_type__in", "status_label", "status_label__in", "value_period", "_order_by"}
    | {"date_won", "date_created", "date_updated"}
    | _ranged("date_won", "date_created", "date_updated"),
    "/task/": PAGED
    | {"id", "id__in", "_type", "_type__in", "lead_id", "assigned_to", "is_complete", "view"}
    | {"date", "_order_by"}
    | _ranged("date", "date_created", "date_updated"),
    "/activity/": ACTIVITY,
    "/user/": PAGED | {"_order_by"},
    "/me/": {"_fields"},
    "/pipeline/": set(),
    "/status/lead/": PAGED,
}
_OF_ONE_LEAD = ("user_id", "contact_id", "_type", "_type__in")


def as_close(api: Api) -> Api:
    """Undocumented parameters fail; custom values come by id alone; filters that are documented
    for one lead's activities are ignored without it."""

    async def call(request: ApiRequest) -> ApiAnswer:
        names = [name for name, _ in request.query]
        known = LISTS.get(request.path)
        if known is None and request.path.startswith("/activity/") and request.path.count("/") == 3:
            known = ACTIVITY
        if known is None:
            known = {"_fields"} if request.method == "GET" else set()
        assert set(names) <= known, (request.path, set(names) - known)
        query = request.query
        if request.path == "/activity/" and "lead_id" not in names:
            query = tuple(pair for pair in query if pair[0] not in _OF_ONE_LEAD)
        answer = await api(
            ApiRequest(request.method, request.path, query, request.headers, request.body)
        )
        if answer.status >= 400 or not answer.body:
            return answer
        read = _without(msgspec.json.decode(answer.body), lambda key: key == "custom")
        return ApiAnswer(answer.status, answer.headers, msgspec.json.encode(read))

    return call


def _without(value: Any, drop: Callable[[str], bool]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, drop) for key, inner in value.items() if not drop(key)}
    return [_without(inner, drop) for inner in value] if isinstance(value, list) else value
