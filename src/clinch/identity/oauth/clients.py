"""The programs that may ask for access: those of an organization, those that register themselves,
and the command line."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from clinch.db.database import Database
from clinch.db.ids import new_id, new_secret
from clinch.db.schema import Column, Index, Table, id_column
from clinch.identity.oauth.errors import OAuthError

CODE_PAGE = "/oauth2/code/"
"""Where the last page of a login shows the code, for a program that no browser comes back to."""

CALLBACK = "/callback"
"""Where the command line waits for the browser, on its own machine."""

MOST_URIS, LONGEST_URI, LONGEST_NAME = 10, 1000, 100
# Anybody may register a program, so what nobody ever used does not stay.
_MOST_REGISTERED = 1000
_UNUSED_FOR = timedelta(days=1)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

OAUTH_CLIENT = Table(
    "oauth_client",
    "reference",
    (
        id_column(),
        Column("organization_id", "uuid", nullable=True),
        Column("name", "text"),
        Column("hash", "bytea", nullable=True),
        Column("redirect_uris", "text[]"),
        Column("created_at", "timestamp with time zone"),
    ),
    ("id",),
    indexes=(Index(("organization_id",), name="oauth_client_organization"),),
)


@dataclass(frozen=True, slots=True)
class Client:
    """A program. Without a secret's `hash` it is public and has to use PKCE; with an
    `organization_id` (a uuid) only that organization's people may use it."""

    id: str
    name: str
    hash: bytes | None
    redirect_uris: tuple[str, ...]
    organization_id: str | None = None
    created_at: datetime | None = None

    def allows(self, uri: str, public_url: str) -> bool:
        """Whether a browser may be sent there with a code."""
        if self == COMMAND_LINE:
            here = _is_loopback(uri) and urlsplit(uri).path == CALLBACK
            return here or uri == f"{public_url}{CODE_PAGE}"
        if uri in self.redirect_uris:
            return True
        # RFC 8252 7.3: a program on the person's machine takes whatever port is free.
        return _is_loopback(uri) and any(
            _is_loopback(own) and _without_port(own) == _without_port(uri)
            for own in self.redirect_uris
        )


COMMAND_LINE = Client("membrane-cli", "Command line", None, ())
GATEWAY = Client("gateway", "The gateway of this server", None, ())


async def register_client(
    database: Database,
    name: str,
    redirect_uris: Sequence[str],
    now: datetime,
    *,
    organization_id: str | None = None,
    confidential: bool,
) -> tuple[Client, str | None]:
    """A new program, and its secret, which is told once; raises OAuthError."""
    uris = check_uris(redirect_uris)
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise OAuthError(
            "invalid_client_metadata", f"A name has 1 to {LONGEST_NAME} printable characters."
        )
    secret = new_secret() + new_secret() if confidential else None
    client = Client(
        new_id("oa2client"),
        name,
        None if secret is None else _hash(secret),
        uris,
        organization_id,
        now,
    )
    async with database.installation() as transaction:
        if organization_id is None:
            await transaction.execute(
                "delete from oauth_client c where c.organization_id is null and c.created_at < $1"
                " and not exists (select from oauth_grant g where g.client_id = c.id)",
                now - _UNUSED_FOR,
            )
            there = await transaction.value(
                "select count(*) from oauth_client c where c.organization_id is null"
            )
            if there >= _MOST_REGISTERED:
                raise OAuthError(
                    "temporarily_unavailable", "Too many programs have registered today.", 503
                )
        await transaction.execute(
            "insert into oauth_client (id, organization_id, name, hash, redirect_uris, created_at)"
            " values ($1, $2, $3, $4, $5, $6)",
            client.id,
            organization_id,
            name,
            client.hash,
            list(uris),
            now,
        )
    return client, secret


async def find_client(database: Database, id: str) -> Client | None:
    """The program with an id."""
    if id == COMMAND_LINE.id:
        return COMMAND_LINE
    if "\x00" in id:
        return None
    async with database.installation() as transaction:
        rows = await transaction.rows(f"{_SELECT} where c.id = $1", id)
    return _client(rows[0]) if rows else None


async def organizations_clients(database: Database, organization_id: str) -> list[Client]:
    """The programs of an organization, the oldest first."""
    async with database.installation() as transaction:
        rows = await transaction.rows(
            f"{_SELECT} where c.organization_id = $1 order by c.created_at, c.id", organization_id
        )
    return [_client(row) for row in rows]


async def remove_client(database: Database, organization_id: str, id: str) -> bool:
    """End a program of an organization and all that was granted to it; whether there was one."""
    async with database.installation() as transaction:
        removed = await transaction.value(
            "delete from oauth_client where id = $1 and organization_id = $2 returning id",
            id,
            organization_id,
        )
        if removed is not None:
            await transaction.execute(
                "delete from credential where grant_id in"
                " (select g.id from oauth_grant g where g.client_id = $1)",
                id,
            )
            await transaction.execute("delete from oauth_grant where client_id = $1", id)
    return removed is not None


async def authenticate_client(database: Database, id: str, secret: str | None) -> Client:
    """The program that says it is this one; raises OAuthError."""
    client = await find_client(database, id)
    if client is None:
        raise OAuthError("invalid_client", "No program has this client_id.", 401)
    if client.hash is not None and not hmac.compare_digest(client.hash, _hash(secret or "")):
        raise OAuthError("invalid_client", "The client_secret is not right.", 401)
    return client


def check_uris(uris: Sequence[str]) -> tuple[str, ...]:
    """Addresses that a browser may be sent to; raises OAuthError."""
    if not 1 <= len(uris) <= MOST_URIS:
        raise OAuthError("invalid_redirect_uri", f"Give 1 to {MOST_URIS} redirect_uris.")
    for uri in uris:
        if not _is_proper(uri):
            raise OAuthError(
                "invalid_redirect_uri",
                "A redirect URI is https, or http on this machine (127.0.0.1, localhost), without"
                " a fragment.",
            )
    return tuple(uris)


def _is_proper(uri: str) -> bool:
    if len(uri) > LONGEST_URI or not uri.isprintable() or " " in uri or "\\" in uri:
        return False
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or "#" in uri:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def _is_loopback(uri: str) -> bool:
    return _is_proper(uri) and uri.startswith("http://")


def _without_port(uri: str) -> tuple[str | None, str, str]:
    parts = urlsplit(uri)
    return parts.hostname, parts.path, parts.query


_SELECT = (
    "select c.id, c.name, c.hash, c.redirect_uris, c.organization_id::text, c.created_at"
    " from oauth_client c"
)


def _client(row: Sequence[object]) -> Client:
    id, name, hash, uris, organization_id, created_at = row
    return Client(id, name, hash, tuple(uris), organization_id, created_at)  # type: ignore[arg-type]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
