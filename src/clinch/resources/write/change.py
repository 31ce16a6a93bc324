"""One change of one object: what was asked, what was there, what will be."""

from typing import Any, Literal

from clinch.resources.custom_fields import Sent
from clinch.resources.declaration import Operation, Resource
from clinch.resources.fields import Field

Row = dict[str, Any]
ChangeKind = Literal["create", "update", "delete"]


class Change:
    """A create, update or delete, from the request to the event.

    `body` is what was sent; `before` and `after` are rows (column to JSON value) once they are
    known, None where there is no object. `touched` adds names to those that the event reports as
    changed, for what an object shows of others. `custom` are the custom values that were sent;
    `refits` the ids of custom fields whose stored values are to fit what the fields have become.
    `place` leads to a new object that stands in the body of another: keys of lists, each with how
    many come before it there.
    `announced` are further actions, of which the log says that the object went through them.
    `deletes` says that a deletion was asked for, whatever it became.
    `heir` is, for a delete, the object of the same resource to which all goes that refers to this
    one; otherwise it goes as the references say (`Ref.target_deleted`).
    """

    __slots__ = (
        "after",
        "announced",
        "before",
        "body",
        "custom",
        "deletes",
        "heir",
        "id",
        "inner",
        "kind",
        "place",
        "refits",
        "resource",
        "sent",
        "touched",
        "trusted",
    )

    def __init__(
        self, kind: ChangeKind, resource: type[Resource], id: str, body: dict[str, Any]
    ) -> None:
        self.kind: ChangeKind = kind
        self.resource = resource
        self.id = id
        self.body = body
        self.sent: frozenset[str] = frozenset()
        self.before: Row | None = None
        self.after: Row | None = None
        self.custom: list[Sent] = []
        self.refits: tuple[str, ...] = ()
        self.touched: tuple[str, ...] = ()
        self.announced: list[str] = []
        self.deletes = kind == "delete"
        self.heir = ""
        self.inner = False
        self.place: tuple[tuple[str, int], ...] = ()
        self.trusted = False

    @classmethod
    def create(
        cls, resource: type[Resource], body: dict[str, Any], id: str = "", *, trusted: bool = False
    ) -> "Change":
        """A new object; its id is made, unless one is brought along.

        A `trusted` body comes from the program itself and may set what requests may not.
        """
        change = cls("create", resource, id, body)
        change.trusted = trusted
        return change

    @classmethod
    def update(
        cls, resource: type[Resource], id: str, body: dict[str, Any], *, trusted: bool = False
    ) -> "Change":
        change = cls("update", resource, id, body)
        change.trusted = trusted
        return change

    @classmethod
    def refit(cls, resource: type[Resource], id: str, *field_ids: str) -> "Change":
        """Make an object's custom values fit their fields: what does not fit goes."""
        change = cls("update", resource, id, {})
        change.refits = field_ids
        return change

    @classmethod
    def delete(cls, resource: type[Resource], id: str, *, heir: str = "") -> "Change":
        change = cls("delete", resource, id, {})
        change.heir = heir
        return change

    @property
    def operation(self) -> Operation:
        """What it takes the right to do."""
        return "merge" if self.heir else self.kind

    def become_update(self, values: dict[str, Any]) -> None:
        """Keep the object that was to be deleted, with these values."""
        self.kind, self.body, self.trusted = "update", values, True

    def become_delete(self) -> None:
        """Delete the object that was to be kept."""
        self.kind, self.after = "delete", None

    def sets(self, field: Field) -> bool:
        """Whether the request itself gave the field a value."""
        return field.column in self.sent

    def get(self, field: Field) -> Any:
        """The value after the change; for a delete, the last one."""
        row = self.after if self.after is not None else self.before
        return None if row is None else row[field.column]

    def was(self, field: Field) -> Any:
        return None if self.before is None else self.before[field.column]

    def set(self, field: Field, value: Any) -> None:
        if self.after is not None:
            self.after[field.column] = value

    def moved(self, field: Field) -> bool:
        """Whether the field's value differs from what it was."""
        return bool(self.was(field) != self.get(field))

    def changed(self) -> list[str]:
        """The names of the columns that an update changes, in order."""
        if self.before is None or self.after is None:
            return []
        before, after = self.before, self.after
        return [
            column for column in self.resource.logged_columns if before[column] != after[column]
        ]
