"""`GET /me/`: who a key is; `GET /user/availability/`: who can be called."""

from clinch.identity.availability import read_availability
from clinch.identity.me import read_me
from clinch.identity.users import User
from clinch.resources.store import Store
from clinch.resources.write.path import allow
from clinch.server.http import Request, Response, json_response
from clinch.server.routes import FIELDS, About, Route

_ME = About("me", "Who the key is", parameters=(FIELDS,))
_AVAILABILITY = About("list_availability", "Who can be called")


def me_routes(store: Store) -> list[Route]:
    async def me(request: Request) -> Response:
        async with store.reading(request.actor) as transaction:
            found = await read_me(transaction, request.actor, store.reads)
        fields = request.parameters.get("_fields")
        if fields and "_all" not in fields.split(","):
            found = {key: value for key, value in found.items() if key in fields.split(",")}
        return json_response(found)

    async def availability(request: Request) -> Response:
        allow(request.actor, User, "list")
        async with store.reading(request.actor) as transaction:
            return json_response(await read_availability(transaction, request.actor, store.reads))

    return [
        Route("GET", "me", me, _ME),
        Route("GET", "user/availability", availability, _AVAILABILITY),
    ]
