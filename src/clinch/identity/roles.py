"""Roles: what their holders may do, in the permission words of the public API.

Four are built in and known by their words; the organization may add others. They stand in one
table, so that whoever asks what a role allows reads a row.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from clinch.db.schema import Index
from clinch.identity.rights import ADMIN, covers, may_take
from clinch.resources.actor import Actor
from clinch.resources.declaration import Audited, Operation
from clinch.resources.errors import (
    NO_CHOICE,
    NO_OBJECT,
    BadRequest,
    Forbidden,
    Invalid,
    ValidationError,
)
from clinch.resources.fields import Boolean, Choice, Text, Words, stored_time
from clinch.resources.query.tree import In
from clinch.resources.visibility import LEAD
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import FOR_SHARE, Load
from clinch.resources.write.work import Work

_OWN = frozenset({"delete_own_activities", "delete_own_opportunities", "delete_own_tasks"})

_USER = _OWN | {
    "bulk_email",
    "bulk_import",
    "bulk_sequence_subscriptions",
    "calling",
    "delete_leads",
    "manage_others_activities",
    "manage_others_opportunities",
    "manage_others_tasks",
    "merge_leads",
    "view_all_leads",
}

_SUPERUSER = _USER | {
    "bulk_delete",
    "bulk_edit",
    "call_coach_barge",
    "call_coach_listen",
    "export",
    "manage_customizations",
    "manage_email_sequences",
    "manage_group_numbers",
    "manage_team_email_templates",
    "manage_team_smart_views",
}

PERMISSIONS: dict[str, frozenset[str]] = {
    ADMIN: _SUPERUSER | {"manage_organization"},
    "superuser": _SUPERUSER,
    "user": _USER,
    "restricteduser": _OWN | {"calling", "view_all_leads"},
}
"""What each built-in role may do."""

_NAMES = {
    ADMIN: "Admin",
    "superuser": "Super User",
    "user": "User",
    "restricteduser": "Restricted User",
}
_MOST_FIELDS = 10

_ORGANIZATION: dict[Operation, str] = {
    "create": "manage_organization",
    "update": "manage_organization",
    "delete": "manage_organization",
}


class Permissions(Words):
    """Words that each stand for something that holders of the role may do."""

    def read(self, value: Any, actor: Actor) -> Any:
        words = super().read(value, actor)
        if not set(words) <= PERMISSIONS[ADMIN]:
            raise Invalid(NO_CHOICE)
        return sorted(words)


def named_fields(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The lead custom fields that roles name; none of them may go, or get another type, before the
    role is written."""
    named = {id for change in changes for id in (change.after or {}).get(_IDS) or ()}
    if named:
        fields = work.declarations[f"{LEAD}_custom_field"]
        where = In(fields.fields["id"], tuple(sorted(named)))
        yield Load(fields, where, FOR_SHARE)


def keep_built_in(work: Work, changes: list[Change]) -> None:
    """The four roles that every organization has are as they are."""
    if any(change.before is not None and not change.was(Role.editable) for change in changes):
        raise BadRequest("Built-in roles cannot be changed or deleted.")


def check_visibility(work: Work, changes: list[Change]) -> None:
    """Who does not see all leads needs fields that assign some, and a word on unassigned ones."""
    for change in changes:
        if change.after is not None and (problems := _problems(work, change, change.after)):
            raise ValidationError(problems)


def _problems(work: Work, change: Change, row: Row) -> dict[str, Any]:
    row[_IDS] = row[_IDS] or None
    needless = "view_all_leads" in row["permissions"]
    text = (
        "This field must be empty for a role that may view all leads."
        if needless
        else "This field is required for a role that may not view all leads."
    )
    problems: dict[str, Any] = {
        key: text for key in (_IDS, _BEHAVIOR) if (row[key] is not None) == needless
    }
    if change.sets(Role.visibility_user_lcf_ids) and row[_IDS]:
        fields = work.declarations[f"{LEAD}_custom_field"]
        known = [work.row(fields, id) for id in row[_IDS]]
        if not all(known):
            problems[_IDS] = NO_OBJECT
        elif any(field is not None and field["type"] != "user" for field in known):
            problems[_IDS] = "Only custom fields of type user assign leads."
        elif len(known) > _MOST_FIELDS:
            problems[_IDS] = "List is too long."
    return problems


def refuse_what_is_not_ones_own(work: Work, changes: list[Change]) -> None:
    """Nobody writes more into a role than they have: its holders, and they may be one, get it. Nor
    does anybody change one that has more: its holders would lose it."""
    fields = (
        Role.permissions,
        Role.visibility_user_lcf_ids,
        Role.visibility_user_lcf_behavior,
    )
    for change in changes:
        if change.after is None or not any(map(change.moved, fields)):
            continue
        if not covers(work.actor, change.after | {"id": change.id}):
            raise Forbidden("You cannot give a role more rights than you have.")
        if change.before is not None and not may_take(work.actor, change.before):
            raise Forbidden("You cannot change the rights of a role that has more than you have.")


def keep_first_date(work: Work, changes: list[Change]) -> None:
    """The built-in roles are as they were made, which was before the organization."""
    for change in changes:
        if change.kind == "create" and not change.get(Role.editable):
            change.set(Role.date_updated, change.get(Role.date_created))


def refresh_holders(work: Work, changes: list[Change]) -> None:
    """What the holders of a role may do has changed: their keys and sessions are read anew."""
    changed = [change.id for change in changes if change.changed()]
    if changed:
        work.also(
            "update credential c set version = version + 1 from membership m"
            " where c.organization_id = $1 and m.organization_id = $1"
            " and m.user_id = c.user_id and m.role_id = any($2)",
            work.actor.organization_id,
            changed,
        )


class Role(Audited, path="role", prefix="role"):
    """What its holders may do, and which leads they see."""

    needs = _ORGANIZATION
    default_order = "date_created"
    create_status = 201
    naive_times = True
    indexes = (Index(("organization_id", "date_created", "id")),)
    loads = [named_fields]
    before = [keep_built_in, check_visibility, refuse_what_is_not_ones_own, keep_first_date]
    within = [refresh_holders]

    name = Text(required=True, max=200)
    editable = Boolean(default=True, writable="internally")
    permissions = Permissions(required=True)
    visibility_user_lcf_ids = Words(
        nullable=True, doc="The lead custom fields that assign leads to users."
    )
    visibility_user_lcf_behavior = Choice(
        "require_assignment",
        "allow_unassigned",
        nullable=True,
        doc="Whether leads that nobody is assigned to are seen.",
    )


_IDS = Role.visibility_user_lcf_ids.key
_BEHAVIOR = Role.visibility_user_lcf_behavior.key


def built_in_roles() -> list[Change]:
    """The roles that every organization has; they are older than it."""
    beginning = stored_time(datetime.min.replace(tzinfo=UTC))
    return [
        Change.create(
            Role,
            {
                "name": _NAMES[word],
                "permissions": list(permissions),
                "editable": False,
                "date_created": beginning,
            },
            id=word,
            trusted=True,
        )
        for word, permissions in PERMISSIONS.items()
    ]
