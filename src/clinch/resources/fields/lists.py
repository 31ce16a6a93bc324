"""Fields that hold a list, which a request replaces as a whole."""

from collections.abc import Callable
from typing import Any, ClassVar

from clinch.resources.actor import Actor
from clinch.resources.errors import REQUIRED, Invalid, wrong_type
from clinch.resources.fields.field import Field, Json, Output
from clinch.resources.fields.values import Text


class Item:
    """The declaration of one entry of a list field: `class Email(Item): email = EmailAddress()`.

    What may not be written is passed over where it is sent.
    """

    fields: ClassVar[dict[str, Field]] = {}

    def __init_subclass__(cls) -> None:
        own = {f.key: f for f in vars(cls).values() if isinstance(f, Field)}
        cls.fields = cls.fields | own

    @classmethod
    def completed(cls, entry: dict[str, Json], actor: Actor) -> dict[str, Json]:
        """The entry with what follows from it; raises Invalid with the item's error object."""
        return entry

    @classmethod
    def output(cls, field: "ListOf", row: str, out: Output) -> str:
        """SQL for the entries of a list as JSON, `row` being the alias of the table's row."""
        return field.sql(row)


class ListOf(Field):
    """A list of items, stored as one JSON value and replaced as a whole."""

    sql_type = "jsonb"
    json_type = "array"

    def __init__(self, item: type[Item], *, most: int = 100, **rest: Any) -> None:
        super().__init__(**rest)
        self.item, self.most = item, most

    def empty(self) -> Json:
        return []

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, list):
            raise wrong_type("list")
        if len(value) > self.most:
            raise Invalid("List is too long.")
        return read_each(value, lambda entry: self._entry(entry, actor))

    def _entry(self, entry: Json, actor: Actor) -> Json:
        if not isinstance(entry, dict):
            raise wrong_type("dict")
        read, problems = {}, {}
        for key, field in self.item.fields.items():
            sent = field.writable != "never" and (
                entry.get(key) is not None or (field.required and key in entry)
            )
            try:
                read[key] = field.parse(entry[key], actor) if sent else _absent(field, actor)
            except Invalid as error:
                problems[key] = error.problem
        if problems:
            raise Invalid({"errors": [], "field-errors": problems})
        return self.item.completed(read, actor)

    def output(self, row: str, out: Output) -> str:
        return self.item.output(self, row, out)

    def schema(self) -> dict[str, Json]:
        return {"type": "array", "items": self._items(lambda field: field.schema())}

    def limits(self) -> dict[str, Json]:
        return {"maxItems": self.most, "items": self._items(lambda field: field.sent_schema())}

    def _items(self, schema_of: Callable[[Field], dict[str, Json]]) -> dict[str, Json]:
        properties = {
            key: schema_of(field) | ({"readOnly": True} if field.writable == "never" else {})
            for key, field in self.item.fields.items()
        }
        required = [key for key, field in self.item.fields.items() if field.required]
        return {"type": "object", "properties": properties, "required": required}


def _absent(field: Field, actor: Actor) -> Json:
    if field.required:
        raise Invalid(REQUIRED)
    return field.initial(actor)


def read_each(values: list[Json], read: Callable[[Json], Json]) -> list[Json]:
    """Read each entry; mistakes are gathered as `{"errors": {"0": problem}}`."""
    good, problems = [], {}
    for position, value in enumerate(values):
        try:
            good.append(read(value))
        except Invalid as error:
            problems[str(position)] = error.problem
    if problems:
        raise Invalid({"errors": problems})
    return good


class Words(Field):
    """A list of texts without repetition, in the order sent."""

    sql_type = "jsonb"
    json_type = "array"
    _MOST = 1000
    _WORD = Text(max=1000, required=True)

    def entries(self, row: str) -> str:
        """SQL for the list as JSON: `?` asks for one of its texts."""
        return self.sql(row)

    def empty(self) -> Json:
        return None if self.nullable else []

    def read(self, value: Json, actor: Actor) -> Json:
        if not isinstance(value, list):
            raise wrong_type("list")
        if len(value) > self._MOST:
            raise Invalid("List is too long.")
        return list(dict.fromkeys(self._WORD.parse(entry, actor) for entry in value))

    def schema(self) -> dict[str, Json]:
        return super().schema() | {"items": {"type": "string"}}

    def limits(self) -> dict[str, Json]:
        return {"maxItems": self._MOST, "items": self._WORD.sent_schema()}
