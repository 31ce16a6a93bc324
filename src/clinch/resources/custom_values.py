"""Values of custom fields as conditions ask for them, and the rows that make ranges of them cheap.

A value stands in its object's `custom`. One that is a number or a moment has a row of its own
besides, with an index. The value alone decides on that, not the type of its field: so a field
whose type changes leaves these rows as true as they were.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clinch.db.schema import Column, Index, id_column, tenant_table
from clinch.resources.custom_fields import REFERENCES
from clinch.resources.fields import Field, Output, literal

if TYPE_CHECKING:
    from clinch.resources.declaration import Resource

Row = dict[str, Any]

CUSTOM_VALUE = tenant_table(
    "custom_value",
    id_column("object_id"),
    id_column("field_id"),
    Column("number", "numeric", nullable=True),
    Column("moment", "timestamp with time zone", nullable=True),
    key=("object_id", "field_id"),
    indexes=(
        Index(("organization_id", "field_id", "number", "object_id"), where="number is not null"),
        Index(("organization_id", "field_id", "moment", "object_id"), where="moment is not null"),
    ),
)
"""A day is kept as its midnight in UTC."""

MEASURED = "measured_value"
"""The view of the table that conditions ask, for the reason that `SEARCHED` gives: what compares
`numeric` is no more leakproof than `like`."""

_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00)?",
    re.ASCII,
)


class CustomValue(Field):
    """The value that an object of `resource` has in the custom field of this id.

    `label` is the field's name; `type` and `choices` are as its definition has them; `target` is
    the name of the resource that the value refers to.
    """

    stored = False

    def __init__(
        self,
        resource: "type[Resource]",
        id: str,
        type: str = "text",
        label: str = "",
        choices: tuple[str, ...] = (),
    ) -> None:
        super().__init__(writable="never", nullable=True)
        self.resource, self.id, self.type = resource, id, type
        self.label, self.choices = label, choices
        self.target = REFERENCES.get(type, "")
        self.__set_name__(resource, f"custom.{id}")

    def output(self, row: str, out: Output) -> str:
        """SQL for the text of a value that stands alone."""
        return f"({row}.custom ->> {self._literal})"

    def entries(self, row: str) -> str:
        """SQL for the value as JSON, a text or a list of texts: `?` asks for one of them."""
        return f"({row}.custom -> {self._literal})"

    @property
    def _literal(self) -> str:
        return literal(self.id)


def measure(value: Decimal | date) -> tuple[str, Decimal | datetime]:
    """The column of the rows that a value is compared with, and how."""
    if isinstance(value, Decimal):
        return "number", value
    if isinstance(value, datetime):
        return "moment", value
    return "moment", datetime.combine(value, time(), UTC)


def measured_rows(object_id: str, custom: dict[str, Any]) -> Iterator[Row]:
    """The rows of those of an object's values that are numbers or moments."""
    for field_id, value in custom.items():
        row = {"object_id": object_id, "field_id": field_id, "number": None, "moment": None}
        if isinstance(value, int | float):
            yield row | {"number": value}
        elif isinstance(value, str) and (moment := _moment(value)) is not None:
            yield row | {"moment": moment}


def _moment(text: str) -> str | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
