"""`GET /event/` and `GET /event/{id}/`: what has happened, as a view of the log."""

from typing import Any

from clinch.events.request import DATES, FILTERS, MAX_LIMIT, read_event_page
from clinch.events.view import get_event, list_events
from clinch.resources.errors import NotFound
from clinch.resources.store import Store
from clinch.server.http import Request, Response, json_response
from clinch.server.routes import FIELDS, TEXT, About, Route, has, query

_CURSOR = {"type": ["string", "null"]}
_LIST = About(
    "list_event",
    "List what happened in the last 30 days, newest first",
    parameters=(
        FIELDS,
        query("_cursor", TEXT, "A cursor that an earlier page has given."),
        query(
            "_limit",
            {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
            "How many to answer.",
        ),
        *(query(name, TEXT, description) for name, description in FILTERS.items()),
        *(
            query(name, TEXT | {"format": "date-time"}, f"Last changed {sign} this time.")
            for name, sign in DATES.items()
        ),
    ),
    answer=has(
        ("data", "cursor_next", "cursor_previous"),
        data={"type": "array", "items": {"type": "object"}},
        cursor_next=_CURSOR | {"description": "To older events."},
        cursor_previous=_CURSOR | {"description": "To newer events."},
    ),
)
_GET = About("get_event", "Get event", arguments=("id",), parameters=(FIELDS,))


def event_routes(store: Store) -> list[Route]:
    async def several(request: Request) -> Response:
        page = read_event_page(request.parameters, request.actor)
        async with store.reading(request.actor) as transaction:
            found = await list_events(transaction, request.actor, store.reads, page)
        found["data"] = [_named(request, event) for event in found["data"]]
        return json_response(found)

    async def one(request: Request) -> Response:
        [id] = request.arguments
        if "\x00" in id:
            raise NotFound("Event")
        async with store.reading(request.actor) as transaction:
            found = await get_event(transaction, request.actor, store.reads, id)
        return json_response(_named(request, found))

    return [Route("GET", "event", several, _LIST), Route("GET", "event/{}", one, _GET)]


def _named(request: Request, event: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event that `_fields` names, or all."""
    fields = request.parameters.get("_fields", "").split(",")
    if fields == [""] or "_all" in fields:
        return event
    return {key: value for key, value in event.items() if key in fields}
