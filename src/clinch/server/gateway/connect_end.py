"""The end of a connect session: what its page does, and the message that a product's page hears."""

from html import escape
from typing import Any

import msgspec
from starlette.responses import RedirectResponse, Response

from clinch.gateway.connections.connection import Connection
from clinch.gateway.connections.sessions import ConnectSession, Outcome
from clinch.gateway.errors import GatewayError
from clinch.server.gateway.connections import shown
from clinch.server.html import alert, page, paragraph, running

# The site that is told is named, so that no other hears it. The window closes by itself, after who
# listens by events instead has heard it too.
_SCRIPT = """
const { origin, message } = document.currentScript.dataset;
if (window.opener) {
  window.opener.postMessage(JSON.parse(message), origin);
  setTimeout(() => window.close(), 3000);
}
"""


def message(session_id: str, outcome: Outcome, connection: Connection | None) -> dict[str, Any]:
    """What a page of a product hears, as the SDK knows it; nothing of it is secret."""
    told: dict[str, Any] = {"source": "integration.app", "requestId": session_id}
    if outcome.failure is None:
        one = shown(connection) if connection is not None else {"id": outcome.connection_id}
        return told | {"type": "newConnectionCreated", "connection": one}
    failed = {"error": outcome.failure["message"], "errorData": outcome.failure}
    if outcome.connection_id is not None:
        failed["connectionId"] = outcome.connection_id
    return told | {"type": "newConnectionFailure"} | failed


def end_page(
    session: ConnectSession, outcome: Outcome, connection: Connection | None, status: int = 200
) -> Response:
    """The last answer of a session: the browser goes back to the product, or its page is told."""
    if session.redirect_uri is not None:
        return RedirectResponse(outcome.added_to(session.redirect_uri), 303)
    told = message(session.id, outcome, connection)
    title, body = "This did not work", alert(str(told.get("error", "")))
    if connection is not None and outcome.failure is None:
        title, body = "Done", done_text(connection)
    if session.origin is None:
        return page(title, body, status, BESIDE)
    encoded = escape(msgspec.json.encode(told).decode())
    origin = escape(session.origin)
    body += f'<script data-origin="{origin}" data-message="{encoded}">{_SCRIPT}</script>'
    return page(title, body, status, running(_SCRIPT) | BESIDE)


def refused_page(error: GatewayError) -> Response:
    """The answer to who began no session."""
    return page("This does not work", alert(error.message), error.status, BESIDE)


def done_text(connection: Connection) -> str:
    return paragraph(f"{connection.connector.name} is connected. You can close this page.")


BESIDE = {"cross-origin-opener-policy": "unsafe-none"}
"""The header of a page that may be in a window which a product's page has opened. With any other
policy the browser takes the two apart, and the product takes the window for closed."""
