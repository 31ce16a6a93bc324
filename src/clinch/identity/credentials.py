"""Credentials: API keys and sessions, and how one becomes an actor.

A credential is handed out as `<id>.<secret>`; the id is what events name, and only the hash of the
secret is kept. The look-up table is read before the tenant is known. Its version moves with
everything that changes what the holder may do, and every transaction asserts it.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from clinch.db.database import CredentialChanged, Database, Tenant, Transaction
from clinch.db.ids import new_id, new_secret
from clinch.db.schema import Column, Index, Table, id_column
from clinch.identity.rights import rights_of
from clinch.identity.scopes import covers
from clinch.resources.actor import Actor, Link, OAuthGrant
from clinch.resources.errors import ApiError
from clinch.resources.write.work import Work

CREDENTIAL = Table(
    "credential",
    "reference",
    (
        id_column(),
        Column("organization_id", "uuid"),
        id_column("user_id"),
        Column("hash", "bytea"),
        Column("version", "bigint", default="1"),
        Column("expires_at", "timestamp with time zone", nullable=True),
        id_column("grant_id", nullable=True),
        Column("scope", "text", nullable=True),
    ),
    ("id",),
    indexes=(Index(("organization_id", "user_id")), Index(("grant_id",))),
)

_CACHED = 10_000

_decode_role = msgspec.json.Decoder(dict[str, Any]).decode
_decode_links = msgspec.json.Decoder(tuple[Link, ...]).decode


class Unauthorized(ApiError):
    """No credential, or one that does not hold (any more)."""

    status = 401

    def __init__(self) -> None:
        super().__init__({"error": "Unauthorized"})


async def issue(
    transaction: Transaction,
    prefix: str,
    organization_id: str,
    user_id: str,
    expires_at: datetime | None = None,
    *,
    grant_id: str | None = None,
    scope: str | None = None,
) -> tuple[str, str]:
    """A new credential of a user: its id, and the secret text that is handed out once.

    One that a program was given has the id of its grant, and the scope that it does not go beyond.
    """
    id, secret = new_id(prefix), new_secret()
    await transaction.execute(
        "insert into credential (id, organization_id, user_id, hash, expires_at, grant_id, scope)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        id,
        organization_id,
        user_id,
        _hash(secret),
        expires_at,
        grant_id,
        scope,
    )
    return id, f"{id}.{secret}"


async def find_own(transaction: Transaction, actor: Actor, key: str) -> str | None:
    """The id of a credential of the actor's user, by that id or by the text handed out, which
    has the secret too."""
    id, whole, secret = key.partition(".")
    found: str | None = await transaction.value(
        "select id from credential where organization_id = $1 and user_id = $2 and id = $3"
        " and ($4::bytea is null or hash = $4)",
        actor.organization_id,
        actor.user_id,
        id,
        _hash(secret) if whole else None,
    )
    return found


async def withdraw(transaction: Transaction, prefix: str, text: str) -> None:
    """End the credential of a kind that was handed out as the text. Its id alone, which others
    may know, ends nothing."""
    id, _, secret = text.partition(".")
    await transaction.execute(
        "delete from credential where id = $1 and starts_with(id, $2) and hash = $3",
        id,
        f"{prefix}_",
        _hash(secret),
    )


def read_actors_anew(work: Work) -> None:
    """Something has changed that every actor of the organization remembers."""
    work.also(
        "update credential set version = version + 1 where organization_id = $1",
        work.actor.organization_id,
    )


class Authenticator:
    """Turns keys into actors, and remembers those it has turned."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._actors: OrderedDict[bytes, Actor] = OrderedDict()

    async def actor(self, key: str) -> Actor:
        """The actor of a key; raises Unauthorized. What is remembered is asserted when used."""
        remembered = _fingerprint(key)
        actor = self._actors.get(remembered)
        if actor is None:
            actor = await self._read(key)
            self._actors[remembered] = actor
            if len(self._actors) > _CACHED:
                self._actors.popitem(last=False)
        return actor

    def forget(self, key: str) -> None:
        """Read the key anew next time: its credential has changed."""
        self._actors.pop(_fingerprint(key), None)

    async def _read(self, key: str, failed: int | None = None) -> Actor:
        """The actor of a key; raises Unauthorized. `failed` is a version that did not hold."""
        id, _, secret = key.partition(".")
        if "\x00" in id:
            raise Unauthorized
        async with self._database.installation() as transaction:
            rows = await transaction.rows(
                "select c.organization_id::text, c.user_id, c.hash, c.version, c.scope,"
                " g.id as grant_id, g.client_id from credential c"
                " left join oauth_grant g on g.id = c.grant_id where c.id = $1",
                id,
            )
        if not rows or not hmac.compare_digest(rows[0]["hash"], _hash(secret)):
            raise Unauthorized
        organization_id, user_id, _, version, scope, grant_id, client_id = rows[0]
        if version == failed:
            raise Unauthorized
        tenant = Tenant(organization_id, id, version)
        try:
            async with self._database.tenant(tenant) as transaction:
                found = await transaction.rows(
                    "select o.id as organization, o.country, to_jsonb(r)::text as role,"
                    " (select json_agg(json_build_object('noun', l.type, 'name', l.name,"
                    " 'url', l.url) order by l.date_created, l.id)::text"
                    " from integration_link l where l.organization_id = $1) as links"
                    " from membership m"
                    " join organization o on o.organization_id = m.organization_id"
                    " join role r on r.organization_id = m.organization_id and r.id = m.role_id"
                    " where m.organization_id = $1 and o.organization_id = $1"
                    " and r.organization_id = $1 and m.user_id = $2 and m.active",
                    organization_id,
                    user_id,
                )
        except CredentialChanged:  # meanwhile, or it has expired
            return await self._read(key, version)
        if not found:
            raise Unauthorized
        actor = _actor(tenant, user_id, found[0])
        if scope is None:
            return actor
        if grant_id is None:  # it has ended
            raise Unauthorized
        grant = OAuthGrant(grant_id, client_id, scope)
        return replace(actor, grant=covers(scope), oauth_grant=grant)


def _actor(tenant: Tenant, user_id: str, found: Mapping[str, Any]) -> Actor:
    """The actor that a member is by their role."""
    role = _decode_role(found["role"])
    rights = rights_of(role)
    return Actor(
        tenant,
        found["organization"],
        user_id,
        role["id"],
        rights.permissions,
        rights.visibility,
        country=found["country"],
        links=_decode_links(found["links"] or "[]"),
    )


def _fingerprint(key: str) -> bytes:
    """What a key is remembered by, in place of itself: a hash that costs little at each request."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).digest()


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
