"""The app `close`: this server, and close.com, which share an API; made of our own document."""

from collections.abc import Mapping
from typing import Any

from clinch.gateway.connectors.connector import (
    AuthOption,
    Connector,
    OAuthServer,
    Pagination,
    TestCall,
)
from clinch.gateway.connectors.openapi import Naming, read_operations
from clinch.gateway.connectors.placement import Placement
from clinch.resources.actor import OperationClass

KEY = "close"
_CLOSE_COM, _ITS_PAGES = "https://api.close.com", "https://app.close.com"

_API_KEY = {
    "type": "object",
    "properties": {
        "apiKey": {
            "type": "string",
            "title": "API key",
            "description": "It is made in the settings, and begins with api_.",
            "minLength": 1,
            "writeOnly": True,
        }
    },
    "required": ["apiKey"],
    "additionalProperties": False,
}
_BASIC = Placement(template="{apiKey}:", basic=True)
_BEARER = Placement()
# The friendly actions have the plain names, such as list-leads.
_NAMING = Naming("api-", {"merge_leads": OperationClass.DESTRUCTIVE})


def close(document: Mapping[str, Any], public_url: str, origin: str = "") -> Connector:
    """The connector; `document` is our OpenAPI document, `public_url` this server's, and `origin`
    that of the server that stands for close.com, if one does."""
    here, elsewhere = f"{public_url}/api/v1", f"{origin or _CLOSE_COM}/api/v1"
    oauth = OAuthServer(
        authorize_url=f"{origin or _ITS_PAGES}/oauth2/authorize/",
        token_url=f"{origin or _CLOSE_COM}/oauth2/token/",
        revoke_url=f"{origin or _CLOSE_COM}/oauth2/revoke/",
        scopes=("all.full_access", "offline_access"),
        replay_window=30,
    )
    return Connector(
        "connector_close",
        KEY,
        "Close",
        "The CRM of this server: leads, contacts, opportunities, tasks, notes, calls and mails."
        " An account at close.com can be connected as well.",
        ("CRM", "Sales"),
        ("close.com", "close.io"),
        here,
        (
            AuthOption(
                "this-server",
                "this-server",
                "This server",
                "As yourself, within what your login allows.",
                _BEARER,
                here,
                here=True,
            ),
            AuthOption(
                "api-key",
                "api-key",
                "This server, by an API key",
                "By an API key of this server.",
                _BASIC,
                here,
                _API_KEY,
                here=True,
            ),
            AuthOption(
                "close-com",
                "oauth2",
                "close.com",
                "Your account at close.com, by your login there.",
                _BEARER,
                elsewhere,
                oauth=oauth,
            ),
            AuthOption(
                "close-com-api-key",
                "api-key",
                "close.com, by an API key",
                "Your account at close.com, by an API key of it (Settings, Developer, API keys).",
                _BASIC,
                elsewhere,
                _API_KEY,
            ),
        ),
        read_operations(document, _NAMING).operations,
        TestCall("GET", "/me/"),
        Pagination(
            style="offset",
            position="_skip",
            items="data",
            has_more="has_more",
            limit="_limit",
            largest=100,
        ),
        trailing_slash=True,
        errors=("field-errors", "errors", "error"),
    )
