"""Comments on activities and opportunities, and the threads that they make.

The first comment on an object makes its thread. A comment that is removed stays in it without its
text, until the last one is removed: then the thread goes with all of them.
"""

from collections.abc import Iterable, Iterator

from clinch.crm.activities.activity import ObjectId
from clinch.crm.rich_text import RichText, derive_mentions, to_plain
from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.declaration import Audited, Owned, Resource
from clinch.resources.errors import NO_OBJECT, REQUIRED, BadRequest, Forbidden, ValidationError
from clinch.resources.fields import (
    EQ,
    Boolean,
    Children,
    Computed,
    DateTime,
    Integer,
    Ref,
    Summary,
    Text,
    Words,
    stored_time,
)
from clinch.resources.query.tree import In, Node, Related
from clinch.resources.write.change import Change, Row
from clinch.resources.write.load import FOR_DELETE, FOR_SHARE, FOR_UPDATE, Load
from clinch.resources.write.work import Work

COMMENTABLE = ("activity", "opportunity")
"""What may be commented on, by noun; a thread has a reference to each."""


class CommentThread(Audited, path="comment_thread", prefix="comthr"):
    """The comments on one object."""

    operations = ("list", "get")
    orders = ("created_at", "updated_at")
    default_order = "-created_at"
    indexes = (
        Index(("organization_id", "object_id"), unique=True),
        Index(("organization_id", "date_created desc", "id desc")),
    )
    list_parameters = {
        "ids": "Ids of threads, with commas between.",
        "object_ids": "Ids of what is commented on, with commas between.",
    }

    object_id = ObjectId(writable="internally", doc="What is commented on.")
    object_type = Text(writable="internally", doc="What that is, as events call it.")
    lead = Ref("lead", writable="internally")
    activity = Ref(
        "activity", nullable=True, target_deleted="delete", writable="internally", shown=False
    )
    opportunity = Ref(
        "opportunity",
        nullable=True,
        target_deleted="delete",
        locks=True,
        writable="internally",
        shown=False,
    )
    num_comments = Integer(
        summary=Summary(("comment",), "count(*)", "not {row}.is_removed"), writable="never"
    )
    participating = Computed(
        "(select coalesce(json_agg(u.id order by u.since, u.id), '[]') from"
        " (select p.id, min(c.date_created) as since from comment c cross join lateral"
        " (select c.created_by as id union select jsonb_array_elements_text(c.mentions)) p"
        " where c.organization_id = {org} and c.thread_id = {row}.id"
        " and starts_with(p.id, 'user_') group by p.id) u)",
        json_type="array",
        doc="Who has commented or is mentioned.",
    )
    created_by = Ref(
        "user", key="created_by", writable="never", enforced=False, nullable=True, shown=False
    )
    updated_by = Ref(
        "user", key="updated_by", writable="never", enforced=False, nullable=True, shown=False
    )
    date_created = DateTime(key="created_at", column="date_created", writable="never")
    date_updated = DateTime(key="updated_at", column="date_updated", writable="never")

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """Who does not see every lead says which threads they mean; raises Forbidden."""
        nodes: list[Node] = []
        for name, field in (("ids", cls.fields["id"]), ("object_ids", cls.object_id)):
            if wanted := parameters.get(name):
                nodes.append(In(field, tuple(id.strip() for id in wanted.split(","))))
        if not nodes and actor.visibility is not None:
            raise Forbidden("You need the permission view_all_leads to list every thread.")
        return nodes


