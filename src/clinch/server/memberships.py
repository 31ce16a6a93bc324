"""`/membership/`: taking people into the organization, and letting them go."""

from clinch.identity.memberships import deactivate, ensure_member
from clinch.identity.users import Membership
from clinch.resources.store import Store
from clinch.server.http import Request, Response
from clinch.server.resource_routes import object_id, read_keys, read_mode
from clinch.server.routes import DRY_RUN, FIELDS, TEXT, About, Route, has, of

_CREATE = About(
    "create_membership",
    "Take a person into the organization by their address",
    parameters=(FIELDS, DRY_RUN),
    body=has(("email", "role_id"), email=TEXT, role_id=TEXT, first_name=TEXT, last_name=TEXT),
    answer=of(Membership.noun),
)
_DELETE = About("delete_membership", "End a membership", arguments=("id",), parameters=(DRY_RUN,))


def membership_routes(store: Store) -> list[Route]:
    async def create(request: Request) -> Response:
        body = await ensure_member(
            store,
            request.actor,
            request.body,
            request.provenance,
            read_mode(request),
            read_keys(Membership, request.parameters.get("_fields")),
        )
        return Response(body)

    async def delete(request: Request) -> Response:
        id = object_id(Membership, request)
        await deactivate(store, request.actor, id, request.provenance, read_mode(request))
        return Response(b"{}")

    return [
        Route("POST", "membership", create, _CREATE),
        Route("DELETE", "membership/{}", delete, _DELETE),
    ]
