"""What somebody has allowed a program, and the tokens that come of it.

An access token is a credential like a key, for an hour. A refresh token is `rt_<grant>.<secret>`
and good once: the next one is made from it and from a salt that is kept here, so a program whose
answer was lost may ask again for half a minute and is told the same. Whatever else comes with a
spent one was stolen, or is a mistake that looks like it: the grant ends.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from clinch.db.database import Database, Tenant, Transaction
from clinch.db.ids import base62, new_id, new_secret
from clinch.db.schema import Column, Index, Table, id_column
from clinch.identity.credentials import issue
from clinch.identity.oauth.clients import Client
from clinch.identity.oauth.errors import OAuthError, invalid_grant
from clinch.identity.scopes import Scope, read_scope
from clinch.resources.actor import Actor, OperationClass
from clinch.resources.store import Store
from clinch.resources.write.work import Work

LIFETIME = timedelta(hours=1)
REPLAY_WINDOW = timedelta(seconds=30)
ACCESS, PERSON = "at", "pt"
# No organization has it, so a person's own token opens none of them.
NOBODYS = "00000000-0000-0000-0000-000000000000"

OAUTH_GRANT = Table(
    "oauth_grant",
    "reference",
    (
        id_column(),
        id_column("client_id"),
        Column("client_name", "text"),
        id_column("user_id"),
        Column("organization_id", "uuid", nullable=True),
        Column("scope", "text"),
        Column("hash", "bytea", nullable=True),
        Column("spent_hash", "bytea", nullable=True),
        Column("salt", "bytea", nullable=True),
        Column("rotated_at", "timestamp with time zone", nullable=True),
        Column("created_at", "timestamp with time zone"),
        Column("last_used_at", "timestamp with time zone"),
    ),
    ("id",),
    indexes=(Index(("user_id",)), Index(("client_id",))),
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a program is given. `organization` is a public id, None for a grant of the person."""

    access_token: str
    refresh_token: str | None
    scope: Scope
    grant_id: str
    user_id: str
    organization: str | None


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant, as its person sees it."""

    id: str
    client_id: str
    client_name: str
    scope: str
    is_of_person: bool
    created_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """Who allows what, in which organization (its uuid; None for the person as such)."""

    client: Client
    user_id: str
    organization_id: str | None
    scope: Scope


async def make_grant(transaction: Transaction, granted: Granted, now: datetime) -> Tokens:
    """A new grant with its first tokens."""
    id, secret = new_id("grant"), new_secret() if granted.scope.offline else None
    await transaction.execute(
        "insert into oauth_grant (id, client_id, client_name, user_id, organization_id, scope,"
        " hash, created_at, last_used_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        id,
        granted.client.id,
        granted.client.name,
        granted.user_id,
        granted.organization_id,
        str(granted.scope),
        None if secret is None else _hash(secret),
        now,
    )
    return await _tokens(transaction, id, granted, secret, now)


async def issue_grant(
    database: Database, actor: Actor, client: Client, scope: Scope, now: datetime
) -> Tokens:
    """A grant that the program makes for itself, never wider than what the actor may do."""
    narrow = scope.within(actor.grant)
    granted = Granted(client, actor.user_id or "", actor.organization_id, narrow)
    async with database.tenant(actor.tenant) as transaction:
        return await make_grant(transaction, granted, now)


async def refresh_grant(
    database: Database, client: Client, token: str, wanted: str, now: datetime
) -> Tokens:
    """New tokens for a refresh token, for what was granted or for the less that is `wanted`.

    Raises OAuthError and InvalidScope.
    """
    id, secret = _parts(token)
    organization_id = await _organization_of(database, id)
    async with _transaction(database, organization_id) as transaction:
        found = await transaction.rows(f"{_SELECT} where g.id = $1 for update", id)
        if not found or found[0]["client_id"] != client.id or found[0]["hash"] is None:
            raise invalid_grant("The refresh token is not one of this program's.")
        row = found[0]
        refusal = await _refusal(transaction, row, secret, now)
        if refusal is None:
            scope = read_scope(row["scope"])
            if wanted:
                scope = _narrowed(scope, wanted)
            granted = Granted(client, row["user_id"], row["organization_id"], scope)
            following = await _rotate(transaction, row, secret, now)
            return await _tokens(transaction, id, granted, following, now)
        await end_grant(transaction, id)
    raise refusal


async def derive_token(
    database: Database, token: str, organization: str, now: datetime
) -> tuple[str, timedelta]:
    """A token for one of the organizations (a public id) of a person's grant, and its life.

    Raises OAuthError.
    """
    id, _, secret = token.partition(".")
    refused = OAuthError("invalid_token", "The token does not hold (any more).", 401)
    if not id.startswith(f"{PERSON}_") or "\x00" in id + organization:
        raise refused
    async with database.installation() as transaction:
        rows = await transaction.rows(
            "select c.hash, c.user_id, c.grant_id, c.scope from credential c"
            " where c.id = $1 and c.expires_at > $2",
            id,
            now,
        )
        organization_id = await transaction.value(
            "select d.organization_id::text from organization_directory d where d.id = $1",
            organization,
        )
    if not rows or not hmac.compare_digest(rows[0]["hash"], _hash(secret)):
        raise refused
    user_id = rows[0]["user_id"]
    denied = OAuthError("access_denied", "You do not belong to this organization.", 403)
    if organization_id is None:
        raise denied
    async with database.tenant(Tenant(organization_id)) as transaction:
        if not await _is_member(transaction, organization_id, user_id):
            raise denied
        _, text = await issue(
            transaction,
            ACCESS,
            organization_id,
            user_id,
            now + LIFETIME,
            grant_id=rows[0]["grant_id"],
            scope=rows[0]["scope"],
        )
    return text, LIFETIME


async def narrow_token(
    database: Database, token: str, operations: frozenset[OperationClass], now: datetime
) -> str:
    """An access token of the same grant for these operations alone, as long as the token lasts.

    Raises OAuthError where it does not hold (any more), or covers none of them.
    """
    id, _, secret = token.partition(".")
    async with database.installation() as transaction:
        rows = await transaction.rows(
            "select c.organization_id::text, c.user_id, c.grant_id, c.scope, c.expires_at"
            " from credential c where c.id = $1 and c.hash = $2 and c.expires_at > $3",
            id,
            _hash(secret),
            now,
        )
        if not rows:
            raise OAuthError("invalid_token", "The token does not hold (any more).", 401)
        organization_id, user_id, grant_id, scope, expires_at = rows[0]
        narrow = read_scope(scope).within(operations)
        if not narrow.operations:
            raise OAuthError("invalid_scope", "The grant covers nothing of this.", 403)
        _, text = await issue(
            transaction,
            ACCESS,
            organization_id,
            user_id,
            expires_at,
            grant_id=grant_id,
            scope=str(narrow),
        )
    return text


async def revoke_token(database: Database, client: Client, token: str) -> None:
    """End the grant that an access or refresh token of the program belongs to, if it is one."""
    async with database.installation() as transaction:
        if token.startswith("rt_"):
            try:
                id, _ = _parts(token)
            except OAuthError:
                return
        else:
            named, _, secret = token.replace("\x00", "").partition(".")
            id = await transaction.value(
                "select c.grant_id from credential c where c.id = $1 and c.hash = $2",
                named,
                _hash(secret),
            )
        known = await transaction.value(
            "select g.id from oauth_grant g where g.id = $1 and g.client_id = $2", id, client.id
        )
        if known is not None:
            await end_grant(transaction, known)


async def own_grants(transaction: Transaction, actor: Actor) -> list[Grant]:
    """The grants of a user for this organization, and for the person as such; the newest first."""
    rows = await transaction.rows(
        "select g.id, g.client_id, g.client_name, g.scope, g.organization_id is null, g.created_at,"
        " g.last_used_at from oauth_grant g where g.user_id = $2"
        " and (g.organization_id = $1 or g.organization_id is null)"
        " order by g.created_at desc, g.id",
        actor.organization_id,
        actor.user_id,
    )
    return [Grant(*row) for row in rows]


async def end_own_grant(transaction: Transaction, actor: Actor, id: str) -> bool:
    """End one grant of a user; whether there was such a one."""
    known = id in [grant.id for grant in await own_grants(transaction, actor)]
    if known:
        await end_grant(transaction, id)
    return known


async def end_grant(transaction: Transaction, id: str) -> None:
    """End a grant: its tokens are refused with the next request."""
    await transaction.execute("delete from credential where grant_id = $1", id)
    await transaction.execute("delete from oauth_grant where id = $1", id)


def end_grants_of(work: Work, user_ids: list[str]) -> None:
    """End, with a write, what users have granted in its organization.

    The grants are locked before their tokens, as a refresh does it.
    """
    of_users = "organization_id = $1 and user_id = any($2)"
    for table, more in (("oauth_grant", ""), ("credential", " and grant_id is not null")):
        work.also(
            f"delete from {table} where {of_users}{more}", work.actor.organization_id, user_ids
        )


async def sweep_tokens(store: Store, now: datetime) -> bool:
    """Remove access tokens whose time is over, and grants that can bring no more of them."""
    async with store.database.installation() as transaction:
        await transaction.execute(
            "delete from credential where grant_id is not null and expires_at < $1", now
        )
        await transaction.execute(
            "delete from oauth_grant g where g.hash is null"
            " and not exists (select from credential c where c.grant_id = g.id)"
        )
    return False


_SELECT = (
    "select g.id, g.client_id, g.user_id, g.organization_id::text, g.scope, g.hash, g.spent_hash,"
    " g.salt, g.rotated_at from oauth_grant g"
)


def _transaction(database: Database, organization_id: str | None) -> Any:
    """The grant's organization is set, where it has one, so that its members can be read."""
    if organization_id is None:
        return database.installation()
    return database.tenant(Tenant(organization_id))


