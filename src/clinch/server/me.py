"""`GET /me/`: who a key is; `GET /user/availability/`: who can be called."""

from clinch.identity.availability import read_availability
from clinch.identity.me import read_me
from clinch.identity.organizations import Organization
from clinch.identity.users import Membership, User
from clinch.resources.store import Store
from clinch.resources.write.path import allow
from clinch.server.http import Request, Response, json_response
from clinch.server.routes import FIELDS, TEXT, About, Route, has, of, several

_ME = About(
    "me",
    "Who the key is",
    parameters=(FIELDS,),
    answer={
        "allOf": [
            of(User.noun),
            has(
                email_accounts=several({"type": "object"}),
                phone_numbers=several({"type": "object"}),
                memberships=several(of(Membership.noun)),
                organizations=several(of(Organization.noun)),
            ),
        ]
    },
)
_CHANNEL = has(
    ("type", "status", "active_calls"),
    type=TEXT,
    status=TEXT,
    active_calls=several({"type": "object"}),
)
_AVAILABILITY = About(
    "list_availability",
    "Who can be called",
    answer=has(
        ("data",),
        data=several(
            has(("user_id", "availability"), user_id=TEXT, availability=several(_CHANNEL))
        ),
    ),
)


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
