"""Groups of users: teams, which stand for their members where lists are filtered by users."""

from collections.abc import Iterable
from typing import Any

from clinch.db.schema import Index
from clinch.identity.users import User
from clinch.resources.declaration import Audited
from clinch.resources.errors import NO_OBJECT, REQUIRED, ValidationError, wrong_type
from clinch.resources.fields import Field, Output, Ref, Text, Words
from clinch.resources.query.tree import In, Listed, Node, Or
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

_JOINS, _LEAVES = "joins", "leaves"


class Members(Words):
    """The ids of users, answered as objects that name them."""

    def output(self, row: str, out: Output) -> str:
        return (
            "(select coalesce(jsonb_agg(jsonb_build_object('user_id', m.id)"
            " order by m.place), '[]')"
            f" from jsonb_array_elements_text({row}.{self.column}) with ordinality m(id, place))"
        )

    def schema(self) -> dict[str, Any]:
        user = {"type": "object", "properties": {"user_id": {"type": "string"}}}
        return super().schema() | {"items": user}


def joining_users(work: Work, changes: list[Change]) -> Iterable[Load]:
    joining = {id for change in changes if (id := _named(change, _JOINS))}
    if joining:
        yield Load(User, In(User.id, tuple(sorted(joining))))


def change_members(work: Work, changes: list[Change]) -> None:
    """Who is in already joins without a change, and so leaves who is not."""
    for change in changes:
        joining, leaving = _named(change, _JOINS), _named(change, _LEAVES)
        members = [id for id in change.get(Group.members) if id not in (joining, leaving)]
        if joining:
            if work.row(User, joining) is None:
                raise ValidationError({"user": NO_OBJECT})
            kept = change.get(Group.members)
            members = kept if joining in kept else [*kept, joining]
        change.set(Group.members, members)


def _named(change: Change, verb: str) -> str | None:
    """The user that the program has join or leave; a request's body cannot say so."""
    return change.body.get(verb) if change.trusted else None


class Group(Audited, path="group", prefix="group", table="user_group"):
    """A team: users with a name."""

    needs = {
        "create": "manage_organization",
        "update": "manage_organization",
        "delete": "manage_organization",
    }
    default_order = "date_created"
    create_status = 201
    delete_status = 204
    indexes = (Index(("organization_id", "lower(name)"), unique=True),)
    loads = [joining_users]
    before = [change_members]

    name = Text(required=True, max=200)
    members = Members(writable="never", listed=False, doc="In the answers on one group.")


def join(group_id: str, user_id: object) -> Change:
    """The change by which a user comes into a group; raises ValidationError."""
    if user_id is None or user_id == "":
        raise ValidationError({"user": REQUIRED})
    if not isinstance(user_id, str):
        raise ValidationError({"user": wrong_type("str").problem})
    if "\x00" in user_id:
        raise ValidationError({"user": NO_OBJECT})
    return Change.update(Group, group_id, {_JOINS: user_id}, trusted=True)


def leave(group_id: str, user_id: str) -> Change:
    """The change by which a user goes out of a group."""
    return Change.update(Group, group_id, {_LEAVES: user_id}, trusted=True)


def names_groups(field: Field, text: str) -> bool:
    """Whether a filter on a field of users has the ids of groups in it."""
    return isinstance(field, Ref) and field.target == User.noun and f"{Group.prefix}_" in text


def of_users(field: Field, ids: tuple[str, ...]) -> Node:
    """The field names one of the users, or a member of one of the groups, that have the ids."""
    groups = tuple(id for id in ids if id.startswith(f"{Group.prefix}_"))
    users = In(field, tuple(id for id in ids if id not in groups))
    return Or((users, Listed(field, Group.members, In(Group.id, groups))))
