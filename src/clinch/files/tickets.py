"""Tickets: what lets somebody send one file, for an hour, without a key.

A ticket is sealed by the vault, so it cannot be made or altered elsewhere, and tells its holder
nothing. It holds as long as the credential with which it was asked for.
"""

import base64
import binascii
from datetime import datetime, timedelta

import msgspec

from clinch.db.database import Tenant
from clinch.db.ids import new_id
from clinch.files.storage import NewFile
from clinch.resources.actor import Actor
from clinch.resources.errors import Forbidden
from clinch.resources.files import PREFIX, in_address
from clinch.vault.vault import CannotOpen, Vault

MAX_SIZE = 25_000_000
"""The bytes that a file may have."""

HOLDS_FOR = timedelta(hours=1)

_PLACE = "upload"

Fields = dict[str, str]


class Ticket(msgspec.Struct, frozen=True):
    """Who may send which file, and until when."""

    organization_id: str
    credential_id: str | None
    version: int
    file: NewFile
    expires_at: datetime

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.organization_id, self.credential_id, self.version)

    @property
    def address(self) -> str:
        """The last two parts of the file's address."""
        return f"{self.file.id}/{in_address(self.file.filename)}/"


def make_ticket(actor: Actor, filename: str, content_type: str) -> Ticket:
    tenant = actor.tenant
    file = NewFile(new_id(PREFIX), actor.user_id or "", filename, content_type, MAX_SIZE)
    expires_at = actor.clock() + HOLDS_FOR
    return Ticket(tenant.organization_id, tenant.credential_id, tenant.version, file, expires_at)


def fields_of(ticket: Ticket, vault: Vault) -> Fields:
    """The fields of the form with which the file is sent, ahead of its content."""
    sealed = vault.seal(msgspec.json.encode(ticket), _PLACE)
    return _plain_fields(ticket) | {"policy": base64.urlsafe_b64encode(sealed).decode()}


def read_ticket(fields: Fields, vault: Vault, now: datetime) -> Ticket:
    """The ticket that the fields of a form are of; raises Forbidden unless all of them are and it
    still holds."""
    try:
        sealed = base64.b64decode(fields.get("policy", ""), b"-_", validate=True)
        ticket = msgspec.json.decode(vault.open(sealed, _PLACE), type=Ticket)
    except (binascii.Error, ValueError, CannotOpen):
        raise Forbidden("These are not the fields of an upload.") from None
    if any(fields.get(name) != value for name, value in _plain_fields(ticket).items()):
        raise Forbidden("The fields of the upload were altered.")
    if ticket.expires_at < now:
        raise Forbidden("The time for this upload is over. Please ask for another.")
    return ticket


def _plain_fields(ticket: Ticket) -> Fields:
    return {
        "key": f"temporary/user/{ticket.file.user_id}/{ticket.address.rstrip('/')}",
        "Content-Type": ticket.file.content_type,
        "success_action_status": "201",
    }
