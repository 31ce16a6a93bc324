"""Tenants of the gateway: users of an organization, and customers that the organization names.

What a tenant connects is theirs alone: `tenant_id` stands after `organization_id` in every key of
the gateway's tables. A tenant is made when it is first met, with a data key of its own.
"""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from clinch.db.database import Database, Tenant, Transaction
from clinch.db.ids import new_id
from clinch.db.schema import Column, ForeignKey, Index, id_column, tenant_table
from clinch.gateway.errors import InvalidRequest, NotAuthenticated, NotFound
from clinch.gateway.paging import cursor_after, read_cursor
from clinch.resources.actor import Actor
from clinch.vault.sealed import SealedColumn
from clinch.vault.vault import Vault

Kind = Literal["user", "customer"]

MAX_LIMIT = 1000
_BEGINNING = datetime.min.replace(tzinfo=UTC), ""
_LONGEST_KEY, _LONGEST_NAME, _LARGEST_FIELDS = 200, 200, 10_000
# Nobody needs to know more exactly when a tenant was last here, and writing it down costs.
_SEEN_EVERY = timedelta(minutes=1)

GATEWAY_TENANT = tenant_table(
    "gateway_tenant",
    id_column("tenant_id"),
    Column("kind", "text"),
    id_column("user_id", nullable=True),
    Column("key", "text", nullable=True),
    Column("name", "text"),
    Column("fields", "jsonb"),
    Column("wrapped_data_key", "bytea"),
    Column("created_at", "timestamp with time zone"),
    Column("last_active_at", "timestamp with time zone"),
    Column("archived_at", "timestamp with time zone", nullable=True),
    key=("tenant_id",),
    indexes=(
        Index(("organization_id", "user_id"), unique=True),
        Index(("organization_id", "key"), unique=True),
        Index(("organization_id", "created_at", "tenant_id")),
    ),
    foreign_keys=(ForeignKey("user_id", "app_user"),),
)


def new_data_key() -> bytes:
    return os.urandom(32)


DATA_KEYS = SealedColumn(
    "data keys of tenants",
    GATEWAY_TENANT.name,
    ("organization_id", "tenant_id"),
    "wrapped_data_key",
    "gateway_tenant {organization_id} {tenant_id}",
    new_data_key,
)


@dataclass(frozen=True, slots=True)
class GatewayTenant:
    """A tenant, and the organization as the transactions of whoever asks are begun for.

    `user_id` is set for a user, `key` (the organization's own name for them) for a customer;
    `fields` is what the organization wants kept of a customer.
    """

    organization: Tenant
    id: str
    kind: Kind
    user_id: str | None
    key: str | None
    name: str
    fields: Mapping[str, Any] = field(repr=False)
    wrapped_data_key: bytes = field(repr=False)
    created_at: datetime
    last_active_at: datetime
    archived_at: datetime | None

    @property
    def organization_id(self) -> str:
        return self.organization.organization_id


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """Customers, the oldest first; `cursor` leads to those that follow, None at the end."""

    items: list[GatewayTenant]
    cursor: str | None


async def tenant_of_user(database: Database, vault: Vault, actor: Actor) -> GatewayTenant:
    """The tenant that an actor is who is a user, not the system; raises CredentialChanged."""
    if actor.user_id is None:
        raise ValueError("the system is no tenant")
    now = actor.clock()
    async with database.reading(actor.tenant) as transaction:
        found = await _of_user(transaction, actor)
    if found and not _is_seen_anew(found[0], now):
        return found[0]
    async with database.tenant(actor.tenant) as transaction:
        found = await _of_user(transaction, actor)
        if not found:
            id, data_key = _new(vault, actor.tenant)
            await transaction.execute(
                "insert into gateway_tenant (organization_id, tenant_id, kind, user_id, name,"
                " fields, wrapped_data_key, created_at, last_active_at)"
                " values ($1, $2, 'user', $3, '', '{}', $4, $5, $5) on conflict do nothing",
                actor.organization_id,
                id,
                actor.user_id,
                data_key,
                now,
            )
            found = await _of_user(transaction, actor)
        [tenant] = found
        await _see(transaction, tenant, now)
    return tenant


