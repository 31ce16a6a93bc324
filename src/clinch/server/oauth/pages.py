"""The pages of OAuth: sign in, allow or deny, and the code for who has no browser to come back to.

They are plain forms. Nobody is sent anywhere before it is certain that the program may be sent to
there. Consent is a POST with a proof that only a page shown to this session can hold.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clinch.db.database import Database
from clinch.identity.belongings import Belonging, organizations_of
from clinch.identity.credentials import Authenticator, Unauthorized
from clinch.identity.oauth.clients import CODE_PAGE, COMMAND_LINE, Client, find_client
from clinch.identity.oauth.codes import LIFETIME as CODE_LIFETIME
from clinch.identity.oauth.codes import SHOWN_LIFETIME, check_challenge, make_code
from clinch.identity.oauth.errors import OAuthError
from clinch.identity.oauth.grants import Granted
from clinch.identity.scopes import InvalidScope, Scope, read_scope
from clinch.resources.actor import Actor, OperationClass
from clinch.server.html import alert, hidden, page, paragraph, sent_to
from clinch.server.oauth.tokens import PREFIXES
from clinch.server.session import headers_of, session_of, signed_in
from clinch.server.sign_in_page import SignInPage, read_form
from clinch.vault.vault import Vault

_SCOPES = {
    OperationClass.READ: "look at what you may see",
    OperationClass.WRITE: "add and change what you may change",
    OperationClass.DESTRUCTIVE: "delete and merge what you may delete",
}


def oauth_pages(
    database: Database, vault: Vault, authenticator: Authenticator, public_url: str
) -> list[Route]:
    pages = _Pages(database, vault, authenticator, public_url)
    return [
        Route(at, endpoint, methods=methods)
        for prefix in PREFIXES
        for name, endpoint, methods in (
            ("authorize", pages.authorize, ["GET", "POST"]),
            ("code", pages.code, ["GET"]),
        )
        for at in (f"{prefix}/{name}", f"{prefix}/{name}/")
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for access that may be answered to the program."""

    client: Client
    name: str
    redirect_uri: str
    state: str | None
    scope: Scope
    challenge: str | None
    of_person: bool

    @property
    def place(self) -> str:
        """Where the person is sent afterwards, as they may know it."""
        if self.redirect_uri.endswith(CODE_PAGE):
            return "a code on the next page"
        return str(urlsplit(self.redirect_uri).hostname)


class _Refused(Exception):
    """The program is told that this does not work, by the browser."""

    def __init__(self, place: str) -> None:
        super().__init__("refused")
        self.place = place


