"""`GET /event/` and `GET /event/{id}/`: what has happened, as a view of the log."""

from typing import Any

from clinch.events.request import read_event_page
from clinch.events.view import get_event, list_events
from clinch.resources.errors import NotFound
from clinch.resources.store import Store
from clinch.server.http import Request, Response, json_response
from clinch.server.routes import Route


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

    return [Route("GET", "event", several), Route("GET", "event/{}", one)]


def _named(request: Request, event: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event that `_fields` names, or all."""
    fields = request.parameters.get("_fields", "").split(",")
    if fields == [""] or "_all" in fields:
        return event
    return {key: value for key, value in event.items() if key in fields}