async def _organization_of(database: Database, id: str) -> str | None:
    async with database.installation() as transaction:
        found: str | None = await transaction.value(
            "select g.organization_id::text from oauth_grant g where g.id = $1", id
        )
    return found


async def _refusal(
    transaction: Transaction, row: Mapping[str, Any], secret: str, now: datetime
) -> OAuthError | None:
    """Why the grant of a token ends instead of going on."""
    hash = _hash(secret)
    if not hmac.compare_digest(hash, row["hash"]):
        again = row["spent_hash"] is not None and hmac.compare_digest(hash, row["spent_hash"])
        if not again or now - row["rotated_at"] > REPLAY_WINDOW:
            return invalid_grant("The refresh token was used before, so the grant has ended.")
    organization_id = row["organization_id"]
    if organization_id is None or await _is_member(transaction, organization_id, row["user_id"]):
        return None
    return invalid_grant("The user does not belong to the organization any more.")


async def _rotate(
    transaction: Transaction, row: Mapping[str, Any], secret: str, now: datetime
) -> str:
    """The secret of the token that follows a token: a new one, or the same when asked again."""
    if row["hash"] != _hash(secret):
        return _following(secret, row["salt"])
    salt = os.urandom(16)
    following = _following(secret, salt)
    await transaction.execute(
        "update oauth_grant set hash = $2, spent_hash = $3, salt = $4, rotated_at = $5,"
        " last_used_at = $5 where id = $1",
        row["id"],
        _hash(following),
        row["hash"],
        salt,
        now,
    )
    return following


