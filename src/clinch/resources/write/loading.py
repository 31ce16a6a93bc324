"""What one write reads: which rows, locked in which order, and the statement that does it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from clinch.resources.actor import Actor
from clinch.resources.declaration import Declarations, Loads, Resource
from clinch.resources.fields import Children, Id, Ref
from clinch.resources.query.compiler import Conditions
from clinch.resources.query.tree import Above, And, Equal, In, Node, Or, Related
from clinch.resources.write.change import Change
from clinch.resources.write.custom import definitions
from clinch.resources.write.load import FOR_DELETE, FOR_UPDATE, Load, locked_together

if TYPE_CHECKING:
    from clinch.resources.write.work import Work


class Loading:
    """The loads of one write, out of its changes as they are when it is asked.

    What sums up others is locked before them, and all rows of a resource in one order, so that
    no two writes wait for each other.
    """

    def __init__(self, work: "Work") -> None:
        self._work, self._declarations = work, work.declarations

    def loads(self) -> list[Load]:
        """What the changes meet, to be read and locked before anything is decided."""
        loads: dict[Load, None] = {}
        for load in [
            *locked_together(
                [
                    *self._parents(),
                    *self._new_parents(),
                    *self._new_branches(),
                    *self._targets(),
                ]
            ),
            *self._references(),
            *self._sharers(),
            *self._lookups(),
            *self._with_followers(self._declared("loads")),
            *definitions(self._work),
        ]:
            loads.setdefault(load)
        return list(loads)

    def looks(self) -> list[Load]:
        """What rules want to see besides, once it is known what becomes of what."""
        return list(dict.fromkeys(self._with_followers(self._declared("looks"))))

    def asked(self) -> Iterable[tuple[type[Resource], str, tuple[str, ...]]]:
        """The existing objects to change, by resource and kind of change."""
        ids: dict[tuple[type[Resource], str], dict[str, None]] = {}
        for change in self._work.changes:
            if change.kind != "create":
                ids.setdefault((change.resource, change.kind), {})[change.id] = None
        for (resource, kind), found in ids.items():
            yield resource, kind, tuple(found)

    def _parents(self) -> Iterable[Load]:
        """What sums up the objects to change, and those that go with them; locked before them, so
        that nobody deadlocks."""
        for resource, kind, ids in self.asked():
            where = In(resource.fields["id"], ids)
            yield from self._above(resource, where)
            if kind == "delete":
                yield from self._parents_below(resource, where, (resource.noun,))

    def _above(self, resource: type[Resource], where: Node) -> Iterable[Load]:
        """What sums up the objects that meet the condition."""
        for ref in resource.refs:
            if ref.locks:
                yield from self._parent(ref, where)

    def _parents_below(
        self, resource: type[Resource], where: Node, gone: tuple[str, ...]
    ) -> Iterable[Load]:
        """The parents of what follows the objects, but for those that these have themselves."""
        for follows in self._declarations.followers(resource):
            below = _referring(follows, where)
            for ref in follows.resource.refs:
                if ref.locks and ref.target not in gone:
                    yield from self._parent(ref, below)
            if follows.target_deleted == "delete":
                noun = follows.resource.noun
                yield from self._parents_below(follows.resource, below, (*gone, noun))

    def _parent(self, ref: Ref, where: Node) -> Iterable[Load]:
        """What a reference of the objects that meet the condition leads to, locked after what sums
        up that."""
        target = self._declarations[ref.target]
        here = Related(Children(ref.resource.noun, ref.key), where)
        yield from self._above(target, here)
        yield Load(target, here, FOR_UPDATE)

    def _new_parents(self) -> Iterable[Load]:
        """What will sum up the objects, by the new values."""
        locking = ((ref, id) for ref, id in self._new_references() if ref.locks)
        return self._referred(locking, FOR_UPDATE)

    def _new_branches(self) -> Iterable[Load]:
        """Where objects of a tree come to, and all that is above that, so that it stays there."""
        wanted: dict[Ref, dict[str, None]] = {}
        for change in self._work.changes:
            for ref in change.resource.refs:
                id = change.after.get(ref.column) if change.after is not None else None
                if ref.acyclic and change.kind == "update" and id is not None:
                    wanted.setdefault(ref, {})[id] = None
        for ref, ids in wanted.items():
            branch = In(ref.resource.fields["id"], tuple(ids))
            yield Load(ref.resource, branch, FOR_UPDATE)
            yield Load(ref.resource, Above(ref, branch), FOR_UPDATE)

    def _targets(self) -> Iterable[Load]:
        for resource, kind, ids in self.asked():
            where = In(resource.fields["id"], ids)
            if kind == "update":
                yield Load(resource, where, FOR_UPDATE)
            else:
                yield Load(resource, where, FOR_DELETE)
                yield from self._cascade(resource, where)

    def _cascade(self, resource: type[Resource], where: Node) -> Iterable[Load]:
        for ref in self._declarations.followers(resource):
            below = _referring(ref, where)
            yield Load(ref.resource, below, FOR_DELETE)
            if ref.target_deleted == "delete":
                yield from self._cascade(ref.resource, below)

    def _with_followers(self, loads: Iterable[Load]) -> Iterable[Load]:
        """The loads, and what goes with the objects that a rule may delete."""
        for load in loads:
            yield load
            if load.lock == FOR_DELETE:
                for where in (load.where, *load.others):
                    yield from self._cascade(load.resource, where)

    def _references(self) -> Iterable[Load]:
        """The other objects that the new values refer to."""
        return self._referred((ref, id) for ref, id in self._new_references() if not ref.locks)

    def _sharers(self) -> Iterable[Load]:
        """What objects refer to and may not any more, since they change what both share."""
        moving: dict[Ref, dict[str, None]] = {}
        for change in self._work.changes:
            if change.kind == "update" and change.after is not None:
                for ref in change.resource.refs:
                    if ref.sharing in change.after and ref.column not in change.after:
                        moving.setdefault(ref, {})[change.id] = None
        for ref, ids in moving.items():
            objects = In(ref.resource.fields["id"], tuple(ids))
            here = Related(Children(ref.resource.noun, ref.key), objects)
            yield Load(self._declarations[ref.target], here)

    def _referred(self, references: Iterable[tuple[Ref, str]], lock: str = "") -> Iterable[Load]:
        """What the references point to, unless it is made by this write."""
        wanted: dict[str, dict[str, None]] = {}
        for ref, id in references:
            if not self._work.makes(ref.target, id) and not self._work.is_self(ref, id):
                wanted.setdefault(ref.target, {})[id] = None
        for target, ids in wanted.items():
            resource = self._declarations[target]
            yield Load(resource, In(resource.fields["id"], tuple(ids)), lock)

    def _new_references(self) -> Iterable[tuple[Ref, str]]:
        for change in self._work.changes:
            if change.kind == "delete" or change.after is None:
                continue
            for ref in change.resource.refs:
                id = change.after.get(ref.column)
                if id is not None:
                    yield ref, id

    def _lookups(self) -> Iterable[Load]:
        for change in self._work.changes:
            for ref in change.resource.refs:
                load = self.lookup(change, ref)
                if load is not None:
                    yield load

    def lookup(self, change: Change, ref: Ref) -> Load | None:
        """How the object is found that a change names by its label, or not at all."""
        if ref.lookup is None or change.after is None:
            return None
        target = self._declarations[ref.target]
        label = change.body.get(ref.lookup.body_key) if ref.lookup.body_key else None
        within = change.body.get(ref.lookup.within) if ref.lookup.within else None
        named = isinstance(label, str) and label != ""
        if change.after.get(ref.column) is not None or not (named or change.kind == "create"):
            return None
        names = dict.fromkeys((ref.lookup.label, "id"))
        nodes: list[Node] = []
        if named:
            nodes.append(Or(tuple(Equal(target.fields[name], label) for name in names)))
        if isinstance(within, str) and within:
            nodes.append(Equal(target.fields[ref.lookup.within], within))
        return Load(target, And(tuple(nodes)), order=ref.lookup.order, limit=1)

    def _declared(self, stage: Literal["loads", "looks"]) -> Iterable[Load]:
        for resource in self._declarations:
            asking: list[Loads] = getattr(resource, stage)
            for loads in asking:
                if changes := self._work.of(resource):
                    yield from loads(self._work, changes)


def statement(
    declarations: Declarations, actor: Actor, loads: list[Load]
) -> tuple[str, tuple[Any, ...]]:
    """The SQL that reads and locks the rows of the loads, and its arguments.

    It answers a row each: the load by its place in the list, and the row as JSON text.
    """
    query = Conditions(declarations, actor)
    parts, arms = [], []
    for number, load in enumerate(loads):
        where = _where(query, load)
        order = query.order(load.resource, "r", load.order)
        limit = f" limit {load.limit}" if load.limit is not None else ""
        parts.append(
            f"l{number} as materialized (select {_columns(load)} from {load.resource.table} r"
            f" where {where} order by {order}{limit} {load.lock})"
        )
        arms.append(f"select {number}, to_jsonb(l)::text from l{number} l")
    return f"with {', '.join(parts)} {' union all '.join(arms)}", tuple(query.parameters)


def _referring(ref: Ref, where: Node) -> Node:
    """That an object refers to one of those that meet the condition: a look into an index where
    they are named by their ids."""
    match where:
        case In(Id(), ids):
            return In(ref, ids)
    return Related(ref, where)


def _columns(load: Load) -> str:
    """What of the rows `r` is read."""
    named = (f"{field.sql('r')} as {field.column}" for field in load.fields)
    return ", ".join(["r.id", *named]) if load.fields else "r.*"


def _where(query: Conditions, load: Load) -> str:
    """SQL that holds for the rows `r` that the load asks for.

    What other tables say is asked first: a row whose lock had to be awaited is compared once more,
    and what it was joined with may not be found again.
    """
    if not load.others and not isinstance(load.where, Related | Above):
        return query.apart(load.resource, "r", load.where)
    found = (
        f"select o.id from {load.resource.table} o where {query.apart(load.resource, 'o', where)}"
        for where in (load.where, *load.others)
    )
    return f"r.organization_id = $1 and r.id = any(array({' union all '.join(found)}))"