async def tenant_of_customer(
    database: Database,
    vault: Vault,
    organization: Tenant,
    key: str,
    now: datetime,
    *,
    name: str | None = None,
    fields: Mapping[str, Any] | None = None,
) -> GatewayTenant:
    """The tenant that an organization calls by `key`, with the name and fields told, if any are.

    Raises NotAuthenticated for one that was archived, and InvalidRequest.
    """
    _check_text("the key of a customer", key, _LONGEST_KEY)
    if not key:
        raise InvalidRequest("The key of a customer is empty.")
    if name is not None:
        _check_text("the name of a customer", name, _LONGEST_NAME)
    encoded = None if fields is None else _encode_fields(fields)
    async with database.reading(organization) as transaction:
        found = await _of_customer(transaction, organization, key)
    if found and not _says_new(found[0], name, fields) and not _is_seen_anew(found[0], now):
        return _in_use(found[0])
    async with database.tenant(organization) as transaction:
        found = await _of_customer(transaction, organization, key)
        if not found:
            id, data_key = _new(vault, organization)
            await transaction.execute(
                "insert into gateway_tenant (organization_id, tenant_id, kind, key, name,"
                " fields, wrapped_data_key, created_at, last_active_at)"
                " values ($1, $2, 'customer', $3, $4, $5::jsonb, $6, $7, $7)"
                " on conflict do nothing",
                organization.organization_id,
                id,
                key,
                name or "",
                encoded or "{}",
                data_key,
                now,
            )
            found = await _of_customer(transaction, organization, key)
        tenant = _in_use(found[0])
        if _says_new(tenant, name, fields):
            await transaction.execute(
                "update gateway_tenant set name = coalesce($3, name),"
                " fields = coalesce($4::jsonb, fields), last_active_at = $5"
                " where organization_id = $1 and tenant_id = $2",
                organization.organization_id,
                tenant.id,
                name,
                encoded,
                now,
            )
            [tenant] = await _of_customer(transaction, organization, key)
        await _see(transaction, tenant, now)
    return tenant


async def tenant_by_id(database: Database, organization: Tenant, id: str) -> GatewayTenant:
    """A tenant of either kind, for work that nobody waits for; raises NotFound."""
    async with database.reading(organization) as transaction:
        rows = await transaction.rows(
            f"select {_ROW} where t.organization_id = $1 and t.tenant_id = $2",
            organization.organization_id,
            id,
        )
    if not rows:
        raise NotFound("There is no such tenant.")
    return _tenant(organization, rows[0])


async def find_customers(
    database: Database,
    organization: Tenant,
    *,
    search: str = "",
    limit: int = 100,
    cursor: str | None = None,
    archived: bool = False,
) -> CustomerPage:
    """Customers whose name or key has `search` in it; with `archived` also those archived.

    Raises InvalidRequest.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest(f"limit is a number from 1 to {MAX_LIMIT}.")
    _check_text("search", search, _LONGEST_NAME)
    created_at, id = read_cursor(cursor) or _BEGINNING
    async with database.reading(organization) as transaction:
        rows = await transaction.rows(
            f"select {_ROW} where t.organization_id = $1 and t.kind = 'customer'"
            " and (t.created_at, t.tenant_id) > ($2, $3) and ($4 or t.archived_at is null)"
            " and ($5 = '' or strpos(lower(t.name), lower($5)) > 0"
            " or strpos(lower(t.key), lower($5)) > 0)"
            " order by t.created_at, t.tenant_id limit $6",
            organization.organization_id,
            created_at,
            id,
            archived,
            search,
            limit + 1,
        )
    items = [_tenant(organization, row) for row in rows[:limit]]
    return CustomerPage(items, cursor_after(items, more=len(rows) > limit))


async def customer(database: Database, organization: Tenant, id_or_key: str) -> GatewayTenant:
    """A customer by its id or, where there is none with it, its key; raises NotFound."""
    async with database.reading(organization) as transaction:
        return await _customer(transaction, organization, id_or_key)


async def archive_customer(
    database: Database, organization: Tenant, id_or_key: str, now: datetime
) -> GatewayTenant:
    """Take a customer's tokens no more; what it has stays. Raises NotFound."""
    async with database.tenant(organization) as transaction:
        found = await _customer(transaction, organization, id_or_key)
        await transaction.execute(
            "update gateway_tenant set archived_at = coalesce(archived_at, $3)"
            " where organization_id = $1 and tenant_id = $2",
            organization.organization_id,
            found.id,
            now,
        )
        return await _customer(transaction, organization, found.id)


