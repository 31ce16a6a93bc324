"""`/session/second_factor/`: codes of an app, as somebody who is signed in sets them up."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clinch.identity.credentials import Authenticator
from clinch.identity.own_login import (
    activate_second_factor,
    set_up_second_factor,
    turn_off_second_factor,
)
from clinch.identity.second_factor import state
from clinch.resources.store import Store
from clinch.server.session import answer, provenance_of, read_texts, routes_at, signed_in
from clinch.vault.vault import Vault

_PATH = "/session/second_factor/"


def second_factor_routes(store: Store, vault: Vault, authenticator: Authenticator) -> list[Route]:
    """GET tells whether there is one, POST sets up, PUT activates by a code, DELETE turns off."""

    async def get(request: Request) -> Response:
        actor = await signed_in(authenticator, request)
        async with store.reading(actor) as transaction:
            found = await state(transaction, actor.user_id or "")
        return answer({"active": found.active, "recovery_codes_left": found.recovery_codes_left})

    async def post(request: Request) -> Response:
        actor = await signed_in(authenticator, request)
        [password] = await read_texts(request, "password")
        made = await set_up_second_factor(store, vault, actor, password)
        return answer({"secret": made.secret, "uri": made.uri, "qr_svg": made.qr}, 201)

    async def put(request: Request) -> Response:
        actor = await signed_in(authenticator, request)
        [code] = await read_texts(request, "code")
        came = provenance_of(request, _PATH)
        codes = await activate_second_factor(store, vault, actor, code, came)
        return answer({"active": True, "recovery_codes": codes})

    async def delete(request: Request) -> Response:
        actor = await signed_in(authenticator, request)
        password, code = await read_texts(request, "password", "code")
        came = provenance_of(request, _PATH)
        await turn_off_second_factor(store, vault, actor, password, code, came)
        return Response(status_code=204)

    public_url = store.declared.public_url
    return routes_at(_PATH, public_url, GET=get, POST=post, PUT=put, DELETE=delete)
