"""`/api_key/{id}/`: a key by its id, or by itself, as old scripts ask who they are."""

from clinch.identity.api_keys import ApiKey, read_key
from clinch.resources.store import Store
from clinch.resources.write.path import allow
from clinch.server.http import Request, Response
from clinch.server.resource_routes import object_id, read_keys
from clinch.server.routes import Route


def api_key_routes(store: Store) -> list[Route]:
    async def get(request: Request) -> Response:
        allow(request.actor, ApiKey, "list")
        keys = read_keys(ApiKey, request.parameters.get("_fields"))
        named = object_id(ApiKey, request)
        async with store.reading(request.actor) as transaction:
            found = await read_key(transaction, request.actor, store.reads, named, keys)
        return Response(found)

    return [Route("GET", "api_key/{}", get)]
