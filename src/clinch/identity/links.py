"""Links that one person hands to another, to set a password or to join.

A link ends in `<id>.<secret>`; only the hash of the secret is kept. The table is read before the
tenant is known.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from clinch.db.database import Database, Tenant
from clinch.db.ids import new_secret
from clinch.db.schema import Column, Index, Table, id_column
from clinch.resources.actor import Actor
from clinch.resources.errors import ApiError

LINK = Table(
    "link",
    "reference",
    (
        id_column(),
        Column("organization_id", "uuid"),
        id_column("made_by", nullable=True),
        id_column("user_id", nullable=True),
        Column("hash", "bytea"),
        Column("expires_at", "timestamp with time zone"),
    ),
    ("id",),
    indexes=(Index(("organization_id",), name="link_organization"), Index(("user_id",))),
)

INSERT = (
    "insert into link (id, organization_id, made_by, user_id, hash, expires_at)"
    " values ($1, $2, $3, $4, $5, $6)"
)


class LinkRefused(ApiError):
    """The link leads nowhere, or no longer."""

    status = 404

    def __init__(self, text: str = "This link is not one of ours. Please check it.") -> None:
        super().__init__({"error": text})


@dataclass(frozen=True, slots=True)
class Link:
    """A link whose secret is right, whether it has expired or not.

    `made_by` is a user of the organization, None for the installation's operator. `user_id` is
    whose password it sets, None where it lets somebody join.
    """

    id: str
    organization_id: str
    organization: str
    made_by: str | None
    user_id: str | None
    expires_at: datetime

    def actor(self, user_id: str | None = None) -> Actor:
        """Who follows the link, as an actor in its organization."""
        return Actor(Tenant(self.organization_id), self.organization, user_id)


def new_link_secret() -> tuple[str, bytes]:
    """The secret of a new link, and its hash."""
    secret = new_secret()
    return secret, _hash(secret)


async def find_link(database: Database, text: str) -> Link:
    """The link that ends so; raises LinkRefused."""
    id, _, secret = text.partition(".")
    if not text.isascii() or "\x00" in text:
        raise LinkRefused
    async with database.installation() as transaction:
        rows = await transaction.rows(
            "select l.id, l.organization_id::text, d.id as organization, l.made_by, l.user_id,"
            " l.expires_at, l.hash from link l"
            " join organization_directory d on d.organization_id = l.organization_id"
            " where l.id = $1",
            id,
        )
    if not rows or not hmac.compare_digest(rows[0]["hash"], _hash(secret)):
        raise LinkRefused
    found = dict(rows[0])
    del found["hash"]
    return Link(**found)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
