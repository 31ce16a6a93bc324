"""Saved actions: requests of a tenant's own that are run like any other action.

One that is for a connection ends with it, and is removed when another is saved.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from clinch.db.database import Database
from clinch.db.ids import new_id
from clinch.db.schema import Column, ForeignKey, Index, id_column, tenant_table
from clinch.gateway.connectors.connector import Schema
from clinch.gateway.errors import AlreadyExists, InvalidRequest, LockTimeout, NotFound
from clinch.gateway.running.templates import Template
from clinch.gateway.tenancy.rows import TenantRows, tenant_rows
from clinch.gateway.tenancy.tenants import GatewayTenant
from clinch.resources.actor import OperationClass

PREFIX = "act"
MOST_ACTIONS = 1000
LARGEST = 32_768
"""The bytes of what one says, at most; `LARGEST_TOGETHER` are those of all of a tenant's."""
LARGEST_TOGETHER = 2_000_000

GATEWAY_ACTION = tenant_table(
    "gateway_action",
    id_column("tenant_id"),
    id_column(),
    Column("key", "text"),
    Column("connector_key", "text"),
    id_column("connection_id", nullable=True),
    Column("version", "bigint"),
    Column("definition", "text"),
    Column("created_at", "timestamp with time zone"),
    Column("updated_at", "timestamp with time zone"),
    key=("tenant_id", "id"),
    indexes=(Index(("organization_id", "tenant_id", "key"), unique=True),),
    foreign_keys=(ForeignKey("tenant_id", "gateway_tenant", "tenant_id"),),
)


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What a saved action does."""

    name: str
    description: str
    template: Template
    operation_class: OperationClass
    input_schema: Schema
    output_schema: Schema


class SavedAction(Definition, frozen=True, kw_only=True):
    """One of a tenant's own, for one connection, or for an app if `connection_id` is None."""

    id: str
    key: str
    connector_key: str
    connection_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class SavedActions:
    """The saved actions of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, tenant: GatewayTenant) -> list[SavedAction]:
        """All of a tenant's, the oldest first; their connections may be over."""
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(f"{_SELECT} order by a.created_at, a.id")
        return [_action(row) for row in found]

    async def get(self, tenant: GatewayTenant, id_or_key: str) -> SavedAction | None:
        async with tenant_rows(self._database, tenant, reading=True) as rows:
            found = await rows.rows(
                f"{_SELECT} and (a.id = $3 or a.key = $3) order by a.id = $3 desc limit 1",
                id_or_key.replace("\x00", ""),
            )
        return _action(found[0]) if found else None

    async def add(
        self,
        tenant: GatewayTenant,
        key: str | None,
        connector_key: str,
        connection_id: str | None,
        definition: Definition,
        now: datetime,
    ) -> SavedAction:
        """Keep a new one; without a key its id is its key. Raises GatewayError."""
        id = new_id(PREFIX)
        key = key or id
        text = _text(definition)
        async with tenant_rows(self._database, tenant) as rows:
            await self._make_room(rows, len(text.encode()))
            added = await rows.value(
                "insert into gateway_action (organization_id, tenant_id, id, key, connector_key,"
                " connection_id, version, definition, created_at, updated_at)"
                " values ($1, $2, $3, $4, $5, $6, 1, $7, $8, $8)"
                " on conflict (organization_id, tenant_id, key) do nothing returning 1",
                id,
                key,
                connector_key,
                connection_id,
                text,
                now,
            )
            if added is None:
                raise _taken(key)
        return SavedAction(
            id=id,
            key=key,
            connector_key=connector_key,
            connection_id=connection_id,
            version=1,
            created_at=now,
            updated_at=now,
            **msgspec.structs.asdict(definition),
        )

    async def put(
        self,
        tenant: GatewayTenant,
        one: SavedAction,
        key: str,
        definition: Definition,
        now: datetime,
    ) -> SavedAction:
        """Put another definition in place of that of `one`, as it was read; raises GatewayError."""
        version = one.version + 1
        text = _text(definition)
        async with tenant_rows(self._database, tenant) as rows:
            await self._make_room(rows, len(text.encode()), one.id)
            taken = await rows.value(
                "select 1 from gateway_action where organization_id = $1 and tenant_id = $2"
                " and key = $3 and id <> $4",
                key,
                one.id,
            )
            if taken is not None:
                raise _taken(key)
            changed = await rows.value(
                "update gateway_action set key = $5, version = version + 1,"
                " definition = $6, updated_at = $7"
                " where organization_id = $1 and tenant_id = $2 and id = $3 and version = $4"
                " returning 1",
                one.id,
                one.version,
                key,
                text,
                now,
            )
            if changed is None:
                raise LockTimeout("Somebody else has changed this action just now. Read it anew.")
        return msgspec.structs.replace(
            one, key=key, version=version, updated_at=now, **msgspec.structs.asdict(definition)
        )

    async def remove(self, tenant: GatewayTenant, id: str) -> None:
        """Remove one for good; raises NotFound."""
        async with tenant_rows(self._database, tenant) as rows:
            gone = await rows.value(
                "delete from gateway_action where organization_id = $1 and tenant_id = $2"
                " and id = $3 returning 1",
                id,
            )
        if gone is None:
            raise NotFound("This action is not there any more.")

    async def _make_room(self, rows: TenantRows, length: int, own: str = "") -> None:
        """Remove what went with its connection; raise InvalidRequest where there are too many.

        The tenant's row is locked, so that of two at once the second one counts the first.
        """
        await rows.value(
            "select 1 from gateway_tenant where organization_id = $1 and tenant_id = $2 for update"
        )
        await rows.execute(
            "delete from gateway_action a using gateway_connection c"
            " where a.organization_id = $1 and a.tenant_id = $2"
            " and c.organization_id = $1 and c.tenant_id = $2"
            " and c.id = a.connection_id and c.archived_at is not null"
        )
        [(number, together)] = await rows.rows(
            "select count(*), coalesce(sum(octet_length(definition)), 0)::bigint"
            " from gateway_action where organization_id = $1 and tenant_id = $2 and id <> $3",
            own,
        )
        if number >= MOST_ACTIONS:
            raise InvalidRequest(f"There are {MOST_ACTIONS} saved actions; delete one first.")
        if together + length > LARGEST_TOGETHER:
            raise InvalidRequest(
                f"All saved actions together have more than {LARGEST_TOGETHER:,} bytes;"
                " delete one first."
            )


_SELECT = (
    "select a.id, a.key, a.connector_key, a.connection_id, a.version, a.definition, a.created_at,"
    " a.updated_at from gateway_action a where a.organization_id = $1 and a.tenant_id = $2"
)


def _taken(key: str) -> AlreadyExists:
    return AlreadyExists(f"Another action has the key {key}.", key=key)


def _text(definition: Definition) -> str:
    content = msgspec.json.encode(definition)
    if len(content) > LARGEST:
        raise InvalidRequest(f"An action has at most {LARGEST:,} bytes.")
    return content.decode()


def _action(row: Sequence[Any]) -> SavedAction:
    id, key, connector_key, connection_id, version, text, created_at, updated_at = row
    return SavedAction(
        id=id,
        key=key,
        connector_key=connector_key,
        connection_id=connection_id,
        version=version,
        created_at=created_at,
        updated_at=updated_at,
        **msgspec.structs.asdict(msgspec.json.decode(text, type=Definition)),
    )
