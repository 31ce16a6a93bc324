"""The page on which a person lets an app be connected, without JavaScript.

Its address holds a ticket. A user has to be signed in as well, so that nobody else's secret comes
into their connection by a link that went astray; a workspace's customers have no login here, so for
them the ticket is all there is. A login at the app begins and ends here, in the same browser.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clinch.db.database import Database
from clinch.gateway.connections.assembly import ConnectionRoom
from clinch.gateway.connections.entrance import CALLBACK, TICKET_LIFE, LoginFailed, Visit
from clinch.gateway.connections.sessions import ConnectSession
from clinch.gateway.errors import GatewayError
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.identity.credentials import Authenticator, Unauthorized
from clinch.server.gateway.connect_end import BESIDE, done_text, end_page
from clinch.server.html import alert, field, form, page, paragraph, sent_to
from clinch.server.session import signed_in
from clinch.server.sign_in_page import SignInPage, read_form
from clinch.vault.vault import Vault


def connect_page(
    database: Database,
    vault: Vault,
    authenticator: Authenticator,
    room: ConnectionRoom,
    public_url: str,
) -> list[Route]:
    sign_in, entrance, sessions = (
        SignInPage(database, vault, public_url),
        room.entrance,
        room.sessions,
    )

    async def respond(request: Request) -> Response:
        now = datetime.now(UTC)
        try:
            visit = await entrance.by_ticket(request.path_params["ticket"], now)
        except GatewayError as error:
            return page("This does not work", alert(error.message), error.status)
        session = await _session(visit)
        response = await _answer(request, visit, session, now)
        if session is not None and session.in_window_of_its_own:
            response.headers.update(BESIDE)
        return response

    async def _answer(
        request: Request, visit: Visit, session: ConnectSession | None, now: datetime
    ) -> Response:
        tenant, connection = visit.tenant, visit.connection
        sent = await read_form(request) if request.method == "POST" else {}
        why = f"To connect {connection.connector.name}."
        if sign_in.was_sent(sent):
            return await sign_in.take(request, why, sent)
        if not await _may(request, tenant):
            return sign_in.show(why, {})
        if request.method != "POST":
            return _form(visit, session)
        try:
            if connection.option.oauth is None:
                done = await entrance.enter(tenant, connection.id, sent, now)
                return await _done(replace(visit, connection=done), session, now)
            begun = await entrance.begin_login(visit, request.url.path, now)
        except GatewayError as error:
            return _form(visit, session, error)
        response = RedirectResponse(begun.url, 303)
        response.set_cookie(
            _cookie(connection.id),
            begun.browser,
            int(TICKET_LIFE.total_seconds()),
            path=CALLBACK,
            httponly=True,
            samesite="lax",
            secure=public_url.startswith("https:"),
        )
        return response

    async def back(request: Request) -> Response:
        """Where the app sends the browser back to."""
        now = datetime.now(UTC)
        state = request.query_params.get("state", "")
        cookie = _cookie((*state.split("."), "", "", "")[2])
        try:
            visit = await entrance.finish_login(
                state, request.cookies.get(cookie, ""), request.query_params, now
            )
        except LoginFailed as error:
            return await _failed(error, now)
        except GatewayError as error:
            return page("This does not work", alert(error.message), error.status)
        response = await _done(visit, await _session(visit), now)
        response.delete_cookie(cookie, path=CALLBACK)
        return response

    async def _session(visit: Visit) -> ConnectSession | None:
        if visit.session_id is None:
            return None
        return await sessions.get(visit.tenant, visit.session_id)

    async def _done(visit: Visit, session: ConnectSession | None, now: datetime) -> Response:
        connection = visit.connection
        if session is None:
            return page("Done", done_text(connection))
        outcome = await sessions.end(visit.tenant, session, connection.id, None, now)
        return end_page(session, outcome, connection)

    async def _failed(error: LoginFailed, now: datetime) -> Response:
        """A person may begin again; a product that sent them is told, and decides."""
        visit = error.visit
        session = await _session(visit)
        if session is None:
            again = f'<p><a href="{escape(error.page)}">Try again</a></p>'
            return page("This did not work", alert(error.message) + again, error.status)
        outcome = await sessions.end(visit.tenant, session, visit.connection.id, error, now)
        return end_page(session, outcome, None, error.status)

    async def _may(request: Request, tenant: GatewayTenant) -> bool:
        if tenant.kind == "customer":
            return True
        try:
            actor = await signed_in(authenticator, request)
        except Unauthorized:
            return False
        return actor.user_id == tenant.user_id

    return [
        Route(CALLBACK, back),
        Route("/connect/{ticket}", respond, methods=["GET", "POST"]),
    ]


def _cookie(connection_id: str) -> str:
    """A name of its own, so that several apps can be connected at a time."""
    return f"clinch_{connection_id}"


def _form(
    visit: Visit, session: ConnectSession | None, error: GatewayError | None = None
) -> Response:
    option, app = visit.connection.option, visit.connection.connector.name
    status = error.status if error is not None else 200
    told = alert(error.message) if error is not None else ""
    told += paragraph(option.description)
    leads_to = []
    if session is not None:
        told += paragraph(_asked_by(visit.tenant, session))
        leads_to += [session.redirect_uri] if session.redirect_uri is not None else []
    if option.oauth is not None:
        headers = sent_to(option.oauth.authorize_url, *leads_to)
        return page(f"Connect {app}", told + form("", f"Go to {app}"), status, headers)
    properties: Mapping[str, dict[str, object]] = option.input_schema["properties"]
    inputs = "".join(
        field(
            name,
            str(one.get("title", name)),
            kind="password" if one.get("writeOnly") else "text",
            hint=str(one.get("description", "")),
        )
        for name, one in properties.items()
    )
    body = told + form(inputs, "Connect")
    return page(f"Connect {app}", body, status, sent_to(*leads_to) if leads_to else None)


def _asked_by(tenant: GatewayTenant, session: ConnectSession) -> str:
    """By whom, and for whom: a person who came by a form of some site has to see that."""
    site = session.redirect_uri or session.origin
    asks = f"{urlsplit(site).netloc} asks for it, for" if site is not None else "It is for"
    return f"{asks} {tenant.name or tenant.key}."
