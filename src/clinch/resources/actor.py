"""Who asks, and what they may do. The actor is passed to everything and looked up by nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from clinch.db.database import Tenant
from clinch.resources.once import Attempt


class OperationClass(StrEnum):
    """What an operation does to the data; a grant names the classes it covers."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"


EVERY_CLASS = frozenset(OperationClass)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Visibility:
    """Which leads a user sees: those that one of the custom fields with the ids `fields` assigns to
    them and, with `unassigned`, those that none of the fields assigns to anybody."""

    fields: tuple[str, ...]
    unassigned: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another program that the objects of the resource `noun` show; `url` is a template,
    see `Links`."""

    noun: str
    name: str
    url: str


class OAuthGrant(NamedTuple):
    """By whose leave a program acts: the grant, the program, and the scope of its token."""

    id: str
    client_id: str
    scope: str


@dataclass(frozen=True, slots=True)
class Actor:
    """An organization, a user of it, their rights, their time zone and their clock.

    `user_id` and `role` are None for the system itself. `permissions` are the role's words, or
    None for a role that may do everything. `grant` is what a program that acts for the user was
    allowed, by `oauth_grant`. `visibility` is None for who sees every lead. `country` is the ISO
    code that local phone numbers are read in. `links` are the organization's.
    """

    tenant: Tenant
    organization: str
    user_id: str | None = None
    role: str | None = None
    permissions: frozenset[str] | None = None
    visibility: Visibility | None = None
    grant: frozenset[OperationClass] = EVERY_CLASS
    oauth_grant: OAuthGrant | None = None
    utc_offset: timedelta = timedelta()
    country: str = "US"
    links: tuple[Link, ...] = ()
    clock: Callable[[], datetime] = field(default=_now, compare=False)

    @property
    def organization_id(self) -> str:
        """The uuid that stands in every key; `organization` is its public id."""
        return self.tenant.organization_id

    def may(self, permission: str | None) -> bool:
        return permission is None or self.permissions is None or permission in self.permissions

    def today(self) -> date:
        """The date it is where the user is."""
        return (self.clock() + self.utc_offset).date()

    def tomorrow(self) -> datetime:
        """The moment when the user's day ends."""
        return _midnight_after(self.today(), self.utc_offset)


@lru_cache(maxsize=256)
def _midnight_after(day: date, utc_offset: timedelta) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), timezone(utc_offset))


class Provenance(msgspec.Struct, frozen=True):
    """Where a change comes from; every event of the change carries it.

    `source` is the door (`api`, `cli`, `sample`, …); `on_behalf_of` a user for whom another acts;
    `method` and `path` those of the request, with no secret in them. `attempt` is that of a request
    which is to be done once; the write marks it.
    """

    source: str
    request_id: str | None = None
    api_key_id: str | None = None
    oauth_grant: OAuthGrant | None = None
    on_behalf_of: str | None = None
    reason: str | None = None
    method: str | None = None
    path: str | None = None
    attempt: Attempt | None = None
