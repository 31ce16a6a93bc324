"""Users: people in an organization, their membership, and how they sign in."""

import asyncio
from dataclasses import dataclass

from argon2 import PasswordHasher

from clinch.db.ids import new_id
from clinch.db.schema import Column, Index, Table, id_column
from clinch.identity.roles import PERMISSIONS
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Audited
from clinch.resources.errors import Invalid, ValidationError
from clinch.resources.fields import (
    Boolean,
    Choice,
    Computed,
    DateTime,
    EmailAddress,
    Ref,
    Shown,
    Text,
    Url,
)
from clinch.resources.store import Store
from clinch.resources.write.change import Change
from clinch.resources.write.work import Work

# A person signs in once for all organizations; what each organization knows of them is a User.
LOGIN = Table(
    "login",
    "reference",
    (
        id_column("user_id"),
        Column("email", "text"),
        Column("password_hash", "text", nullable=True),
        Column("organization_ids", "uuid[]"),
    ),
    ("user_id",),
    indexes=(Index(("lower(email)",), unique=True, name="login_email"),),
    rights="select, insert, update",
)


class User(Audited, path="user", prefix="user", table="app_user"):
    """A person, as one organization knows them; stays when the membership ends."""

    operations = ("list", "get")
    orders = ("last_name", "first_name")
    indexes = (Index(("organization_id", "lower(email)"), unique=True),)

    email = EmailAddress(required=True)
    first_name = Text(max=200)
    last_name = Text(max=200)
    name = Computed("trim({row}.first_name || ' ' || {row}.last_name)", shown=False)
    image = Url()
    google_profile_image_url = Computed("null::text", nullable=True)
    last_used_timezone = Text(nullable=True, max=64)
    email_verified_at = DateTime(nullable=True)
    organizations = Computed(
        "(select coalesce(json_agg(o.id), '[]') from membership m join organization o"
        " on o.organization_id = m.organization_id"
        " where m.organization_id = {org} and o.organization_id = {org}"
        " and m.user_id = {row}.id and m.active)",
        json_type="array",
    )


def refresh_credentials(work: Work, changes: list[Change]) -> None:
    """What a member may do has changed: their keys and sessions must be read anew."""
    work.also(
        "update credential set version = version + 1"
        " where organization_id = $1 and user_id = any($2)",
        work.actor.organization_id,
        [change.get(Membership.user) for change in changes],
    )


class Membership(Audited, path="membership", prefix="memb"):
    """That a user belongs to the organization, and in which role."""

    operations = ("update",)
    needs = {"update": "manage_organization"}
    indexes = (Index(("organization_id", "user_id"), unique=True),)
    within = [refresh_credentials]

    user = Ref(User, writable="create")
    user_email = Shown(user, User.email)
    user_first_name = Shown(user, User.first_name)
    user_last_name = Shown(user, User.last_name)
    user_full_name = Shown(user, User.name)
    role_id = Choice(*PERMISSIONS, default="user", doc="A built-in role.")
    active = Boolean(default=True, shown=False, writable="internally")


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who is to join an organization. `password` may be None for one who signs in another way."""

    email: str
    first_name: str = ""
    last_name: str = ""
    role_id: str = "user"
    password: str | None = None


async def create_user(store: Store, actor: Actor, new: NewUser, provenance: Provenance) -> str:
    """Add a user to the actor's organization; their id.

    Who already signs in elsewhere keeps their id and password. Raises ApiError.
    """
    hashed = await hash_password(new.password) if new.password is not None else None
    async with store.database.tenant(actor.tenant) as transaction:
        user_id: str = await transaction.value(
            "insert into login (user_id, email, password_hash, organization_ids)"
            " values ($1, $2, $3, array[$4::uuid]) on conflict ((lower(email)))"
            " do update set organization_ids = login.organization_ids || excluded.organization_ids"
            " returning user_id",
            new_id("user"),
            _read_email(new.email, actor),
            hashed,
            actor.organization_id,
        )
        profile = {"email": new.email, "first_name": new.first_name, "last_name": new.last_name}
        changes = [
            Change.create(User, profile, id=user_id),
            Change.create(Membership, {"user_id": user_id, "role_id": new.role_id}),
        ]
        await store.writes.write_within(transaction, actor, changes, provenance, answer=False)
    return user_id


def _read_email(text: str, actor: Actor) -> str:
    try:
        return str(User.email.parse(text, actor))
    except Invalid as error:
        raise ValidationError({"email": error.problem}) from None


async def hash_password(password: str) -> str:
    """The argon2id hash of a password, made in a thread since it takes long by design."""
    return await asyncio.to_thread(PasswordHasher().hash, password)