def objects_and_threads(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What new comments are about, with the threads that there are."""
    ids = tuple(
        {c.after[Comment.object_id.column]: None for c in changes if c.kind == "create" and c.after}
    )
    if ids:
        # The leads, the objects, the thread: in the order in which everything locks them.
        lead = work.declarations["lead"]
        first, *others = (
            Related(Children(noun, "lead_id"), In(work.declarations[noun].fields["id"], ids))
            for noun in COMMENTABLE
        )
        yield Load(lead, first, "for key share", others=tuple(others))
        for noun in COMMENTABLE:
            resource = work.declarations[noun]
            # What it is about stays at its lead until the end.
            lock = FOR_UPDATE if _reference(resource).locks else FOR_SHARE
            yield Load(resource, In(resource.fields["id"], ids), lock)
        yield Load(CommentThread, In(CommentThread.object_id, ids), FOR_UPDATE)


def comments_beside(work: Work, changes: list[Change]) -> Iterable[Load]:
    """All comments of the threads that one is to be removed from, which are locked by now."""
    threads = {change.get(Comment.thread): None for change in changes if _is_removal(change)}
    if threads:
        yield Load(Comment, In(Comment.thread, tuple(threads)), FOR_DELETE)


def _is_removal(change: Change) -> bool:
    return change.deletes and not change.inner


def join_threads(work: Work, changes: list[Change]) -> None:
    """A new comment comes into the thread of its object, which the first one makes."""
    about = {row["id"]: (resource, row) for resource, row in _commented_on(work)}
    threads = {row["object_id"]: row["id"] for row in work.known(CommentThread)}
    for change in changes:
        if change.kind != "create":
            continue
        object_id = change.get(Comment.object_id)
        if object_id not in about:
            raise ValidationError({"object_id": NO_OBJECT})
        resource, row = about[object_id]
        if object_id not in threads:
            threads[object_id] = _new_thread(work, resource, row)
        change.set(Comment.thread, threads[object_id])
        change.set(Comment.lead, row["lead_id"])


def _commented_on(work: Work) -> Iterator[tuple[type[Resource], Row]]:
    for noun in COMMENTABLE:
        for row in work.known(work.declarations[noun]):
            yield work.declarations[noun], row


def _new_thread(work: Work, resource: type[Resource], row: Row) -> str:
    thread = {
        "object_id": row["id"],
        "object_type": resource.event_type_of(row),
        "lead_id": row["lead_id"],
        _reference(resource).key: row["id"],
    }
    return work.create(CommentThread, thread).id


def _reference(resource: type[Resource]) -> Ref:
    return next(ref for ref in CommentThread.refs if ref.target == resource.noun)


def write_texts(work: Work, changes: list[Change]) -> None:
    """A comment says something, and only who has made it says something else."""
    for change in changes:
        if change.kind == "delete" or not change.sets(Comment.body):
            continue
        if change.before is not None and change.was(Comment.created_by) != work.actor.user_id:
            raise Forbidden("You can only edit your own comments.")
        if change.was(Comment.is_removed):
            raise BadRequest("The comment was removed.")
        body = change.get(Comment.body)
        if not to_plain(body) and "<img" not in body:
            raise ValidationError({"body": REQUIRED})
        derive_mentions(change, Comment.body, Comment.mentions)


def remove(work: Work, changes: list[Change]) -> None:
    """What is removed has no text any more; the last one takes the thread with it."""
    removed = [c for c in changes if c.kind == "update" and c.moved(Comment.is_removed)]
    for change in removed:
        change.set(Comment.body, "")
        change.set(Comment.mentions, [])
        change.set(Comment.removed_by, work.actor.user_id)
        change.set(Comment.removed_at, stored_time(work.now))
    for thread_id in dict.fromkeys(change.get(Comment.thread) for change in removed):
        rows = [
            row
            for stored in work.known(Comment)
            if (row := work.row(Comment, stored["id"])) is not None
            and row["thread_id"] == thread_id
        ]
        if all(row["is_removed"] for row in rows):
            for row in rows:
                work.delete(Comment, row["id"])
            work.delete(CommentThread, thread_id)


def touch_threads(work: Work, changes: list[Change]) -> None:
    """A thread shows who takes part and how many comments there are."""
    for change in changes:
        if change.kind != "update" or change.changed():
            thread_id = change.get(Comment.thread)
            if work.row(CommentThread, thread_id) is not None:
                work.touch(CommentThread, thread_id, *_shown(change))


def _shown(change: Change) -> tuple[str, ...]:
    """What a thread shows otherwise after a change of one of its comments."""
    if change.kind == "update" and not change.moved(Comment.is_removed):
        return ("participating",) if change.moved(Comment.mentions) else ("updated_at",)
    return "num_comments", "participating"


class Comment(Audited, path="comment", prefix="comm"):
    """What somebody says to their colleagues about an activity or an opportunity."""

    create_status = 201
    delete_status = 204
    default_order = "created_at"
    orders = ("created_at",)
    owned = Owned(("created_by",), "delete_own_activities", "manage_others_activities")
    when_deleted = {"is_removed": True}
    indexes = (
        Index(("organization_id", "object_id", "date_created", "id")),
        Index(("organization_id", "thread_id", "date_created", "id")),
    )
    loads = [objects_and_threads]
    looks = [comments_beside]
    before = [join_threads, write_texts, remove]
    within = [touch_threads]

    object_id = ObjectId(
        required=True,
        writable="create",
        filters=EQ,
        doc="The activity or opportunity that is commented on.",
    )
    thread = Ref(CommentThread, target_deleted="delete", locks=True, writable="never", filters=EQ)
    lead = Ref("lead", writable="never")
    body = RichText(required=True)
    mentions = Words(writable="never", doc="The users and groups that the text mentions.")
    is_removed = Boolean(writable="internally", shown=False)
    removed_by = Ref("user", key="removed_by", nullable=True, writable="never", enforced=False)
    removed_at = DateTime(nullable=True, writable="never")
    date_created = DateTime(key="created_at", column="date_created", writable="never")
    date_updated = DateTime(key="updated_at", column="date_updated", writable="never")

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """A list is one of an object's comments, or of a thread's."""
        if bool(parameters.get("object_id")) == bool(parameters.get("thread_id")):
            raise BadRequest("Either object_id or thread_id is needed, and not both.")
        return []
