"""`/organization/{id}/` with users in its memberships, where `_expand` asks for them."""

import msgspec

from clinch.identity.organizations import Organization, expand_users
from clinch.resources.store import Store
from clinch.resources.write.path import allow
from clinch.server.http import Request, Response, json_response
from clinch.server.resource_routes import object_id, read_keys
from clinch.server.routes import FIELDS, TEXT, About, Route, of, query

_EXPANDED = ("memberships", "inactive_memberships")
_GET = About(
    "get_organization",
    "Get organization",
    arguments=("id",),
    parameters=(
        FIELDS,
        query("_expand", TEXT, "memberships__user, inactive_memberships__user, or both."),
    ),
    answer=of(Organization.noun),
)


def organization_routes(store: Store) -> list[Route]:
    async def get(request: Request) -> Response:
        allow(request.actor, Organization, "get")
        keys = read_keys(Organization, request.parameters.get("_fields"))
        id = object_id(Organization, request)
        async with store.reading(request.actor) as transaction:
            body = await store.reads.get(transaction, request.actor, Organization, id, keys)
            named = request.parameters.get("_expand", "").split(",")
            wanted = [name for name in _EXPANDED if f"{name}__user" in named]
            if not wanted:
                return Response(body)
            found = msgspec.json.decode(body)
            memberships = [entry for name in wanted for entry in found.get(name, ())]
            await expand_users(transaction, request.actor, store.reads, memberships)
        return json_response(found)

    return [Route("GET", "organization/{}", get, _GET)]
