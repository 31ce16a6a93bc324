"""The app `close`: this server, and close.com, which share an API; made of our own document."""

from collections.abc import Mapping
from typing import Any

from clinch.gateway.connectors.connector import (
    AuthOption,
    Connector,
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


ELSEWHERE = "https://api.close.com/api/v1"


def close(document: Mapping[str, Any], public_url: str, elsewhere: str = ELSEWHERE) -> Connector:
    """The connector; `document` is our OpenAPI document, `public_url` this server's, `elsewhere`
    the address of the other one's API."""
    here = f"{public_url}/api/v1"

    return Connector(
        "connector_close",
        KEY,
        "Close",
        "The CRM of this server: leads, contacts, opportunities, tasks, notes, calls and mails."
        " An account at close.com can be connected as well.",
        ("CRM", "Sales"),
        ("close.com", "close.io"),
        (
            AuthOption(
                "this-server",
                "this-server",
                "This server",
                "As yourself, within what your login allows.",
                Placement(),
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
                here=True,
                input_schema=_API_KEY,
            ),
            AuthOption(
                "close-com-api-key",
                "api-key",
                "close.com, by an API key",
                "Your account at close.com, by an API key of it (Settings, Developer, API keys).",
                _BASIC,
                elsewhere,
                here=False,
                input_schema=_API_KEY,
            ),
        ),
        read_operations(document, "api-", _CLASSES),
        "/me/",
        trailing_slash=True,
    )