async def _tokens(
    transaction: Transaction, id: str, granted: Granted, secret: str | None, now: datetime
) -> Tokens:
    organization = None
    if granted.organization_id is not None:
        organization = await transaction.value(
            "select d.id from organization_directory d where d.organization_id = $1",
            granted.organization_id,
        )
    _, access = await issue(
        transaction,
        PERSON if granted.organization_id is None else ACCESS,
        granted.organization_id or NOBODYS,
        granted.user_id,
        now + LIFETIME,
        grant_id=id,
        scope=str(granted.scope),
    )
    refresh = None if secret is None else f"rt_{id.removeprefix('grant_')}.{secret}"
    return Tokens(access, refresh, granted.scope, id, granted.user_id, organization)


def _narrowed(scope: Scope, wanted: str) -> Scope:
    asked = read_scope(wanted)
    if not asked.operations <= scope.operations:
        raise OAuthError("invalid_scope", "This is more than was granted.")
    return Scope(asked.operations, scope.offline, asked.full)


async def _is_member(transaction: Transaction, organization_id: str, user_id: str) -> bool:
    return bool(
        await transaction.value(
            "select exists (select from membership m where m.organization_id = $1"
            " and m.user_id = $2 and m.active)",
            organization_id,
            user_id,
        )
    )


def _parts(token: str) -> tuple[str, str]:
    """The id of the grant and the secret of a refresh token."""
    head, dot, secret = token.partition(".")
    if not dot or not head.startswith("rt_") or not head.isascii() or not head.isprintable():
        raise invalid_grant("This is no refresh token.")
    return f"grant_{head.removeprefix('rt_')}", secret


def _following(secret: str, salt: bytes) -> str:
    digest = hmac.digest(secret.encode("utf-8", "surrogatepass"), salt, "sha256")
    return base62(int.from_bytes(digest[:16]))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
