"""What hangs on an object: comments, and the entries of its history. When it goes to another lead,
they go with it.

A resource that something hangs on lists `what_hangs_on_moved` in its `looks` and
`move_what_hangs` in `before`. The comments on an entry follow the entry.
"""

from collections.abc import Iterable
from typing import Any

from clinch.resources.query.tree import In, Related
from clinch.resources.write.change import Change
from clinch.resources.write.load import FOR_UPDATE, Load
from clinch.resources.write.work import Work

THREAD, COMMENT, ENTRY = "comment_thread", "comment", "activity"
_LEAD, _OBJECT = "lead_id", "object_id"


def what_hangs_on_moved(work: Work, changes: list[Change]) -> Iterable[Load]:
    moved = tuple(c.id for c in changes if _LEAD in c.sent and _moves(c))
    if moved:
        entry, thread, comment = (work.declarations[noun] for noun in (ENTRY, THREAD, COMMENT))
        of_entry = next(ref for ref in thread.refs if ref.target == ENTRY)
        in_thread = next(ref for ref in comment.refs if ref.target == THREAD)
        told = In(entry.fields[_OBJECT], moved)
        yield Load(entry, told, FOR_UPDATE)
        on_told = Related(of_entry, told)
        about = In(thread.fields[_OBJECT], moved)
        yield Load(thread, about, FOR_UPDATE, others=(on_told,))
        said = In(comment.fields[_OBJECT], moved)
        yield Load(comment, said, FOR_UPDATE, others=(Related(in_thread, on_told),))


def move_what_hangs(work: Work, changes: list[Change]) -> None:
    leads: dict[str, Any] = {
        change.id: change.get(change.resource.fields[_LEAD]) for change in changes if _moves(change)
    }
    for noun in (ENTRY, THREAD, COMMENT):
        resource = work.declarations[noun]
        for row in work.known(resource):
            if row[_OBJECT] in leads:
                work.update(resource.variant(row), row["id"], {_LEAD: leads[row[_OBJECT]]})


def _moves(change: Change) -> bool:
    return change.kind == "update" and change.moved(change.resource.fields[_LEAD])


def comment_summary(thread: str) -> str:
    """SQL for the number of comments and the thread that meets `thread`, in the words of a
    computed field."""
    return (
        "(select json_build_object('comment_count', t.num_comments, 'thread_id', t.id)"
        f" from comment_thread t where t.organization_id = {{org}} and {thread})"
    )
