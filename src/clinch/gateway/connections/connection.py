"""What a connection is: an app, let in for a tenant. One exists as soon as it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from clinch.db.schema import Column, ForeignKey, Index, id_column, tenant_table
from clinch.gateway.connectors.connector import AuthOption, Connector
from clinch.gateway.errors import ConnectionDefunct

PREFIX = "conn"

State = Literal["CLIENT_ACTION_REQUIRED", "READY"]

GATEWAY_CONNECTION = tenant_table(
    "gateway_connection",
    id_column("tenant_id"),
    id_column(),
    Column("key", "text", nullable=True),
    Column("name", "text"),
    Column("connector_key", "text"),
    Column("option_key", "text"),
    Column("state", "text"),
    Column("reason", "text", nullable=True),
    Column("version", "bigint"),
    Column("secrets", "bytea", nullable=True),
    Column("expires_at", "timestamp with time zone", nullable=True),
    Column("ticket", "bytea", nullable=True),
    Column("ticket_until", "timestamp with time zone", nullable=True),
    id_column("session_id", nullable=True),
    Column("created_at", "timestamp with time zone"),
    Column("updated_at", "timestamp with time zone"),
    Column("archived_at", "timestamp with time zone", nullable=True),
    # How what it holds is renewed, see `credentials.py`.
    Column("renew_at", "timestamp with time zone", nullable=True),
    Column("fence", "bigint", default="0"),
    Column("renewed_by", "bigint", nullable=True),
    Column("sent_version", "bigint", nullable=True),
    Column("lease_until", "timestamp with time zone", nullable=True),
    Column("failures", "bigint", default="0"),
    Column("retry_at", "timestamp with time zone", nullable=True),
    # A login at the app's own page that has begun, see `entrance.py`.
    Column("login", "bytea", nullable=True),
    key=("tenant_id", "id"),
    indexes=(
        Index(("organization_id", "tenant_id", "key"), unique=True, where="(archived_at is null)"),
        Index(("organization_id", "tenant_id", "created_at", "id")),
    ),
    foreign_keys=(ForeignKey("tenant_id", "gateway_tenant", "tenant_id"),),
)


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection, without what it holds. `reason` says why a person is needed again."""

    id: str
    key: str | None
    name: str
    connector: Connector
    option: AuthOption
    state: State
    reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    ui_url: str | None = field(default=None, repr=False)

    @property
    def connector_key(self) -> str:
        return self.connector.key

    @property
    def is_ready(self) -> bool:
        return self.state == "READY" and self.archived_at is None

    @property
    def is_here(self) -> bool:
        """Whether it leads to this very server."""
        return self.option.here


@dataclass(frozen=True, slots=True)
class Wanted:
    """What connection is asked for. `input` is what a product that embeds the gateway sends in
    place of a person; `again` makes another where there is one."""

    app: str
    option: str | None = None
    name: str | None = None
    key: str | None = None
    input: Mapping[str, Any] | None = field(default=None, repr=False)
    again: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """Connections, the oldest first; `cursor` leads to those that follow."""

    items: list[Connection]
    cursor: str | None


COLUMNS = (
    "c.id, c.key, c.name, c.connector_key, c.option_key, c.state, c.reason, c.version,"
    " c.created_at, c.updated_at, c.archived_at"
)
"""What `read_connection` reads, of `gateway_connection c`."""


def read_connection(connector: Connector | None, row: Sequence[Any]) -> Connection | None:
    """A row as a connection; None where its connector was removed."""
    id, key, name, _, option_key, *rest = row
    option = connector.option(option_key) if connector is not None else None
    if connector is None or option is None:
        return None
    return Connection(id, key, name, connector, option, *rest)


def defunct(one: Connection, reason: str | None) -> ConnectionDefunct:
    """The error of a connection that a person has to make anew."""
    told = f" {reason}" if reason else ""
    return ConnectionDefunct(
        f"The connection to {one.connector.name} does not hold any more.{told}",
        hint=f"membrane connect --connectionId={one.id} --json",
        connectionId=one.id,
    )
