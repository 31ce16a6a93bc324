"""`/session/second_factor/`: codes of an app, as somebody who is signed in sets them up."""

from starlette.requests import Request
from starlette.responses import Response

from clinch.identity.credentials import Authenticator
from clinch.identity.own_login import (
    activate_second_factor,
    set_up_second_factor,
    turn_off_second_factor,
)
from clinch.identity.second_factor import state
from clinch.resources.store import Store
from clinch.server.routes import SESSION, TEXT, About, has, several
from clinch.server.session import (
    SignInRoute,
    answer,
    provenance_of,
    read_texts,
    routes_at,
    signed_in,
)
from clinch.vault.vault import Vault

_PATH = "/session/second_factor/"

_ACTIVE = {"type": "boolean", "description": "Whether a code is asked for when signing in."}
_GET = About(
    "get_second_factor",
    "Get the state of one's second factor",
    answer=has(
        ("active", "recovery_codes_left"), active=_ACTIVE, recovery_codes_left={"type": "integer"}
    ),
    secured=(SESSION,),
)
_SET_UP = About(
    "set_up_second_factor",
    "Get a secret for an app, which counts from its first code on",
    body=has(("password",), password=TEXT),
    status=201,
    answer=has(
        ("secret", "uri", "qr_svg"),
        secret=TEXT,
        uri=TEXT,
        qr_svg=TEXT | {"description": "A picture of the uri, for the app to read."},
    ),
    secured=(SESSION,),
)
_ACTIVATE = About(
    "activate_second_factor",
    "Turn the second factor on, by a first code",
    body=has(("code",), code=TEXT),
    answer=has(("active", "recovery_codes"), active=_ACTIVE, recovery_codes=several(TEXT)),
    secured=(SESSION,),
)
_TURN_OFF = About(
    "turn_off_second_factor",
    "Turn the second factor off",
    body=has(("password", "code"), password=TEXT, code=TEXT),
    status=204,
    secured=(SESSION,),
)


def second_factor_routes(
    store: Store, vault: Vault, authenticator: Authenticator
) -> list[SignInRoute]:
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
    return routes_at(
        _PATH,
        public_url,
        GET=(get, _GET),
        POST=(post, _SET_UP),
        PUT=(put, _ACTIVATE),
        DELETE=(delete, _TURN_OFF),
    )
