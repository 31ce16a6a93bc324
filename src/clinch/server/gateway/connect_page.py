"""The page on which a person lets an app be connected, without JavaScript.

Its address holds a ticket, which is good for an hour and for one connection. A user has to be
signed in as well, so that nobody else's secret comes into their connection by a link that went
astray; a workspace's customers have no login here, so for them the ticket is all there is.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clinch.db.database import Database
from clinch.gateway.connections import Connection, Connections
from clinch.gateway.errors import GatewayError
from clinch.gateway.tenants import GatewayTenant
from clinch.identity.credentials import Authenticator, Unauthorized
from clinch.server.html import alert, field, form, page, paragraph
from clinch.server.session import signed_in
from clinch.server.sign_in_page import SignInPage, read_form
from clinch.vault.vault import Vault


def connect_page(
    database: Database,
    vault: Vault,
    authenticator: Authenticator,
    connections: Connections,
    public_url: str,
) -> Route:
    sign_in = SignInPage(database, vault, public_url)

    async def respond(request: Request) -> Response:
        now = datetime.now(UTC)
        try:
            tenant, connection = await connections.by_ticket(request.path_params["ticket"], now)
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
            await connections.enter(tenant, connection.id, sent, now)
        except GatewayError as error:
            return _form(connection, error)
        told = f"{connection.connector.name} is connected. You can close this page."
        return page("Done", paragraph(told))

    async def _may(request: Request, tenant: GatewayTenant) -> bool:
        if tenant.kind == "customer":
            return True
        try:
            actor = await signed_in(authenticator, request)
        except Unauthorized:
            return False
        return actor.user_id == tenant.user_id

    return Route("/connect/{ticket}", respond, methods=["GET", "POST"])


def _form(connection: Connection, error: GatewayError | None = None) -> Response:
    option = connection.option
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
    told = alert(error.message) if error is not None else ""
    body = told + f"<p>{escape(option.description)}</p>\n" + form(inputs, "Connect")
    return page(f"Connect {connection.connector.name}", body, error.status if error else 200)
