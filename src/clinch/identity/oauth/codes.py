"""Authorization codes: what a person's consent comes to, until the program fetches its tokens."""

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta

from clinch.db.database import Database
from clinch.db.ids import new_secret
from clinch.db.schema import Column, Index, Table, id_column
from clinch.identity.oauth.clients import Client
from clinch.identity.oauth.errors import OAuthError, invalid_grant
from clinch.identity.oauth.grants import Granted, Tokens, end_grant, make_grant
from clinch.identity.scopes import read_scope

LIFETIME = timedelta(minutes=2)
SHOWN_LIFETIME = timedelta(minutes=10)
"""The life of a code that a person carries to a terminal."""
_KEPT = timedelta(days=1)

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")

OAUTH_CODE = Table(
    "oauth_code",
    "reference",
    (
        Column("hash", "bytea"),
        id_column("client_id"),
        id_column("user_id"),
        Column("organization_id", "uuid", nullable=True),
        Column("redirect_uri", "text"),
        Column("challenge", "text", nullable=True),
        Column("scope", "text"),
        Column("expires_at", "timestamp with time zone"),
        id_column("grant_id", nullable=True),
    ),
    ("hash",),
    indexes=(Index(("expires_at",)),),
)


def check_challenge(client: Client, challenge: str | None, method: str | None) -> str | None:
    """The PKCE challenge of a request, None for a program with a secret; raises OAuthError."""
    if challenge is None and client.hash is not None:
        return None
    if challenge is None or method != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise OAuthError(
            "invalid_request", "PKCE is needed: code_challenge with code_challenge_method=S256."
        )
    return challenge


async def make_code(
    database: Database,
    granted: Granted,
    redirect_uri: str,
    challenge: str | None,
    lifetime: timedelta,
    now: datetime,
) -> str:
    """A code for what somebody has just allowed; those that are long over are forgotten."""
    code = new_secret()
    async with database.installation() as transaction:
        await transaction.execute("delete from oauth_code where expires_at < $1", now - _KEPT)
        await transaction.execute(
            "insert into oauth_code (hash, client_id, user_id, organization_id, redirect_uri,"
            " challenge, scope, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)",
            _hash(code),
            granted.client.id,
            granted.user_id,
            granted.organization_id,
            redirect_uri,
            challenge,
            str(granted.scope),
            now + lifetime,
        )
    return code


async def exchange_code(
    database: Database,
    client: Client,
    code: str,
    redirect_uri: str | None,
    verifier: str | None,
    now: datetime,
) -> Tokens:
    """The tokens for a code; raises OAuthError. A code that comes twice ends what it gave."""
    async with database.installation() as transaction:
        rows = await transaction.rows(
            "select c.client_id, c.user_id, c.organization_id::text, c.redirect_uri, c.challenge,"
            " c.scope, c.expires_at, c.grant_id from oauth_code c where c.hash = $1 for update",
            _hash(code),
        )
        if not rows or rows[0]["client_id"] != client.id:
            raise invalid_grant("The code is not one that this program was given.")
        row = rows[0]
        if row["grant_id"] is None:
            if row["expires_at"] <= now:
                raise invalid_grant("The code has expired.")
            if redirect_uri != row["redirect_uri"] and (client.hash is None or redirect_uri):
                raise invalid_grant("The redirect_uri is not the one that the code was sent to.")
            if not _proves(verifier, row["challenge"]):
                raise invalid_grant("The code_verifier does not fit the code_challenge.")
            scope = read_scope(row["scope"])
            granted = Granted(client, row["user_id"], row["organization_id"], scope)
            tokens = await make_grant(transaction, granted, now)
            await transaction.execute(
                "update oauth_code set grant_id = $2 where hash = $1", _hash(code), tokens.grant_id
            )
            return tokens
        await end_grant(transaction, row["grant_id"])
    raise invalid_grant("The code was used before; what it gave has ended.")


def _proves(verifier: str | None, challenge: str | None) -> bool:
    if challenge is None:
        return verifier is None
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
