"""The lead custom fields by which roles say who sees a lead: they stay what they are."""

from collections.abc import Iterable

from clinch.identity.roles import Role
from clinch.resources.errors import BadRequest
from clinch.resources.query.tree import Exists
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work


def assigning_roles(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The roles as they are once the field is locked, which those that name it lock, too."""
    if any(_ends(change) for change in changes):
        yield Load(Role, Exists(Role.visibility_user_lcf_ids))


def keep_assigning(work: Work, changes: list[Change]) -> None:
    """Without the field, or with one of another type, nobody would know whose leads are whose."""
    for change in filter(_ends, changes):
        for role in work.known(Role):
            if change.id in (role["visibility_user_lcf_ids"] or ()):
                raise BadRequest(f'The role "{role["name"]}" uses this field to assign leads.')


def _ends(change: Change) -> bool:
    """Whether the field goes, or gets another type."""
    return change.before is not None and change.before["type"] != (change.after or {}).get("type")
