"""`/organization/{id}/` with users in its memberships, where `_expand` asks for them."""

from dataclasses import replace

import msgspec

from clinch.db.database import Tenant
from clinch.identity.organizations import Organization, expand_users
from clinch.resources.actor import Actor
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.path import allow
from clinch.server.http import Request, Response, json_response
from clinch.server.resource_routes import object_id, read_keys, read_mode
from clinch.server.routes import DRY_RUN, FIELDS, TEXT, About, Route, of, query

_EXPANDED = ("memberships", "inactive_memberships")
_EXPAND = query("_expand", TEXT, "memberships__user, inactive_memberships__user, or both.")
_GET = About(
    "get_organization",
    "Get organization",
    arguments=("id",),
    parameters=(FIELDS, _EXPAND),
    answer=of(Organization.noun),
)
_UPDATE = About(
    "update_organization",
    "Update organization",
    arguments=("id",),
    parameters=(FIELDS, _EXPAND, DRY_RUN),
    body=of(f"{Organization.noun}_input"),
    answer=of(Organization.noun),
)


def organization_routes(store: Store) -> list[Route]:
    async def get(request: Request) -> Response:
        allow(request.actor, Organization, "get")
        keys = read_keys(Organization, request.parameters.get("_fields"))
        id = object_id(Organization, request)
        body = await store.get(request.actor, Organization, id, keys)
        return await _expanded(store, request, request.actor, body)

    async def update(request: Request) -> Response:
        [written] = await store.write(
            request.actor,
            [Change.update(Organization, object_id(Organization, request), request.body)],
            request.provenance,
            mode=read_mode(request),
            answer=read_keys(Organization, request.parameters.get("_fields")),
        )
        # The write may have made the credential one to be read anew, and is not to be done again.
        actor = replace(request.actor, tenant=Tenant(request.actor.organization_id))
        return await _expanded(store, request, actor, written.body)

    return [
        Route("GET", "organization/{}", get, _GET),
        Route("PUT", "organization/{}", update, _UPDATE),
    ]


async def _expanded(store: Store, request: Request, actor: Actor, body: bytes) -> Response:
    """The organization of this JSON, with the users that the request asks for."""
    named = request.parameters.get("_expand", "").split(",")
    wanted = [name for name in _EXPANDED if f"{name}__user" in named]
    if not wanted:
        return Response(body)
    found = msgspec.json.decode(body)
    memberships = [entry for name in wanted for entry in found.get(name, ())]
    async with store.reading(actor) as transaction:
        await expand_users(transaction, actor, store.reads, memberships)
    return json_response(found)
