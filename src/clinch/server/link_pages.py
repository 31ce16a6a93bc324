"""The pages behind links that are handed over: accepting an invitation, setting a new password.

Another site's page cannot send these forms in somebody's name: each needs the secret of the link
and a password, or a proof made from the secret of the live session. The headers that tell such a
page elsewhere are of no use here: without a Referer a browser sends `Origin: null`.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clinch.identity.credentials import Authenticator, Unauthorized
from clinch.identity.joining import Joiner, Offer, accept, login_of, read_offer
from clinch.identity.links import Link, find_link
from clinch.identity.passwords import SHORTEST, new_password
from clinch.identity.resets import email_of, set_password
from clinch.identity.throttle import TooManyTries
from clinch.resources.actor import Provenance
from clinch.resources.errors import ApiError, BadRequest
from clinch.resources.store import Store
from clinch.server.html import alert, field, form, hidden, page, paragraph
from clinch.server.http import receive_body
from clinch.server.session import headers_of, session_of, signed_in

FROM_PAGE = Provenance(source="page")

Form = dict[str, str]
Endpoint = Callable[[Request], Awaitable[Response]]


def link_pages(store: Store, authenticator: Authenticator) -> list[Route]:
    invitation, password = _InvitationPage(store, authenticator), _PasswordPage(store)
    endpoints = {"/invitation/{link}": invitation.respond, "/password/{link}": password.respond}
    return [
        Route(at, _explained(endpoint), methods=["GET", "POST"])
        for path, endpoint in endpoints.items()
        for at in (path, f"{path}/")
    ]


def _explained(endpoint: Endpoint) -> Endpoint:
    """A refusal for which there is no form to show again is a page of its own."""

    async def respond(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiError as error:
            return page("This does not work", alert(_text_of(error)), error.status)

    return respond


class _PasswordPage:
    """A new password, by the link of a reset."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def respond(self, request: Request) -> Response:
        link = await find_link(self._store.database, request.path_params["link"])
        email = await email_of(self._store, link)
        if request.method != "POST":
            return page("Set a new password", self._form(email))
        try:
            sent = await _read_form(request)
            password = new_password(sent.get("password"))
            if password != sent.get("again"):
                raise BadRequest("The two passwords differ.")
            await set_password(self._store, link, password, FROM_PAGE)
        except ApiError as error:
            return _again("Set a new password", error, self._form(email))
        told = "Your password is set. Wherever you were signed in, you are not any more."
        return page("Done", paragraph(told))

    @staticmethod
    def _form(email: str) -> str:
        hint = f"At least {SHORTEST} characters."
        inputs = field(
            "password", "New password", kind="password", complete="new-password", hint=hint
        ) + field("again", "The same again", kind="password", complete="new-password")
        return paragraph(f"For {email}.") + form(inputs, "Set the password")


class _InvitationPage:
    """Joining an organization, by the link of an invitation.

    The form is the same whether the address has a login or not, so that it does not tell.
    """

    def __init__(self, store: Store, authenticator: Authenticator) -> None:
        self._store, self._authenticator = store, authenticator

    async def respond(self, request: Request) -> Response:
        link = await find_link(self._store.database, request.path_params["link"])
        offer = await read_offer(self._store, link)
        signed_in = await self._signed_in(request, offer)
        proof = _proof(request, link) if signed_in is not None else None
        title = f"Join {offer.organization_name}"
        if request.method != "POST":
            return page(title, _invitation_form(offer, {}, proof))
        sent: Form = {}
        try:
            sent = await _read_form(request)
            proved = proof is not None and hmac.compare_digest(
                proof.encode(), sent.get("proof", "").encode()
            )
            names = sent.get("first_name", ""), sent.get("last_name", "")
            joiner = Joiner(*names, sent.get("password", ""), signed_in if proved else None)
            await accept(self._store, link, joiner, FROM_PAGE)
        except ApiError as error:
            return _again(title, error, _invitation_form(offer, sent, proof))
        told = f"You belong to {offer.organization_name} now. Sign in with {offer.email}."
        return page("Done", paragraph(told))

    async def _signed_in(self, request: Request, offer: Offer) -> str | None:
        """The user of the browser's session, where that is the one who is invited."""
        with suppress(Unauthorized):
            user_id = (await signed_in(self._authenticator, request)).user_id
            if user_id == await login_of(self._store, offer.email):
                return user_id
        return None


def _invitation_form(offer: Offer, sent: Form, proof: str | None) -> str:
    first, last = sent.get("first_name", ""), sent.get("last_name", "")
    inputs = field("first_name", "First name", value=first, complete="given-name")
    inputs += field("last_name", "Last name", value=last, complete="family-name")
    if proof is not None:
        inputs += hidden("proof", proof)
    else:
        hint = (
            "The one with which you sign in here already, or else a new one of at least"
            f" {SHORTEST} characters."
        )
        inputs += field(
            "password", "Password", kind="password", complete="current-password", hint=hint
        )
    return paragraph(f"For {offer.email}.") + form(inputs, "Join")


def _proof(request: Request, link: Link) -> str:
    """What only a page that this session was shown can hold."""
    session = session_of(headers_of(request)) or ""
    return hmac.new(session.encode(), link.id.encode(), hashlib.sha256).hexdigest()


async def _read_form(request: Request) -> Form:
    """The fields of a form that was sent; raises ApiError."""
    headers = headers_of(request)
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    raw = await receive_body(headers, request.receive)
    if kind != b"application/x-www-form-urlencoded":
        raise BadRequest("This is not what the form sends.")
    try:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise BadRequest("This is not what the form sends.") from None


def _again(title: str, error: ApiError, body: str) -> Response:
    """The form once more, below what was wrong with it."""
    wait = {"retry-after": str(error.seconds)} if isinstance(error, TooManyTries) else None
    return page(title, alert(_text_of(error)) + body, error.status, wait)


def _text_of(error: ApiError) -> str:
    problems = error.body.get("field-errors", {})
    told = [f"{name.replace('_', ' ').capitalize()}: {text}" for name, text in problems.items()]
    return str(error.body.get("error") or " ".join(told))
