"""Which roles may work on something: what lists them as `editable_with_roles` has these rules."""

from collections.abc import Iterable

from clinch.identity.roles import Role
from clinch.resources.errors import NO_CHOICE
from clinch.resources.query.tree import In
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

_KEY = "editable_with_roles"


def editing_roles(work: Work, changes: list[Change]) -> Iterable[Load]:
    """The roles that are listed; none of them may go before the list is written."""
    named = {id for change in changes for id in (change.after or {}).get(_KEY) or ()}
    if named:
        yield Load(Role, In(Role.id, tuple(sorted(named))), "for key share")


def role_problems(work: Work, change: Change) -> dict[str, str]:
    """What is wrong with the roles that a change adds to the list: nothing, or one is none.

    One that is listed already need not exist any more.
    """
    if change.after is None:
        return {}
    listed = set(change.before[_KEY]) if change.before is not None else set()
    added = set(change.after[_KEY]) - listed
    return {_KEY: NO_CHOICE} if any(work.row(Role, id) is None for id in added) else {}
