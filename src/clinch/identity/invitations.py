"""Invitations: somebody may join the organization in a role, by a link that is handed to them."""

from collections.abc import Iterable
from datetime import timedelta

from clinch.identity.authority import GIVES
from clinch.identity.links import INSERT, new_link_secret
from clinch.identity.rights import covers
from clinch.identity.roles import Role
from clinch.identity.users import Membership, User
from clinch.resources.declaration import Audited
from clinch.resources.errors import BadRequest, Forbidden, ValidationError
from clinch.resources.fields import (
    EQ,
    Choice,
    DateTime,
    EmailAddress,
    Ref,
    Shown,
    ToldOnce,
    stored_time,
)
from clinch.resources.query.tree import Related, TextMatch
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

LIFETIME = timedelta(days=14)


def members_with_the_address(work: Work, changes: list[Change]) -> Iterable[Load]:
    for change in changes:
        if change.kind == "create":
            address = TextMatch(User.email, "is", change.get(Invitation.email))
            yield Load(User, address)
            yield Load(Membership, Related(Membership.user, address))


def refuse_what_is_not_ones_own(work: Work, changes: list[Change]) -> None:
    """Nobody invites to more than they have."""
    for change in changes:
        role = work.row(Role, change.get(Invitation.role_id))
        if change.kind == "create" and (role is None or not covers(work.actor, role)):
            raise Forbidden("You cannot invite somebody to a role that has more rights than yours.")


def refuse_members(work: Work, changes: list[Change]) -> None:
    active = {row["user_id"] for row in work.known(Membership) if row["active"]}
    addresses = {row["email"].lower() for row in work.known(User) if row["id"] in active}
    for change in changes:
        if change.kind == "create" and change.get(Invitation.email).lower() in addresses:
            raise ValidationError({"email": "This person belongs to the organization already."})


def refuse_what_is_settled(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.kind == "update" and change.was(Invitation.status) != "pending":
            raise BadRequest(f"The invitation was {change.was(Invitation.status)} already.")


def set_end(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.kind == "create":
            change.set(Invitation.expires_at, stored_time(work.now + LIFETIME))


def make_links(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.kind == "create":
            secret, hash = new_link_secret()
            work.also(
                INSERT,
                change.id,
                work.actor.organization_id,
                work.actor.user_id,
                None,
                hash,
                work.now + LIFETIME,
            )
            link = f"{work.declarations.public_url}/invitation/{change.id}.{secret}"
            work.tell(change, Invitation.link, link)


class Invitation(Audited, path="invitation", prefix="invi"):
    """That somebody may join the organization, in a role; they do so by the invitation's link."""

    operations = ("list", "get", "create", "delete")
    needs = {"list": GIVES, "get": GIVES, "create": GIVES, "delete": GIVES}
    loads = [members_with_the_address]
    before = [refuse_what_is_not_ones_own, refuse_members, refuse_what_is_settled, set_end]
    within = [make_links]
    when_deleted = {"status": "revoked"}

    email = EmailAddress(required=True, writable="create", filters=EQ)
    # Not enforced: what was settled keeps no role from going, and what is pending ends with it.
    role_id = Ref(
        Role,
        key="role_id",
        default="user",
        writable="create",
        enforced=False,
        doc="A built-in word or an id.",
    )
    status = Choice(
        "pending", "accepted", "revoked", default="pending", writable="internally", filters=EQ
    )
    user = Ref(User, nullable=True, writable="internally", doc="Who has accepted.")
    user_name = Shown(user, User.name)
    expires_at = DateTime(writable="internally", doc="When a pending one holds no longer.")
    link = ToldOnce(doc="What to hand over. Only the answer that makes the invitation has it.")
