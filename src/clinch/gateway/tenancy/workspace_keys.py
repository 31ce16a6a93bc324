"""Workspace keys: with a key and its secret an organization signs tokens for its own customers.

The key is public and stays; the secret checks signatures, so it has to be readable here, and is
sealed by the vault.
"""

from dataclasses import dataclass, field

from clinch.db.database import Database, Transaction
from clinch.db.ids import new_id, new_secret
from clinch.db.schema import Column, Index, Table, id_column
from clinch.vault.sealed import SealedColumn
from clinch.vault.vault import Vault

GATEWAY_WORKSPACE = Table(
    "gateway_workspace",
    "reference",
    (Column("organization_id", "uuid"), id_column("key"), Column("sealed_secret", "bytea")),
    ("organization_id",),
    indexes=(Index(("key",), unique=True),),
    rights="select, insert, update",
)


def new_workspace_secret() -> bytes:
    """As long as HS512 has use for."""
    return "".join(new_secret() for _ in range(4)).encode()


SECRETS = SealedColumn(
    "secrets of workspaces",
    GATEWAY_WORKSPACE.name,
    ("organization_id",),
    "sealed_secret",
    "gateway_workspace {organization_id}",
    new_workspace_secret,
)


@dataclass(frozen=True, slots=True)
class Workspace:
    """An organization as those see it who sign tokens; `organization` is its public id."""

    organization_id: str
    organization: str
    key: str
    secret: str = field(repr=False)


async def workspace_key(
    database: Database, vault: Vault, organization_id: str, *, rotate: bool = False
) -> Workspace:
    """The key and the secret of an organization, made when first asked for.

    With `rotate` the secret is a new one, and tokens signed with the one before hold no more.
    """
    sealed = vault.seal(new_workspace_secret(), SECRETS.place_of(organization_id))
    async with database.installation() as transaction:
        await transaction.execute(
            "insert into gateway_workspace (organization_id, key, sealed_secret)"
            " values ($1, $2, $3) on conflict (organization_id) do nothing",
            organization_id,
            new_id("wsk"),
            sealed,
        )
        if rotate:
            await transaction.execute(
                "update gateway_workspace set sealed_secret = $2 where organization_id = $1",
                organization_id,
                sealed,
            )
        [workspace] = await _read(transaction, vault, "w.organization_id = $1", organization_id)
    return workspace


async def workspace_named(database: Database, vault: Vault, named: str) -> Workspace | None:
    """The workspace with this key, or of the organization with this public id, if it has a key."""
    async with database.installation() as transaction:
        found = await _read(transaction, vault, "w.key = $1 or d.id = $1", named)
    return found[0] if found else None


async def _read(
    transaction: Transaction, vault: Vault, condition: str, argument: str
) -> list[Workspace]:
    rows = await transaction.rows(
        "select w.organization_id::text, d.id, w.key, w.sealed_secret from gateway_workspace w"
        " join organization_directory d on d.organization_id = w.organization_id"
        f" where {condition}",
        argument,
    )
    return [
        Workspace(id, organization, key, vault.open(sealed, SECRETS.place_of(id)).decode())
        for id, organization, key, sealed in rows
    ]
