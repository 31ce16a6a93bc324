"""The rules of what is of a custom type: who may make it, and which values it must have.

A resource whose custom fields are those of a type (`CustomFields(..., owner=...)`) lists
`types_of_objects` in its `loads` and `check_types` in `before`; `missing_values` tells it what
the type asks for and an object does not have.
"""

from collections.abc import Iterable

from clinch.identity.sessions import is_session
from clinch.resources.actor import Actor
from clinch.resources.errors import REQUIRED, Forbidden, ValidationError
from clinch.resources.write.change import Change, Row
from clinch.resources.write.custom import types_of
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work


def types_of_objects(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The types of what is made, changed or deleted."""
    for custom in dict.fromkeys(change.resource.custom_fields for change in changes):
        if custom is not None:
            yield Load(work.declarations[custom.owner_ref.target], types_of(work, custom))


def check_types(work: Work, changes: list[Change]) -> None:
    """The type decides who works on its objects, and whether there may be more of them."""
    for change in changes:
        if change.inner or change.resource.custom_fields is None:
            continue
        ref = change.resource.custom_fields.owner_ref
        row = work.row(work.declarations[ref.target], change.get(ref))
        if row is None:
            continue
        check_role(work.actor, row)
        if change.kind == "create" and row["is_archived"]:
            raise ValidationError({ref.error_key: "This type is archived."})
        if change.kind == "create" and row["api_create_only"] and is_session(work.actor):
            raise Forbidden("Objects of this type are made by API clients only.")


def check_role(actor: Actor, type_row: Row) -> None:
    """Raise Forbidden unless the actor's role may work on the objects of a type."""
    roles = type_row["editable_with_roles"]
    if roles and actor.role not in (None, *roles):
        raise Forbidden("Your role may not edit objects of this type.")


def require_values(work: Work, changes: list[Change]) -> None:
    """A new object has all that is required; an update leaves it there.

    What fits its field no longer goes all the same.
    """
    for change in changes:
        if change.after is None or change.refits:
            continue
        missing = missing_values(work.fields_of(change), change.after["custom"])
        if change.before is not None:
            missing &= change.before["custom"].keys()
        if missing:
            raise ValidationError({f"custom.{id}": REQUIRED for id in sorted(missing)})


def missing_values(definitions: Iterable[Row], custom: Row) -> set[str]:
    """The ids of the fields that must have a value, by their definitions, and have none."""
    required = {row["id"] for row in definitions if row.get("required")}
    return required - custom.keys()
