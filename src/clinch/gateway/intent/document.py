"""What is searched: an action by its name, its words and its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clinch.resources.actor import OperationClass


@dataclass(frozen=True, slots=True)
class Document:
    """An action; `parameters` are names, each followed by what describes it, if anything.

    `operation_class` is None where it is not known. `rank` is 0 for a friendly action, and more for
    what should stand behind it where both fit, such as a generated operation.
    """

    id: str
    name: str
    description: str = ""
    app: str = ""
    parameters: tuple[str, ...] = ()
    operation_class: OperationClass | None = None
    rank: int = 0


def document_of(
    id: str,
    name: str,
    description: str = "",
    *,
    app: str = "",
    input_schema: Mapping[str, Any] | None = None,
    operation_class: OperationClass | None = None,
    rank: int = 0,
) -> Document:
    """A document of an action's own values; of its JSON Schema it takes the properties."""
    properties: Mapping[str, Any] = (input_schema or {}).get("properties", {})
    parameters = tuple(
        f"{key} {schema.get('description', '') if isinstance(schema, Mapping) else ''}".strip()
        for key, schema in properties.items()
    )
    return Document(id, name, description, app, parameters, operation_class, rank)
