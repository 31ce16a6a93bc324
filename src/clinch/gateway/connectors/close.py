"""The app `close`: this server, and close.com, which speak one API; made of our own document."""

from collections.abc import Mapping
from typing import Any

from clinch.gateway.connectors.connector import (
    AuthOption,
    Connector,
    OAuthServer,
    OptionType,
    Placement,
)
from clinch.gateway.connectors.openapi import read_operations
from clinch.resources.actor import OperationClass

KEY = "close"
ELSEWHERE = "https://api.close.com/api/v1"

_API_KEY = {
    "type": "object",
    "properties": {"apiKey": {"type": "string", "title": "API key", "writeOnly": True}},
    "required": ["apiKey"],
    "additionalProperties": False,
}
_BASIC = Placement(template="{apiKey}:", basic=True)
_CLASSES = {"merge_leads": OperationClass.DESTRUCTIVE}


def close(document: Mapping[str, Any], public_url: str) -> Connector:
    """The connector; `document` is our OpenAPI document, `public_url` this server's."""
    here = f"{public_url}/api/v1"

    def option(key: str, type: OptionType, title: str, description: str, base: str) -> AuthOption:
        if type == "api-key":
            return AuthOption(key, type, title, description, _BASIC, base, _API_KEY)
        oauth = _OAUTH if type == "oauth2" else None
        return AuthOption(key, type, title, description, Placement(), base, oauth=oauth)

    return Connector(
        "connector_close",
        KEY,
        "Close",
        "The CRM of this server: leads, contacts, opportunities, tasks, notes, calls and mails."
        " close.com can be connected by the same actions.",
        ("CRM", "Sales"),
        ("close.com", "close.io"),
        (
            option(
                "this-server",
                "this-server",
                "This server",
                "As yourself, within what your login allows.",
                here,
            ),
            option("api-key", "api-key", "This server, by an API key", "By a key of it.", here),
            option(
                "close-com",
                "oauth2",
                "close.com",
                "An account at close.com, by its own page.",
                ELSEWHERE,
            ),
            option(
                "close-com-api-key",
                "api-key",
                "close.com, by an API key",
                "An account at close.com, by a key of it.",
                ELSEWHERE,
            ),
        ),
        read_operations(document, "api-", _CLASSES),
        "/me/",
        trailing_slash=True,
    )


_OAUTH = OAuthServer(
    "https://app.close.com/oauth2/authorize/",
    "https://api.close.com/oauth2/token/",
    "https://api.close.com/oauth2/revoke/",
    ("all.full_access", "offline_access"),
    ("CLINCH_CLOSE_CLIENT_ID", "CLINCH_CLOSE_CLIENT_SECRET"),
)