# What a tenant is read from; a user goes by the name that they have now.
_ROW = (
    "t.tenant_id, t.kind, t.user_id, t.key,"
    " coalesce(trim(u.first_name || ' ' || u.last_name), t.name) as name, t.fields,"
    " t.wrapped_data_key, t.created_at, t.last_active_at, t.archived_at"
    " from gateway_tenant t"
    " left join app_user u on u.organization_id = $1 and u.id = t.user_id"
)


async def _of_user(transaction: Transaction, actor: Actor) -> list[GatewayTenant]:
    rows = await transaction.rows(
        f"select {_ROW} where t.organization_id = $1 and t.user_id = $2",
        actor.organization_id,
        actor.user_id,
    )
    return [_tenant(actor.tenant, row) for row in rows]


async def _of_customer(
    transaction: Transaction, organization: Tenant, key: str
) -> list[GatewayTenant]:
    rows = await transaction.rows(
        f"select {_ROW} where t.organization_id = $1 and t.key = $2",
        organization.organization_id,
        key,
    )
    return [_tenant(organization, row) for row in rows]


async def _customer(
    transaction: Transaction, organization: Tenant, id_or_key: str
) -> GatewayTenant:
    rows = []
    if _storable(id_or_key):
        rows = await transaction.rows(
            f"select {_ROW} where t.organization_id = $1 and t.kind = 'customer'"
            " and (t.tenant_id = $2 or t.key = $2) order by t.tenant_id = $2 desc limit 1",
            organization.organization_id,
            id_or_key,
        )
    if not rows:
        raise NotFound("There is no customer with this id or key.")
    return _tenant(organization, rows[0])


async def _see(transaction: Transaction, tenant: GatewayTenant, now: datetime) -> None:
    """Note that the tenant is here, unless it was noted just before."""
    if _is_seen_anew(tenant, now):
        await transaction.execute(
            "update gateway_tenant set last_active_at = $3"
            " where organization_id = $1 and tenant_id = $2",
            tenant.organization_id,
            tenant.id,
            now,
        )


def _is_seen_anew(tenant: GatewayTenant, now: datetime) -> bool:
    return now - tenant.last_active_at >= _SEEN_EVERY


def _says_new(tenant: GatewayTenant, name: str | None, fields: Mapping[str, Any] | None) -> bool:
    """Whether a token tells another name, or other fields, than are known of a customer."""
    return name not in (None, tenant.name) or fields not in (None, tenant.fields)


def _in_use(tenant: GatewayTenant) -> GatewayTenant:
    if tenant.archived_at is not None:
        raise NotAuthenticated("This customer was archived; its tokens are taken no more.")
    return tenant


def _new(vault: Vault, organization: Tenant) -> tuple[str, bytes]:
    """The id of a new tenant and its data key, wrapped."""
    id = new_id("tnt")
    return id, vault.seal(new_data_key(), DATA_KEYS.place_of(organization.organization_id, id))


def _tenant(organization: Tenant, row: Sequence[Any]) -> GatewayTenant:
    id, kind, user_id, key, name, fields, *rest = row
    return GatewayTenant(
        organization, id, kind, user_id, key, name, msgspec.json.decode(fields), *rest
    )


def _check_text(what: str, text: str, longest: int) -> None:
    if len(text) > longest or not _storable(text):
        raise InvalidRequest(
            f"{what.capitalize()} has at most {longest} characters, without control characters."
        )


def _storable(text: str) -> bool:
    """Whether a text has neither control characters nor halves of pairs."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _encode_fields(fields: Mapping[str, Any]) -> str:
    try:
        encoded = msgspec.json.encode(fields)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidRequest("The fields of a customer are a JSON object.") from None
    # PostgreSQL keeps no NUL in a text.
    if len(encoded) > _LARGEST_FIELDS or b"\\u0000" in encoded:
        raise InvalidRequest(
            f"The fields of a customer are a JSON object of at most {_LARGEST_FIELDS:,} bytes."
        )
    return encoded.decode()
