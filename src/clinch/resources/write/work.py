"""What one write works on: the changes, the rows they meet, and one statement that reads those."""

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

import msgspec

from clinch.db.database import Busy, Transaction
from clinch.resources.actor import Actor
from clinch.resources.declaration import Audited, Declarations, Loads, Resource
from clinch.resources.errors import NO_OBJECT, REQUIRED, NotFound, ValidationError, wrong_type
from clinch.resources.fields import Children, Id, Ref, ToldOnce, stored_time
from clinch.resources.query.compiler import Conditions
from clinch.resources.query.tree import Above, And, Equal, In, Node, Or, Related
from clinch.resources.write.change import Change, Row
from clinch.resources.write.custom import CustomValues, definitions
from clinch.resources.write.files import HeldFiles
from clinch.resources.write.load import FOR_DELETE, FOR_UPDATE, Load, locked_together
from clinch.resources.write.read_body import read_body

Key = tuple[str, str]

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Moved(Busy):
    """An object came to another place while its lock was awaited. Locking what is there now would
    be out of order, so the write is to begin again."""


class Work:
    """One write: its actor, time, source (see Provenance) and changes. Rules read and change it.

    `rows` are the objects as they are after the changes so far, by (resource name, id); None
    stands for one that is deleted. `stored` are the same as the database has them. An object has
    at most one change. `meta` is what every event of the write says of it.
    """

    def __init__(
        self,
        declarations: Declarations,
        actor: Actor,
        now: datetime,
        source: str,
        changes: list[Change],
    ) -> None:
        self.declarations, self.actor, self.now, self.source = declarations, actor, now, source
        self.changes = changes
        self.stored: dict[Key, Row] = {}
        self.rows: dict[Key, Row | None] = {}
        self.found: dict[Load, list[Row]] = {}
        self._looked_at: dict[Key, Row] = {}
        self.statements: list[tuple[str, tuple[Any, ...]]] = []
        self.told: dict[Key, dict[str, Any]] = {}
        self.meta: dict[str, str] = {}
        self._custom = CustomValues(self)
        self._files = HeldFiles(self)
        self._changes = {(c.resource.noun, c.id): c for c in changes}
        self._new = {(c.resource.noun, c.id) for c in changes if c.kind == "create"}
        self._resolved = False

    def of(self, resource: type[Resource]) -> list[Change]:
        return [change for change in self.changes if change.resource is resource]

    def row(self, resource: type[Resource], id: str | None) -> Row | None:
        """The object as it is after the changes so far, if it was read or is new."""
        return self.rows.get((resource.noun, id or ""))

    def known(self, resource: type[Resource]) -> list[Row]:
        """The stored objects of a resource, or of its variants, that were read for this write."""
        names = {resource.noun, *(variant.noun for variant in resource.variants.values())}
        return [row for (name, _), row in self.stored.items() if name in names]

    def looked_at(self, resource: type[Resource]) -> list[Row]:
        """The stored objects of which only some fields were read."""
        return [row for (name, _), row in self._looked_at.items() if name == resource.noun]

    def fields_of(self, change: Change) -> list[Row]:
        """The definitions of the custom fields that the change's object has, once they are read:
        all of its type's, or those that are set."""
        return self._custom.fields_of(change)

    def create(self, resource: type[Resource], body: dict[str, Any]) -> Change:
        """Add a new object to the write, from a body that the program itself made.

        Once the write has read what it needs, the references in the body are not looked up.
        """
        new = Change.create(resource, body, trusted=True)
        made = list(read_body(self.declarations, self.actor, new, stored_time(self.now)))
        for change in made:
            change.inner = True
            self._new.add((change.resource.noun, change.id))
            self._changes[change.resource.noun, change.id] = change
        if self._resolved:
            self.changes += made
            self.rows |= {(change.resource.noun, change.id): change.after for change in made}
        else:
            self.changes[:0] = made
        return made[0]

    def delete(self, resource: type[Resource], id: str) -> None:
        """Delete an object that was read `FOR_DELETE`, and what goes with it."""
        change = self._changes.get((resource.noun, id))
        if change is None:
            change = self._add(Change.delete(resource, id))
            change.inner = True
        else:
            change.become_delete()
            self.rows[resource.noun, id] = None
        before = len(self.changes)
        self._delete_followers(change)
        for gone in (change, *self.changes[before:]):
            self._clear_followers(gone)

    def also(self, sql: str, *arguments: Any) -> None:
        """Carry out a statement on reference tables with the write, ahead of its rows."""
        self.statements.append((sql, arguments))

    def tell(self, change: Change, field: ToldOnce, value: Any) -> None:
        """Have the answer to this write hold a value that is kept nowhere."""
        self.told.setdefault((change.resource.noun, change.id), {})[field.key] = value

    def touch(self, resource: type[Resource], id: str, *names: str) -> None:
        """Mark an object that was read as changed, in what it shows under `names`."""
        change = self.update(resource, id, {})
        if change.kind == "update":
            change.touched = tuple(dict.fromkeys((*change.touched, *names)))

    def update(self, resource: type[Resource], id: str, values: Row) -> Change:
        """Change columns of an object that was read, unless the write deletes it."""
        change = self._changes.get((resource.noun, id)) or self._add(
            Change.update(resource, id, {})
        )
        if change.after is not None:
            change.after.update(values)
        return change

    def _add(self, change: Change) -> Change:
        self.changes.append(change)
        self._changes[change.resource.noun, change.id] = change
        self._settle(change)
        return change

    async def read(self, transaction: Transaction) -> None:
        """Read and lock every row that the changes meet, in one statement.

        A second one is needed for what custom values refer to, and for files. Raises Moved.
        """
        await self._read(transaction, self._loads())
        self._check_parents()
        await self._read(transaction, self._custom.loads())
        await self._files.read(transaction)

    async def look(self, transaction: Transaction) -> None:
        """Read what rules want to see besides, now that it is known what becomes of what.

        The locks are held by now, so this sees all that others committed while they were awaited.
        """
        looks = self._with_followers(self._declared("looks"))
        await self._read(transaction, list(dict.fromkeys(looks)))

    async def _read(self, transaction: Transaction, loads: list[Load]) -> None:
        if not loads:
            return
        query = Conditions(self.declarations, self.actor)
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
        sql = f"with {', '.join(parts)} {' union all '.join(arms)}"
        for load in loads:
            self.found[load] = []
        for number, text in await transaction.rows(sql, *query.parameters):
            self._keep(loads[number], _decode(text))
        self.__dict__.pop("_by_reference", None)  # there may be more by now

    def _keep(self, load: Load, row: Row) -> None:
        if load.fields:
            _spell_times(row, load.resource)
            self._looked_at[load.resource.noun, row["id"]] = row
            return
        resource = load.resource.variant(row)
        if resource.packed_fields:
            data = row.pop("data")
            row |= {f.column: data.get(f.column, f.empty()) for f in resource.packed_fields}
        _spell_times(row, resource)
        del row["organization_id"]
        key = (resource.noun, row["id"])
        self.found[load].append(self.stored.setdefault(key, row))
        self.rows.setdefault(key, self.stored[key])

    def _loads(self) -> list[Load]:
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
            *definitions(self),
        ]:
            loads.setdefault(load)
        return list(loads)

    def _asked(self) -> Iterable[tuple[type[Resource], str, tuple[str, ...]]]:
        """The existing objects to change, by resource and kind of change."""
        ids: dict[tuple[type[Resource], str], dict[str, None]] = {}
        for change in self.changes:
            if change.kind != "create":
                ids.setdefault((change.resource, change.kind), {})[change.id] = None
        for (resource, kind), found in ids.items():
            yield resource, kind, tuple(found)

    def _parents(self) -> Iterable[Load]:
        """What sums up the objects to change, and those that go with them; locked before them, so
        that nobody deadlocks."""
        for resource, kind, ids in self._asked():
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
        for follows in self.declarations.followers(resource):
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
        target = self.declarations[ref.target]
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
        for change in self.changes:
            for ref in change.resource.refs:
                id = change.after.get(ref.column) if change.after is not None else None
                if ref.acyclic and change.kind == "update" and id is not None:
                    wanted.setdefault(ref, {})[id] = None
        for ref, ids in wanted.items():
            branch = In(ref.resource.fields["id"], tuple(ids))
            yield Load(ref.resource, branch, FOR_UPDATE)
            yield Load(ref.resource, Above(ref, branch), FOR_UPDATE)

    def _check_parents(self) -> None:
        """Raise Moved where the parent that an object has by now is not the one that was locked."""
        for resource, _, ids in self._asked():
            for ref in resource.refs:
                for row in filter(None, (self.row(resource, id) for id in ids)):
                    parent = row[ref.column]
                    if ref.locks and parent and (ref.target, parent) not in self.stored:
                        raise Moved(f"a {resource.noun} keeps moving")

    def _targets(self) -> Iterable[Load]:
        for resource, kind, ids in self._asked():
            where = In(resource.fields["id"], ids)
            if kind == "update":
                yield Load(resource, where, FOR_UPDATE)
            else:
                yield Load(resource, where, FOR_DELETE)
                yield from self._cascade(resource, where)

    def _cascade(self, resource: type[Resource], where: Node) -> Iterable[Load]:
        for ref in self.declarations.followers(resource):
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
        for change in self.changes:
            if change.kind == "update" and change.after is not None:
                for ref in change.resource.refs:
                    if ref.sharing in change.after and ref.column not in change.after:
                        moving.setdefault(ref, {})[change.id] = None
        for ref, ids in moving.items():
            objects = In(ref.resource.fields["id"], tuple(ids))
            here = Related(Children(ref.resource.noun, ref.key), objects)
            yield Load(self.declarations[ref.target], here)

    def _referred(self, references: Iterable[tuple[Ref, str]], lock: str = "") -> Iterable[Load]:
        """What the references point to, unless it is made by this write."""
        wanted: dict[str, dict[str, None]] = {}
        for ref, id in references:
            if (ref.target, id) not in self._new and not self._is_self(ref, id):
                wanted.setdefault(ref.target, {})[id] = None
        for target, ids in wanted.items():
            resource = self.declarations[target]
            yield Load(resource, In(resource.fields["id"], tuple(ids)), lock)

    def _new_references(self) -> Iterable[tuple[Ref, str]]:
        for change in self.changes:
            if change.kind == "delete" or change.after is None:
                continue
            for ref in change.resource.refs:
                id = change.after.get(ref.column)
                if id is not None:
                    yield ref, id

    def _is_self(self, ref: Ref, id: str | None) -> bool:
        return not ref.enforced and ref.target == "user" and id == self.actor.user_id

    def _lookups(self) -> Iterable[Load]:
        for change in self.changes:
            for ref in change.resource.refs:
                load = self._lookup(change, ref)
                if load is not None:
                    yield load

    def _lookup(self, change: Change, ref: Ref) -> Load | None:
        """How the object is found that a change names by its label, or not at all."""
        if ref.lookup is None or change.after is None:
            return None
        target = self.declarations[ref.target]
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
        for resource in self.declarations:
            asking: list[Loads] = getattr(resource, stage)
            for loads in asking:
                if changes := self.of(resource):
                    yield from loads(self, changes)

    def resolve(self) -> None:
        """Join what was asked with what was read; raises NotFound or ValidationError."""
        asked = list(self.changes)
        for change in asked:
            if change.kind != "create" and (change.resource.noun, change.id) not in self.rows:
                raise NotFound(change.resource.called)
        for change in asked:
            try:
                self._resolve_references(change)
                self._custom.resolve(change)
                self._files.resolve(change)
                self._settle(change)
            except ValidationError as error:
                raise _of_the_whole(change, error) from None
        for change in asked:
            self._keep_trees(change)
        for change in asked:
            if change.heir:
                self._hand_over(change)
            elif change.kind == "delete":
                self._delete_followers(change)
        for change in [change for change in self.changes if change.kind == "delete"]:
            if not change.heir:
                self._clear_followers(change)
        self._resolved = True

    def _resolve_references(self, change: Change) -> None:
        if change.after is None:
            return
        problems: dict[str, Any] = {}
        for ref in change.resource.refs:
            self._resolve_lookup(change, ref, problems)
            if self._is_as_stored(change, ref):
                continue
            asked_for = not ref.nullable and ref.writable != "never"
            if asked_for and ref.column in change.after and change.after[ref.column] is None:
                problems.setdefault(ref.error_key, REQUIRED)
            if self._fits(change, ref):
                continue
            if ref.column in change.after or not ref.nullable:
                problems.setdefault(ref.error_key, NO_OBJECT)
            else:
                change.after[ref.column] = None
        if problems:
            raise ValidationError(problems)

    def _is_as_stored(self, change: Change, ref: Ref) -> bool:
        """Whether what the change says of the reference, and of the column that its target shares,
        is what the object has: sent back, it is not asked for anew."""
        stored = self.stored.get((change.resource.noun, change.id), {})
        return change.after is not None and all(
            column in stored and stored[column] == change.after[column]
            for column in (ref.column, ref.sharing)
            if column in change.after
        )

    def _fits(self, change: Change, ref: Ref) -> bool:
        """Whether the target is there and, in the column that they share, as the object."""
        row = self.stored.get((change.resource.noun, change.id), {}) | (change.after or {})
        id = row[ref.column]
        if id is None or self._is_self(ref, id):
            return True
        target = self.row(self.declarations[ref.target], id)
        if target is None:
            return (ref.target, id) in self.rows or (ref.target, id) in self._new
        return ref.sharing is None or bool(target[ref.sharing] == row[ref.sharing])

    def _resolve_lookup(self, change: Change, ref: Ref, problems: dict[str, Any]) -> None:
        if ref.lookup is None or change.after is None:
            return
        label = change.body.get(ref.lookup.body_key)
        named = change.after.get(ref.column) is None
        if named and label is not None and not isinstance(label, str):
            problems[ref.lookup.body_key] = wrong_type("str").problem
            return
        load = self._lookup(change, ref)
        if load is None:
            return
        rows = self.found[load]
        if rows:
            change.after[ref.column] = rows[0]["id"]
        elif label:
            problems[ref.lookup.body_key] = ref.lookup.unknown.format(label=label)
        elif change.body.get(ref.lookup.within):
            problems[ref.lookup.within.removesuffix("_id")] = NO_OBJECT

    def _settle(self, change: Change) -> None:
        """Lay the change over the object as it was read."""
        key = (change.resource.noun, change.id)
        if change.kind != "create":
            change.before = self.stored[key]
        if change.kind == "update":
            change.after = self.stored[key] | (change.after or {})
        self.rows[key] = change.after

    def _hand_over(self, gone: Change) -> None:
        for becomes in ("delete", "clear"):
            for resource, id, ref in self._followers(gone, becomes):
                self.update(resource, id, {ref.column: gone.heir}).inner = True

    def _keep_trees(self, change: Change) -> None:
        """Refuse an object that would stand above itself; raises ValidationError and Moved."""
        if change.kind != "update":
            return
        for ref in (ref for ref in change.resource.refs if ref.acyclic and change.moved(ref)):
            if change.id in self._branch(ref, change.get(ref)):
                raise ValidationError({ref.error_key: "The object would stand above itself."})

    def _branch(self, ref: Ref, id: str | None) -> set[str]:
        """The object with this id and all that stand above it, after the changes."""
        found: set[str] = set()
        while id is not None and id not in found:
            if (ref.target, id) not in self.rows:
                raise Moved(f"a {ref.target} keeps moving")
            found.add(id)
            row = self.rows[ref.target, id]
            id = row[ref.column] if row is not None else None
        return found

    def _delete_followers(self, gone: Change) -> None:
        for resource, id, _ in self._followers(gone, "delete"):
            if (resource.noun, id) not in self._changes:
                follower = self._add(Change.delete(resource, id))
                follower.inner = True
                self._delete_followers(follower)

    def _clear_followers(self, gone: Change) -> None:
        for resource, id, ref in self._followers(gone, "clear"):
            self.update(resource, id, {ref.column: None})

    def _followers(self, gone: Change, becomes: str) -> Iterable[tuple[type[Resource], str, Ref]]:
        for ref in self.declarations.followers(gone.resource):
            if ref.target_deleted == becomes:
                place = (ref.resource.table, ref.column, gone.id)
                for resource, id in self._by_reference.get(place, ()):
                    yield resource, id, ref

    @cached_property
    def _by_reference(self) -> dict[tuple[str, str, str], list[tuple[type[Resource], str]]]:
        """The objects that were read, by the table, column and id with which they refer."""
        found: dict[tuple[str, str, str], list[tuple[type[Resource], str]]] = {}
        for (name, id), row in self.stored.items():
            resource = self.declarations[name]
            for ref in resource.refs:
                if ref.target_deleted != "refuse" and row[ref.column] is not None:
                    place = (resource.table, ref.column, row[ref.column])
                    found.setdefault(place, []).append((resource, id))
        return found

    def stamp(self) -> None:
        """Say who changed what and when, on the objects that an update really changes.

        What the program changes by itself, for nobody, leaves the last user named.
        """
        for change in self.changes:
            if change.kind != "update" or not issubclass(change.resource, Audited):
                continue
            if change.touched or change.changed():
                if self.actor.user_id is not None:
                    change.set(change.resource.updated_by, self.actor.user_id)
                change.set(change.resource.date_updated, stored_time(self.now))

    def is_stamped(self, resource: type[Resource], id: str) -> bool:
        """Whether the write itself makes the object, or says that it changes it."""
        change = self._changes.get((resource.noun, id))
        return change is not None and (change.kind == "create" or bool(change.changed()))


def _of_the_whole(change: Change, error: ValidationError) -> ValidationError:
    """The mistake of a nested object as one of the object that was sent."""
    for key, position in reversed(change.place):
        error = ValidationError({key: {"errors": {str(position): error.body}}})
    return error


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


def _spell_times(row: Row, resource: type[Resource]) -> None:
    """Bring the times in a row that the database printed to their one spelling."""
    for column in resource.time_columns:
        if row.get(column) is not None:
            row[column] = stored_time(datetime.fromisoformat(row[column]))


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
