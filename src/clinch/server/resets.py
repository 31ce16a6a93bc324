"""Below `/user/{id}/`: an admin lets somebody in again who is locked out."""

from clinch.identity.resets import make_reset_link, reset_second_factor
from clinch.identity.users import User
from clinch.resources.errors import NotFound
from clinch.resources.store import Store
from clinch.server.http import Request, Response, json_response
from clinch.server.resource_routes import refuse_dry_run
from clinch.server.routes import TEXT, TIME, About, Route, has

_PASSWORD = About(
    "reset_password",
    "Make a link by which a user sets a new password",
    arguments=("id",),
    body=has(),
    answer=has(("link", "expires_at"), link=TEXT, expires_at=TIME),
)
_SECOND_FACTOR = About("reset_second_factor", "Turn a user's second factor off", arguments=("id",))


def reset_routes(store: Store) -> list[Route]:
    async def password(request: Request) -> Response:
        refuse_dry_run(request)
        made = await make_reset_link(store, request.actor, _user(request), request.provenance)
        expires_at = made.expires_at.isoformat(timespec="microseconds")
        return json_response({"link": made.link, "expires_at": expires_at})

    async def second_factor(request: Request) -> Response:
        refuse_dry_run(request)
        await reset_second_factor(store, request.actor, _user(request), request.provenance)
        return json_response({})

    return [
        Route("POST", "user/{}/password_reset", password, _PASSWORD),
        Route("DELETE", "user/{}/second_factor", second_factor, _SECOND_FACTOR),
    ]


def _user(request: Request) -> str:
    id = request.arguments[0]
    if "\x00" in id:
        raise NotFound(User.__name__)
    return id
