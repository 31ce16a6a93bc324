"""`/oauth_grant/`: what one has allowed programs, and ending it."""

from clinch.identity.oauth.grants import Grant, end_own_grant, own_grants
from clinch.resources.errors import NotFound
from clinch.resources.store import Store
from clinch.server.http import Request, Response, json_response
from clinch.server.resource_routes import refuse_dry_run
from clinch.server.routes import FLAG, TEXT, TIME, About, Route, has, several

_GRANT = has(
    ("id", "client_id", "client_name", "scope", "is_of_person", "date_created", "date_last_used"),
    id=TEXT,
    client_id=TEXT,
    client_name=TEXT,
    scope=TEXT,
    is_of_person=FLAG,
    date_created=TIME,
    date_last_used=TIME,
)
_LIST = About(
    "list_grants",
    "What one has allowed programs",
    answer=has(("data",), data=several(_GRANT)),
)
_END = About("end_grant", "Allow a program no more", arguments=("id",))


def grant_routes(store: Store) -> list[Route]:
    async def listed(request: Request) -> Response:
        async with store.reading(request.actor) as transaction:
            grants = await own_grants(transaction, request.actor)
        return json_response({"data": [_shown(grant) for grant in grants]})

    async def end(request: Request) -> Response:
        refuse_dry_run(request)
        [id] = request.arguments
        async with store.database.tenant(request.actor.tenant) as transaction:
            known = "\x00" not in id and await end_own_grant(transaction, request.actor, id)
        if not known:
            raise NotFound("Grant")
        return json_response({})

    return [
        Route("GET", "oauth_grant", listed, _LIST),
        Route("DELETE", "oauth_grant/{}", end, _END),
    ]


def _shown(grant: Grant) -> dict[str, object]:
    return {
        "id": grant.id,
        "client_id": grant.client_id,
        "client_name": grant.client_name,
        "scope": grant.scope,
        "is_of_person": grant.is_of_person,
        "date_created": grant.created_at.isoformat(timespec="microseconds"),
        "date_last_used": grant.last_used_at.isoformat(timespec="microseconds"),
    }
