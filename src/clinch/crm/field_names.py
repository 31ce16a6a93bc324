"""No object has two custom fields of one name, be they regular or shared.

Among regular fields, and among shared ones, the table sees to it; here is what lies between them.
For that fields get names, and objects shared fields, in one write at a time.
"""

from collections.abc import Iterable, Iterator

from clinch.identity.organizations import in_turn
from clinch.resources.custom_fields import ASSOCIATION, SHARED
from clinch.resources.declaration import Declarations
from clinch.resources.errors import ValidationError
from clinch.resources.query.tree import EVERYTHING, Equal, In, Or, Related
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

_IN_USE = "This value is already in use."


def naming_in_turn(work: Work, changes: list[Change]) -> Iterable[Load]:
    if any(_gives_name(change) for change in changes):
        yield in_turn()


def fields_of_same_name(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What has the name already that a definition is given, and where shared ones have it."""
    rows = [change.after for change in changes if change.after and _gives_name(change)]
    names = tuple(dict.fromkeys(row["name"] for row in rows))
    if not names:
        return
    for noun in (SHARED, *_regular(work.declarations)):
        resource = work.declarations[noun]
        yield Load(resource, In(resource.fields["name"], names))
    shared, association = work.declarations[SHARED], work.declarations[ASSOCIATION]
    ids = tuple(change.id for change in changes)
    fields = Or((In(shared.fields["name"], names), In(shared.fields["id"], ids)))
    [ref] = (ref for ref in association.refs if ref.key == "custom_field_id")
    yield Load(association, Related(ref, fields))


def fields_of_same_objects(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The regular fields of the objects that are to have a shared one."""
    for row in [change.after for change in changes if change.kind == "create"]:
        if row is None:
            continue
        key = f"{row['object_type']}_id"
        for noun in _regular(work.declarations):
            resource = work.declarations[noun]
            if key in resource.fields and row.get(key) is not None:
                yield Load(resource, Equal(resource.fields[key], row[key]))
            elif resource.only["kind"] == row["object_type"]:
                yield Load(resource, EVERYTHING)


def _gives_name(change: Change) -> bool:
    """Whether objects get a field of some name by the change."""
    if change.resource.noun == ASSOCIATION:
        return change.kind == "create"
    return "name" in change.sent


def keep_names_apart(work: Work, changes: list[Change]) -> None:
    """Refuse a name, or an association, by which objects would have two fields of one name."""
    fields: dict[tuple[str, str], set[str]] = {}
    for objects, field in _placed(work):
        fields.setdefault((objects, field["name"]), set()).add(field["id"])
    twice = {id for ids in fields.values() if len(ids) > 1 for id in ids}
    for change in filter(_gives_name, changes):
        if change.id in twice:
            raise ValidationError({"name": _IN_USE})
        if change.after is not None and change.after.get("custom_field_id") in twice:
            raise ValidationError({"custom_field": _IN_USE})


def _placed(work: Work) -> Iterator[tuple[str, Row]]:
    """The fields that were read or are made, with the kind, or the type, of each that has them."""
    regular = set(_regular(work.declarations))
    for (noun, _), row in work.rows.items():
        if row is not None and noun in regular:
            yield _objects(row), row
        elif row is not None and noun == ASSOCIATION:
            shared = work.row(work.declarations[SHARED], row["custom_field_id"])
            if shared is not None:
                yield _objects(row), shared


def _objects(row: Row) -> str:
    type_id = row.get("custom_activity_type_id") or row.get("custom_object_type_id")
    return str(type_id or row.get("object_type") or row["kind"])


def _regular(declarations: Declarations) -> list[str]:
    """The resources of regular fields, by noun."""
    table = declarations[SHARED].table
    return [r.noun for r in declarations if r.table == table and r.noun != SHARED]