class _Pages:
    def __init__(
        self, database: Database, vault: Vault, authenticator: Authenticator, public_url: str
    ) -> None:
        self._database, self._authenticator = database, authenticator
        self._sign_in, self._public_url = SignInPage(database, vault, public_url), public_url

    async def authorize(self, request: Request) -> Response:
        try:
            asked = await self._asked(request.query_params)
        except _Refused as refused:
            return RedirectResponse(refused.place, 303)
        except OAuthError as error:
            return page("This does not work", alert(error.description), error.status)
        sent = await read_form(request) if request.method == "POST" else {}
        why = f"To go on with {asked.name}."
        if self._sign_in.was_sent(sent):
            return await self._sign_in.take(request, why, sent)
        try:
            actor = await signed_in(self._authenticator, request)
        except Unauthorized:
            return self._sign_in.show(why, {})
        belongings = await self._belongings(actor, asked)
        if not belongings:
            return page("This does not work", alert("You belong to no organization here."), 403)
        proof = _proof(request)
        if not hmac.compare_digest(proof.encode(), sent.get("proof", "").encode()):
            return _consent_page(asked, belongings, proof, actor)
        return await self._decide(asked, belongings, actor, sent)

    async def code(self, request: Request) -> Response:
        """The last page of a login whose program waits for a code to be typed."""
        query = request.query_params
        if "error" in query:
            return page("Not allowed", paragraph("Nothing was allowed. You can close this page."))
        code = query.get("code", "")
        if not code.isalnum() or len(code) > 100:
            return page("This does not work", alert("There is no code here."), 400)
        body = (
            paragraph("Give this code to the program that asked you to log in:")
            + f'<p class="code"><code>{escape(code)}</code></p>\n'
            + paragraph("Or type, where it runs:")
            + f"<pre>membrane login complete {escape(code)}</pre>\n"
            + paragraph("It is good once, for ten minutes. Then you can close this page.")
        )
        return page("You are logged in", body)

    async def _asked(self, query: QueryParams) -> _Asked:
        """What is asked; raises _Refused, or OAuthError where only the person may be told."""
        client = await find_client(self._database, query.get("client_id", ""))
        if client is None:
            raise OAuthError("invalid_request", "The program that sent you here is not known here.")
        redirect = query.get("redirect_uri") or next(iter(client.redirect_uris), "")
        if not client.allows(redirect, self._public_url):
            raise OAuthError(
                "invalid_request",
                "The program wants you to be sent to a place that is not one of its own.",
            )
        state = query.get("state")

        def refuse(code: str, told: str) -> Exception:
            if client.organization_id is None and client != COMMAND_LINE:
                # Who registered themselves could make any address one that we send people to.
                return OAuthError(code, told)
            error = {"error": code, "error_description": told}
            return _Refused(self._place(redirect, state, error))

        if query.get("response_type") != "code":
            raise refuse("unsupported_response_type", "response_type is code.")
        of_person = query.get("audience") == "person"
        if of_person and client != COMMAND_LINE:
            raise refuse("invalid_request", "Only the command line may ask for a person.")
        try:
            scope = read_scope(query.get("scope", ""))
            challenge = check_challenge(
                client, query.get("code_challenge"), query.get("code_challenge_method")
            )
        except InvalidScope as error:
            raise refuse("invalid_scope", str(error)) from None
        except OAuthError as error:
            raise refuse(error.code, error.description) from None
        name = client.name
        told = query.get("client_name", "")[:60]
        if client == COMMAND_LINE and told.isprintable() and told:
            name = f"{name} ({told})"
        return _Asked(client, name, redirect, state, scope, challenge, of_person)

    def _place(self, redirect: str, state: str | None, told: dict[str, str]) -> str:
        """The program's address with what it is told."""
        told = {**told, "iss": self._public_url} | ({} if state is None else {"state": state})
        return f"{redirect}{'&' if '?' in redirect else '?'}{urlencode(told)}"

    async def _belongings(self, actor: Actor, asked: _Asked) -> list[Belonging]:
        found = await organizations_of(self._database, actor.user_id or "")
        own = asked.client.organization_id
        return [one for one in found if own in (None, one.organization_id)]

    async def _decide(
        self, asked: _Asked, belongings: list[Belonging], actor: Actor, sent: dict[str, str]
    ) -> Response:
        if sent.get("decision") != "allow":
            told = {"error": "access_denied", "error_description": "It was not allowed."}
            return RedirectResponse(self._place(asked.redirect_uri, asked.state, told), 303)
        ticked = [one for one in asked.scope.operations if sent.get(one.value) == "on"]
        scope = asked.scope.within(ticked)
        chosen = [one for one in belongings if one.organization == sent.get("organization")]
        if not scope.operations or not (chosen or asked.of_person):
            wrong = "Choose at least one thing to allow, and the organization."
            return page("This does not work", alert(wrong), 400)
        organization_id = None if asked.of_person else chosen[0].organization_id
        shown = asked.redirect_uri.endswith(CODE_PAGE)
        code = await make_code(
            self._database,
            Granted(asked.client, actor.user_id or "", organization_id, scope),
            asked.redirect_uri,
            asked.challenge,
            SHOWN_LIFETIME if shown else CODE_LIFETIME,
            datetime.now(UTC),
        )
        place = self._place(asked.redirect_uri, asked.state, {"code": code})
        return RedirectResponse(place, 303)


def _consent_page(asked: _Asked, belongings: list[Belonging], proof: str, actor: Actor) -> Response:
    inputs = hidden("proof", proof)
    if not asked.of_person:
        inputs += _organizations(belongings, actor)
    boxes = "".join(
        f'<label class="choice"><input type="checkbox" name="{one.value}" checked> {told}</label>\n'
        for one, told in _SCOPES.items()
        if one in asked.scope.operations
    )
    inputs += f"<fieldset>\n<legend>It may</legend>\n{boxes}</fieldset>\n"
    buttons = (
        '<button name="decision" value="allow">Allow</button>\n'
        '<button name="decision" value="deny" class="other">Deny</button>\n'
    )
    kept = "It keeps this until you end it." if asked.scope.offline else "It keeps this an hour."
    body = (
        paragraph(f"{asked.name} wants to act for you. Then you come to {asked.place}.")
        + f'<form method="post">\n{inputs}{paragraph(kept)}{buttons}</form>\n'
    )
    return page(f"Allow {asked.name}?", body, headers=sent_to(asked.redirect_uri))


def _organizations(belongings: list[Belonging], actor: Actor) -> str:
    if len(belongings) == 1:
        [only] = belongings
        return hidden("organization", only.organization) + paragraph(f"In {only.name}.")
    choices = "".join(
        f'<label class="choice"><input type="radio" name="organization" required'
        f' value="{escape(one.organization)}"'
        f"{' checked' if one.organization == actor.organization else ''}>"
        f" {escape(one.name)}</label>\n"
        for one in belongings
    )
    return f"<fieldset>\n<legend>In</legend>\n{choices}</fieldset>\n"


def _proof(request: Request) -> str:
    """What only a page that was shown to this session, for this request, can hold."""
    session = session_of(headers_of(request)) or ""
    asked = request.url.query.encode()
    return hmac.new(session.encode(), asked, hashlib.sha256).hexdigest()
