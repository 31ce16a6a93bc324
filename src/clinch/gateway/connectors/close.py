"""The app `close`: this server by the API that it shares with Close; made of our own document."""

from collections.abc import Mapping
from typing import Any

from clinch.gateway.connectors.connector import (
    AuthOption,
    Connector,
    OptionType,
    Placement,
)
from clinch.gateway.connectors.openapi import read_operations
from clinch.resources.actor import OperationClass

KEY = "close"

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
        return AuthOption(key, type, title, description, Placement(), base)

    return Connector(
        "connector_close",
        KEY,
        "Close",
        "The CRM of this server: leads, contacts, opportunities, tasks, notes, calls and mails.",
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
        ),
        read_operations(document, "api-", _CLASSES),
        "/me/",
        trailing_slash=True,
    )
