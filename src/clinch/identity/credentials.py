"""API keys, and how a key becomes an actor.

A key is `api_<22>.<22>`: the id that events name, and a secret of which only the hash is kept. The
look-up table is read before the tenant is known. Its version moves with everything that changes
what the key may do, and every transaction asserts it.
"""

import hashlib
import hmac
from collections import OrderedDict

from clinch.db.database import CredentialChanged, Database, Tenant
from clinch.db.ids import new_id, new_secret
from clinch.db.schema import Column, Index, Table, id_column
from clinch.identity.roles import PERMISSIONS
from clinch.identity.users import User
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Audited
from clinch.resources.errors import ApiError
from clinch.resources.fields import EQ, Ref, Shown, Text
from clinch.resources.store import Store
from clinch.resources.write.change import Change
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
    ),
    ("id",),
    indexes=(Index(("organization_id", "user_id")),),
)

_CACHED = 10_000


class Unauthorized(ApiError):
    """No credential, or one that does not hold (any more)."""

    status = 401

    def __init__(self) -> None:
        super().__init__({"error": "Unauthorized"})


def revoke_credentials(work: Work, changes: list[Change]) -> None:
    """A key that is deleted fails on the very next request."""
    work.also(
        "delete from credential where organization_id = $1 and id = any($2)",
        work.actor.organization_id,
        [change.id for change in changes if change.kind == "delete"],
    )


class ApiKey(Audited, path="api_key", prefix="api"):
    """A key with the rights of one user in one organization; its secret is shown once."""

    operations = ("list", "get", "delete")
    needs = {
        "list": "manage_organization",
        "get": "manage_organization",
        "delete": "manage_organization",
    }
    within = [revoke_credentials]

    user = Ref(User, writable="create", filters=EQ)
    user_name = Shown(user, User.name)
    label = Text(max=200, doc="What the key is for.")


async def create_key(
    store: Store,
    actor: Actor,
    user_id: str,
    label: str,
    provenance: Provenance,
) -> str:
    """Make a key for a user of the actor's organization; the key itself, never seen again."""
    id, secret = new_id(ApiKey.prefix), new_secret()
    make = Change.create(ApiKey, {"user_id": user_id, "label": label}, id=id)
    async with store.database.tenant(actor.tenant) as transaction:
        await transaction.execute(
            "insert into credential (id, organization_id, user_id, hash) values ($1, $2, $3, $4)",
            id,
            actor.organization_id,
            user_id,
            _hash(secret),
        )
        await store.writes.write_within(transaction, actor, [make], provenance, answer=False)
    return f"{id}.{secret}"


class Authenticator:
    """Turns keys into actors, and remembers those it has turned."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._actors: OrderedDict[bytes, Actor] = OrderedDict()

    async def actor(self, key: str) -> Actor:
        """The actor of a key; raises Unauthorized. What is remembered is asserted when used."""
        remembered = _hash(key)
        actor = self._actors.get(remembered)
        if actor is None:
            actor = await self._read(key)
            self._actors[remembered] = actor
            if len(self._actors) > _CACHED:
                self._actors.popitem(last=False)
        return actor

    def forget(self, key: str) -> None:
        """Read the key anew next time: its credential has changed."""
        self._actors.pop(_hash(key), None)

    async def _read(self, key: str) -> Actor:
        id, _, secret = key.partition(".")
        if "\x00" in id:
            raise Unauthorized
        async with self._database.installation() as transaction:
            rows = await transaction.rows(
                "select organization_id::text, user_id, hash, version from credential"
                " where id = $1",
                id,
            )
        if not rows or not hmac.compare_digest(rows[0]["hash"], _hash(secret)):
            raise Unauthorized
        organization_id, user_id, _, version = rows[0]
        tenant = Tenant(organization_id, id, version)
        try:
            async with self._database.tenant(tenant) as transaction:
                found = await transaction.rows(
                    "select o.id, o.country, m.role_id from membership m"
                    " join organization o on o.organization_id = m.organization_id"
                    " where m.organization_id = $1 and o.organization_id = $1"
                    " and m.user_id = $2 and m.active",
                    organization_id,
                    user_id,
                )
        except CredentialChanged:
            raise Unauthorized from None
        if not found:
            raise Unauthorized
        organization, country, role = found[0]
        permissions = None if role == "admin" else PERMISSIONS[role]
        return Actor(tenant, organization, user_id, role, permissions, country=country)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
