"""`GET /me/`: who a key is."""

from clinch.identity.me import read_me
from clinch.resources.store import Store
from clinch.server.http import Request, Response, json_response
from clinch.server.routes import Route


def me_routes(store: Store) -> list[Route]:
    async def me(request: Request) -> Response:
        async with store.reading(request.actor) as transaction:
            found = await read_me(transaction, request.actor, store.reads)
        fields = request.parameters.get("_fields")
        if fields and "_all" not in fields.split(","):
            found = {key: value for key, value in found.items() if key in fields.split(",")}
        return json_response(found)

    return [Route("GET", "me", me)]
