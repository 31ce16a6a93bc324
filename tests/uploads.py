"""Files in tests: where to send one, sending it, fetching it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import requests
from harness import SECRET_KEY, Api

from clinch.files.tickets import Ticket, fields_of, make_ticket
from clinch.identity.credentials import Authenticator
from clinch.vault.vault import Vault

Json = dict[str, Any]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def ask(api: Api, filename: str = "quote.pdf", content_type: str = "application/pdf") -> Json:
    """What is answered to who wants to upload a file."""
    told: Json = api.post("/files/upload/", {"filename": filename, "content_type": content_type})
    return told


def send(told: Json, content: Any, **other: str | None) -> requests.Response:
    """Send the content as a client does, with `other` fields in the place of those answered; one
    that is None is left out."""
    fields = {name.replace("Content_Type", "Content-Type"): text for name, text in other.items()}
    fields = told["upload"]["fields"] | fields
    parts = [(name, (None, text)) for name, text in fields.items() if text is not None]
    file = ("file", ("as the client calls it", content))
    return requests.post(told["upload"]["url"], files=[*parts, file], timeout=30)


def uploaded(api: Api, content: bytes = b"a quote", **named: str) -> str:
    """The address of a file that was just uploaded."""
    told = ask(api, **named)
    assert send(told, content).status_code == 201
    return str(told["download"]["url"])


def fetch(
    api: Api, url: str, method: str = "GET", headers: dict[str, str] | None = None
) -> requests.Response:
    return requests.request(method, url, auth=(api.key, ""), headers=headers, timeout=30)


def limited(api: Api, max_size: int) -> Json:
    """As `ask`, for a file of so many bytes at most."""
    ticket = _ticket(api)
    return _told(api, msgspec.structs.replace(ticket, file=replace(ticket.file, max_size=max_size)))


def expiring(api: Api, at: datetime) -> Json:
    """As `ask`, good until then."""
    return _told(api, msgspec.structs.replace(_ticket(api), expires_at=at))


def _ticket(api: Api) -> Ticket:
    actor = api.program.run(Authenticator(api.program.store.database).actor(api.key))
    return make_ticket(actor, "quote.pdf", "application/pdf")


def _told(api: Api, ticket: Ticket) -> Json:
    fields = fields_of(ticket, Vault(SECRET_KEY))
    return {"upload": {"url": f"{api.program.url}/go/upload/", "fields": fields}}
