"""What one write works on: the changes, and the rows they meet, as they are and will be."""

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from clinch.db.database import Transaction
from clinch.resources.actor import Actor
from clinch.resources.declaration import Audited, Declarations, Resource
from clinch.resources.errors import NotFound, ValidationError
from clinch.resources.fields import Ref, ToldOnce, stored_time
from clinch.resources.write.change import Change, Row
from clinch.resources.write.custom import CustomValues
from clinch.resources.write.files import HeldFiles
from clinch.resources.write.load import Load, Moved
from clinch.resources.write.loading import Loading, statement
from clinch.resources.write.read_body import read_body
from clinch.resources.write.references import References

Key = tuple[str, str]

_decode = msgspec.json.Decoder(dict[str, Any]).decode


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
        self._loading = Loading(self)
        self._references = References(self, self._loading)
        self._custom = CustomValues(self)
        self._files = HeldFiles(self)
        self._changes = {(c.resource.noun, c.id): c for c in changes}
        self._new = {(c.resource.noun, c.id) for c in changes if c.kind == "create"}
        self._resolved = False

    def makes(self, noun: str, id: str) -> bool:
        """Whether the write itself makes this object."""
        return (noun, id) in self._new

    def is_self(self, ref: Ref, id: str | None) -> bool:
        """Whether a reference names the actor, who is known to be there."""
        return not ref.enforced and ref.target == "user" and id == self.actor.user_id

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
        await self._read(transaction, self._loading.loads())
        self._check_parents()
        await self._read(transaction, self._custom.loads())
        await self._files.read(transaction)

    async def look(self, transaction: Transaction) -> None:
        """Read what rules want to see besides, now that it is known what becomes of what.

        The locks are held by now, so this sees all that others committed while they were awaited.
        """
        await self._read(transaction, self._loading.looks())

    async def _read(self, transaction: Transaction, loads: list[Load]) -> None:
        if not loads:
            return
        sql, arguments = statement(self.declarations, self.actor, loads)
        for load in loads:
            self.found[load] = []
        for number, text in await transaction.rows(sql, *arguments):
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
        # What was locked is as it is now; what was read in the same statement may be older.
        if key not in self.stored or (load.lock and key not in self._changes):
            self.stored[key] = self.rows[key] = row
        self.found[load].append(self.stored[key])

    def _check_parents(self) -> None:
        """Raise Moved where the parent that an object has by now is not the one that was locked."""
        for resource, _, ids in self._loading.asked():
            for ref in resource.refs:
                for row in filter(None, (self.row(resource, id) for id in ids)):
                    parent = row[ref.column]
                    if ref.locks and parent and (ref.target, parent) not in self.stored:
                        raise Moved(f"a {resource.noun} keeps moving")

    def resolve(self) -> None:
        """Join what was asked with what was read; raises NotFound or ValidationError."""
        asked = list(self.changes)
        for change in asked:
            if change.kind != "create" and (change.resource.noun, change.id) not in self.rows:
                raise NotFound(change.resource.called)
        for change in asked:
            try:
                self._references.resolve(change)
                self._custom.resolve(change)
                self._files.resolve(change)
                self._settle(change)
            except ValidationError as error:
                raise _of_the_whole(change, error) from None
        for change in asked:
            self._references.keep_trees(change)
        for change in asked:
            if change.heir:
                self._hand_over(change)
            elif change.kind == "delete":
                self._delete_followers(change)
        for change in [change for change in self.changes if change.kind == "delete"]:
            if not change.heir:
                self._clear_followers(change)
        self._resolved = True

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


def _spell_times(row: Row, resource: type[Resource]) -> None:
    """Bring the times in a row that the database printed to their one spelling."""
    for column in resource.time_columns:
        if row.get(column) is not None:
            row[column] = stored_time(datetime.fromisoformat(row[column]))
