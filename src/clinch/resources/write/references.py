"""References in a write: what is named is found among what was read, and has to fit."""

from typing import TYPE_CHECKING, Any

from clinch.resources.errors import NO_OBJECT, REQUIRED, ValidationError, wrong_type
from clinch.resources.fields import Ref
from clinch.resources.write.change import Change
from clinch.resources.write.load import Moved
from clinch.resources.write.loading import Loading

if TYPE_CHECKING:
    from clinch.resources.write.work import Work


class References:
    """Resolves the references of one write, once what they name was read."""

    def __init__(self, work: "Work", loading: Loading) -> None:
        self._work, self._loading = work, loading

    def resolve(self, change: Change) -> None:
        """Find what the change names; raises ValidationError for what is not there, or unfit."""
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
        stored = self._work.stored.get((change.resource.noun, change.id), {})
        return change.after is not None and all(
            column in stored and stored[column] == change.after[column]
            for column in (ref.column, ref.sharing)
            if column in change.after
        )

    def _fits(self, change: Change, ref: Ref) -> bool:
        """Whether the target is there and, in the column that they share, as the object."""
        row = self._work.stored.get((change.resource.noun, change.id), {}) | (change.after or {})
        id = row[ref.column]
        if id is None or self._work.is_self(ref, id):
            return True
        target = self._work.row(self._work.declarations[ref.target], id)
        if target is None:
            return (ref.target, id) in self._work.rows or self._work.makes(ref.target, id)
        return ref.sharing is None or bool(target[ref.sharing] == row[ref.sharing])

    def _resolve_lookup(self, change: Change, ref: Ref, problems: dict[str, Any]) -> None:
        if ref.lookup is None or change.after is None:
            return
        label = change.body.get(ref.lookup.body_key)
        named = change.after.get(ref.column) is None
        if named and label is not None and not isinstance(label, str):
            problems[ref.lookup.body_key] = wrong_type("str").problem
            return
        load = self._loading.lookup(change, ref)
        if load is None:
            return
        rows = self._work.found[load]
        if rows:
            change.after[ref.column] = rows[0]["id"]
        elif label:
            problems[ref.lookup.body_key] = ref.lookup.unknown.format(label=label)
        elif change.body.get(ref.lookup.within):
            problems[ref.lookup.within.removesuffix("_id")] = NO_OBJECT

    def keep_trees(self, change: Change) -> None:
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
            if (ref.target, id) not in self._work.rows:
                raise Moved(f"a {ref.target} keeps moving")
            found.add(id)
            row = self._work.rows[ref.target, id]
            id = row[ref.column] if row is not None else None
        return found
