"""The page on which a person lets an app be connected, without JavaScript.

Its address holds a ticket. A user has to be signed in as well, so that nobody else's secret comes
into their connection by a link that went astray; a workspace's customers have no login here, so for
them the ticket is all there is. A login at the app begins and ends here, in the same browser.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clinch.db.database import Database
from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.entrance import CALLBACK, TICKET_LIFE, Entrance, LoginFailed
from clinch.gateway.errors import GatewayError
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.identity.credentials import Authenticator, Unauthorized
from clinch.server.html import alert, field, form, page, paragraph, sent_to
from clinch.server.session import signed_in
from clinch.server.sign_in_page import SignInPage, read_form
from clinch.vault.vault import Vault


def connect_page(
    database: Database,
    vault: Vault,
    authenticator: Authenticator,
    entrance: Entrance,
    public_url: str,
) -> list[Route]:
    sign_in = SignInPage(database, vault, public_url)

    async def respond(request: Request) -> Response:
        now = datetime.now(UTC)
        try:
            tenant, connection = await entrance.by_ticket(request.path_params["ticket"], now)
        except GatewayError as error:
            return page("This does not work", alert(error.message), error.status)
        sent = await read_form(request) if request.method == "POST" else {}
        why = f"To connect {connection.connector.name}."
        if sign_in.was_sent(sent):
            return await sign_in.take(request, why, sent)
        if not await _may(request, tenant):
            return sign_in.show(why, {})
        if request.method != "POST":
            return _form(connection)
        try:
            if connection.option.oauth is None:
                return _done(await entrance.enter(tenant, connection.id, sent, now))
            begun = await entrance.begin_login(tenant, connection, request.url.path, now)
        except GatewayError as error:
            return _form(connection, error)
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
        state = request.query_params.get("state", "")
        cookie = _cookie((*state.split("."), "", "", "")[2])
        try:
            done = await entrance.finish_login(
                state, request.cookies.get(cookie, ""), request.query_params, datetime.now(UTC)
            )
        except LoginFailed as error:
            again = f'<p><a href="{escape(error.page)}">Try again</a></p>'
            return page("This did not work", alert(error.message) + again, error.status)
        except GatewayError as error:
            return page("This does not work", alert(error.message), error.status)
        response = _done(done)
        response.delete_cookie(cookie, path=CALLBACK)
        return response

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


def _done(connection: Connection) -> Response:
    told = f"{connection.connector.name} is connected. You can close this page."
    return page("Done", paragraph(told))


def _form(connection: Connection, error: GatewayError | None = None) -> Response:
    option, app = connection.option, connection.connector.name
    status = error.status if error is not None else 200
    told = alert(error.message) if error is not None else ""
    told += paragraph(option.description)
    if option.oauth is not None:
        headers = sent_to(option.oauth.authorize_url)
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
    return page(f"Connect {app}", told + form(inputs, "Connect"), status)
