"""Users: people in an organization, their membership, and how they sign in."""

from collections.abc import Iterable
from dataclasses import dataclass

from clinch.db.database import Transaction
from clinch.db.ids import new_id
from clinch.db.schema import Column, Index, Table, id_column
from clinch.identity.oauth.grants import end_grants_of
from clinch.identity.passwords import hash_password
from clinch.identity.rights import ADMIN, covers, may_take
from clinch.identity.roles import Role
from clinch.identity.sessions import end_sessions_of
from clinch.resources.actor import Actor, Provenance
from clinch.resources.declaration import Audited
from clinch.resources.errors import BadRequest, Forbidden, Invalid, ValidationError
from clinch.resources.fields import (
    Boolean,
    Choice,
    Computed,
    DateTime,
    EmailAddress,
    Id,
    Ref,
    Shown,
    Text,
    Url,
)
from clinch.resources.query.tree import And, Equal, Node
from clinch.resources.store import Store
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import Load
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
    orders = ("last_name,first_name", "first_name,last_name", "last_name", "first_name")
    max_limit = 1000
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


def all_admins(work: Work, changes: list[Change]) -> Iterable[Load]:
    """All admins, locked, so that no two of them go at once unseen by each other."""
    asked = (Membership.role_id, Membership.active)
    if any(change.kind == "update" and any(map(change.sets, asked)) for change in changes):
        admins = And((Equal(Membership.role_id, ADMIN), Equal(Membership.active, True)))
        yield Load(Membership, admins, "for no key update")


def keep_an_admin(work: Work, changes: list[Change]) -> None:
    """An organization without an admin could be managed by nobody."""
    left = {row["id"] for row in work.known(Membership) if _is_admin(row)}
    gone = {
        change.id for change in changes if _is_admin(change.before) and not _is_admin(change.after)
    }
    if gone and gone == left:
        raise BadRequest("The last admin of an organization can be neither removed nor demoted.")


def _is_admin(row: Row | None) -> bool:
    return row is not None and row["active"] and row["role_id"] == ADMIN


def refuse_what_is_not_ones_own(work: Work, changes: list[Change]) -> None:
    """Nobody gives a member, or one who comes back, more than they have, or takes it from one."""
    for change in changes:
        if change.after is None or not (
            change.moved(Membership.role_id) or change.moved(Membership.active)
        ):
            continue
        role = work.row(Role, change.get(Membership.role_id))
        if change.get(Membership.active) and (role is None or not covers(work.actor, role)):
            raise Forbidden("You cannot give somebody a role that has more rights than yours.")
        held = work.row(Role, change.was(Membership.role_id))
        if change.was(Membership.active) and (held is None or not may_take(work.actor, held)):
            raise Forbidden("You cannot take from somebody a role that has more rights than yours.")


def tell_activity(work: Work, changes: list[Change]) -> None:
    """Who comes and who leaves is told in events of their own."""
    for change in changes:
        if change.moved(Membership.active):
            active = change.get(Membership.active)
            change.announced.append("activated" if active else "deactivated")


def end_what_is_open(work: Work, changes: list[Change]) -> None:
    """Where somebody who leaves is signed in, and what they let programs do, is over, and does not
    come back with them."""
    left = [
        change.get(Membership.user)
        for change in changes
        if change.moved(Membership.active) and not change.get(Membership.active)
    ]
    if left:
        end_grants_of(work, left)
        end_sessions_of(work, left)


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

    operations = ("update", "bulk_update")
    needs = {
        "create": "manage_organization",
        "update": "manage_organization",
        "bulk_update": "manage_organization",
        "delete": "manage_organization",
    }
    indexes = (Index(("organization_id", "user_id"), unique=True),)
    loads = [all_admins]
    before = [keep_an_admin, refuse_what_is_not_ones_own]
    within = [tell_activity, end_what_is_open, refresh_credentials]

    id = Id(filters=("in",))
    user = Ref(User, writable="create")
    user_email = Shown(user, User.email)
    user_first_name = Shown(user, User.first_name)
    user_last_name = Shown(user, User.last_name)
    user_full_name = Shown(user, User.name)
    user_image = Shown(user, User.image)
    user_phone = Computed("null::text", nullable=True)
    user_phone_formatted = Computed("null::text", nullable=True)
    # The role is locked: it is not changed for its holders while somebody becomes one of them.
    role_id = Ref(Role, key="role_id", default="user", locks=True, doc="A built-in word or an id.")
    role = Computed("{row}.role_id", doc="Deprecated: the role_id.")
    permissions_granted = Shown(role_id, Role.permissions)
    auto_record_calls = Choice("unset", "enabled", "disabled", default="unset")
    record_calls = Computed(
        "{row}.auto_record_calls = 'enabled'", json_type="boolean", doc="Deprecated."
    )
    track_email_opens = Boolean(default=True)
    may_workflows_impersonate = Boolean()
    hangup_recording_url = Url()
    default_caller_id = Computed("null::text", nullable=True)
    primary_personal_number = Computed("null::text", nullable=True)
    country = Computed("{organization}.country")
    is_free = Computed("false", json_type="boolean")
    onboarding_status = Computed("'completed'")
    active = Boolean(default=True, shown=False, writable="internally")

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """A bulk update says whom it is for."""
        if not parameters.get("id__in"):
            raise BadRequest("Please name the memberships by id__in.")
        return []


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
        user_id = await find_login(transaction, actor, new.email, hashed)
        changes = new_member(user_id, new)
        await store.writes.write_within(transaction, actor, changes, provenance, answer=False)
    return user_id


async def find_login(
    transaction: Transaction, actor: Actor, email: str, password_hash: str | None = None
) -> str:
    """The id of the person who signs in with the address, to the actor's organization too.

    Who is not known yet gets one, and the password. Raises ValidationError.
    """
    user_id: str = await transaction.value(
        "insert into login (user_id, email, password_hash, organization_ids)"
        " values ($1, $2, $3, array[$4::uuid]) on conflict ((lower(email))) do update"
        " set organization_ids = array_remove(login.organization_ids, $4) || $4::uuid"
        " returning user_id",
        new_id("user"),
        _read_email(email, actor),
        password_hash,
        actor.organization_id,
    )
    return user_id


def new_member(user_id: str, new: NewUser) -> list[Change]:
    """The changes that make a person a user of the organization."""
    profile = {"email": new.email, "first_name": new.first_name, "last_name": new.last_name}
    return [
        Change.create(User, profile, id=user_id),
        Change.create(Membership, {"user_id": user_id, "role_id": new.role_id}),
    ]


def _read_email(text: object, actor: Actor) -> str:
    try:
        return str(User.email.parse(text, actor))
    except Invalid as error:
        raise ValidationError({"email": error.problem}) from None
