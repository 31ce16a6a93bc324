"""What is commented on may go to another lead: its comments go with it.

A resource that is commented on lists `comments_of_moved` in its `loads` and `move_comments` in
`before`.
"""

from collections.abc import Iterable
from typing import Any

from clinch.resources.query.tree import In
from clinch.resources.write.change import Change
from clinch.resources.write.load import FOR_UPDATE, Load
from clinch.resources.write.work import Work

THREAD, COMMENT = "comment_thread", "comment"
_LEAD = "lead_id"


def comments_of_moved(work: Work, changes: list[Change]) -> Iterable[Load]:
    moved = tuple(c.id for c in changes if c.kind == "update" and _LEAD in c.sent)
    if moved:
        thread = work.declarations[THREAD]
        about = In(thread.fields["object_id"], moved)
        yield Load(thread, about, FOR_UPDATE)
        comment = work.declarations[COMMENT]
        yield Load(comment, In(comment.fields["object_id"], moved), FOR_UPDATE)


def move_comments(work: Work, changes: list[Change]) -> None:
    leads: dict[str, Any] = {
        change.id: change.get(change.resource.fields[_LEAD])
        for change in changes
        if change.kind == "update" and change.moved(change.resource.fields[_LEAD])
    }
    for noun in (THREAD, COMMENT):
        resource = work.declarations[noun]
        for row in work.known(resource):
            if row["object_id"] in leads:
                work.update(resource, row["id"], {_LEAD: leads[row["object_id"]]})


def comment_summary(thread: str) -> str:
    """SQL for the number of comments and the thread that meets `thread`, in the words of a
    computed field."""
    return (
        "(select json_build_object('comment_count', t.num_comments, 'thread_id', t.id)"
        f" from comment_thread t where t.organization_id = {{org}} and {thread})"
    )
