"""`/group/{id}/member/`: who is in a group."""

from clinch.identity.groups import Group, join, leave
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.path import allow
from clinch.server.http import Request, Response, json_response
from clinch.server.resource_routes import object_id, read_mode
from clinch.server.routes import DRY_RUN, TEXT, About, Route, has

_MEMBER = has(("user_id",), user_id=TEXT)
_ADD = About(
    "add_group_member",
    "Take a user into a group",
    arguments=("id",),
    parameters=(DRY_RUN,),
    body=_MEMBER,
    status=201,
    answer=_MEMBER,
)
_REMOVE = About(
    "remove_group_member",
    "Take a user out of a group",
    arguments=("id", "user_id"),
    parameters=(DRY_RUN,),
    status=204,
)


def group_routes(store: Store) -> list[Route]:
    async def add(request: Request) -> Response:
        allow(request.actor, Group, "update")
        user_id = request.body.get("user_id")
        await write(request, join(object_id(Group, request), user_id))
        return json_response({"user_id": user_id}, 201)

    async def remove(request: Request) -> Response:
        await write(request, leave(object_id(Group, request), request.arguments[1]))
        return Response(b"", 204)

    async def write(request: Request, change: Change) -> None:
        await store.write(
            request.actor, [change], request.provenance, mode=read_mode(request), answer=False
        )

    return [
        Route("POST", "group/{}/member", add, _ADD),
        Route("DELETE", "group/{}/member/{}", remove, _REMOVE),
    ]
