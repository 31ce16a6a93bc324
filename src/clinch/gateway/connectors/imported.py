"""The connectors that an organization has imported: a document each, which never changes."""

import asyncio
import zlib
from dataclasses import dataclass
from datetime import datetime

import msgspec

from clinch.db.database import Database, Tenant
from clinch.db.ids import new_id
from clinch.db.schema import Column, Index, id_column, tenant_table
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.document import DocumentError, connector_of, parse_document
from clinch.gateway.connectors.importing import Imported, Wanted, import_openapi
from clinch.gateway.errors import AlreadyExists, InvalidRequest, NotFound

PREFIX = "connector"
MOST_CONNECTORS = 1000
_LARGEST = 200_000_000

GATEWAY_CONNECTOR = tenant_table(
    "gateway_connector",
    id_column(),
    Column("key", "text"),
    Column("document", "bytea"),
    Column("created_at", "timestamp with time zone"),
    indexes=(Index(("organization_id", "key"), unique=True),),
)


@dataclass(frozen=True, slots=True)
class Listed:
    """An imported connector as it is listed."""

    id: str
    key: str
    created_at: datetime


class ImportedConnectors:
    """The imported connectors of all organizations; `taken` are the keys of those that we ship."""

    def __init__(self, database: Database, taken: frozenset[str]) -> None:
        self._database, self._taken = database, taken
        self._read: dict[str, dict[str, Connector]] = {}

    async def add(self, tenant: Tenant, text: bytes, wanted: Wanted, now: datetime) -> Imported:
        """Make an OpenAPI document a connector of an organization; raises GatewayError."""
        try:
            # A large one takes a while, and others are waiting.
            made = await asyncio.to_thread(import_openapi, text, wanted, new_id(PREFIX))
        except DocumentError as error:
            raise InvalidRequest(f"This document makes no connector: {error}.") from None
        key = made.connector.key
        if key in self._taken:
            raise AlreadyExists(
                f"{key} is the key of a connector that is always here; say another with --key."
            )
        packed = zlib.compress(msgspec.json.encode(made.document), 9)
        async with self._database.tenant(tenant) as transaction:
            number = await transaction.value(
                "select count(*) from gateway_connector where organization_id = $1",
                tenant.organization_id,
            )
            if number >= MOST_CONNECTORS:
                raise InvalidRequest(f"There are {MOST_CONNECTORS} connectors; remove one first.")
            added = await transaction.value(
                "insert into gateway_connector (organization_id, id, key, document, created_at)"
                " values ($1, $2, $3, $4, $5) on conflict (organization_id, key) do nothing"
                " returning id",
                tenant.organization_id,
                made.connector.id,
                key,
                packed,
                now,
            )
        if added is None:
            raise AlreadyExists(
                f"There is a connector {key}; say another --key, or remove that one first."
            )
        return made

    async def remove(self, tenant: Tenant, id_or_key: str) -> Listed:
        """Remove a connector that was imported; raises NotFound."""
        async with self._database.tenant(tenant) as transaction:
            rows = await transaction.rows(
                "delete from gateway_connector where organization_id = $1 and (id = $2 or key = $2)"
                " returning id, key, created_at",
                tenant.organization_id,
                id_or_key.replace("\x00", ""),
            )
        if not rows:
            raise NotFound(f"No imported connector is called {id_or_key[:100]}.")
        return Listed(*rows[0])

    async def get(self, tenant: Tenant, id: str) -> Connector | None:
        """One of an organization, which is asked for only if this process has not read it."""
        known = self._read.get(tenant.organization_id, {}).get(id)
        if known is not None:
            return known
        return next((one for one in await self.of(tenant) if one.id == id), None)

    async def of(self, tenant: Tenant) -> list[Connector]:
        """Those of an organization, by their keys. Each document is read once in a process."""
        async with self._database.reading(tenant) as transaction:
            ids = await transaction.rows(
                "select id from gateway_connector where organization_id = $1 order by key",
                tenant.organization_id,
            )
            known = self._read.get(tenant.organization_id, {})
            new = [id for (id,) in ids if id not in known]
            documents = (
                await transaction.rows(
                    "select id, document from gateway_connector"
                    " where organization_id = $1 and id = any($2)",
                    tenant.organization_id,
                    new,
                )
                if new
                else []
            )
        for id, document in documents:
            made = await asyncio.to_thread(_connector, id, document)
            known = known | {id: made}
        found = {id: known[id] for (id,) in ids if id in known}
        self._read[tenant.organization_id] = found
        return list(found.values())


def _connector(id: str, packed: bytes) -> Connector:
    text = zlib.decompressobj().decompress(packed, _LARGEST)
    return connector_of(parse_document(text), id, strict=False)[0]
