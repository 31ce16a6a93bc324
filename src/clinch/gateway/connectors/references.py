"""The references of an OpenAPI document: following them, and schemas that stand by themselves."""

from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

Document = Mapping[str, Any]

# A schema takes along so many of the definitions that it refers to, the nearest first. What is
# further away may be anything: documents where all hangs together have hundreds.
MOST_DEFINITIONS = 40
_LONGEST_CHAIN = 10
# Members of a schema that are of no use but to pages, hold schemas by name, or hold plain values.
_FOR_PAGES = frozenset({"xml", "externalDocs"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_VALUES = frozenset({"default", "example", "examples", "enum", "const"})
_OPEN: dict[str, Any] = {"description": "Not described further."}


class BrokenReference(Exception):
    """A reference leads nowhere, out of the document, or round in a circle."""


class References:
    """The definitions of one document, each made local once and shared by all schemas."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._definitions: dict[str, tuple[Any, tuple[str, ...]]] = {}

    def follow(self, value: Any) -> dict[str, Any]:
        """The object that a value is, or refers to; raises BrokenReference."""
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(value, dict):
                raise BrokenReference("an object is expected")
            if not isinstance(value.get("$ref"), str):
                return value
            value = self._at(value["$ref"])
        raise BrokenReference("the references go round in a circle")

    def whole(self, schema: Any) -> dict[str, Any]:
        """The schema with the definitions that it refers to, under `$defs`.

        A recursive one stays recursive: references remain references.
        """
        own, targets = _local(schema)
        if not isinstance(own, dict):
            own = {}
        found: dict[str, Any] = {}
        waiting = deque(targets)
        while waiting:
            target = waiting.popleft()
            name = _name(target)
            if name in found:
                continue
            if len(found) >= MOST_DEFINITIONS:
                found[name] = _OPEN
                continue
            found[name], further = self._definition(target)
            waiting.extend(further)
        return own | ({"$defs": found} if found else {})

    def _definition(self, target: str) -> tuple[Any, tuple[str, ...]]:
        known = self._definitions.get(target)
        if known is None:
            try:
                known = _local(self._at(target))
            except BrokenReference:
                known = _OPEN, ()
            self._definitions[target] = known
        return known

    def _at(self, target: str) -> Any:
        if not target.startswith("#/"):
            raise BrokenReference(f"{target[:100]} is not in the document")
        value: Any = self._document
        for part in target[2:].split("/"):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
                value = value[int(name)]
            else:
                raise BrokenReference(f"{target[:100]} is not in the document")
        return value


def _local(schema: Any) -> tuple[Any, tuple[str, ...]]:
    """The schema with its references led to `$defs`, and where they led in the document."""
    targets: dict[str, None] = {}

    def local(value: Any, names: bool = False) -> Any:
        if isinstance(value, list):
            return [local(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if names:
            return {name: local(inner) for name, inner in value.items()}
        made = {
            key: inner if key in _VALUES else local(inner, key in _NAMED)
            for key, inner in value.items()
            if key not in _FOR_PAGES and not key.startswith("x-")
        }
        target = value.get("$ref")
        if isinstance(target, str):
            targets[target] = None
            made["$ref"] = f"#/$defs/{_name(target)}"
        return _modern(made)

    return local(schema), tuple(targets)


def _modern(schema: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI 3.0 says in its own way, as JSON Schema says it."""
    if schema.get("nullable") is True:
        schema = {key: value for key, value in schema.items() if key != "nullable"}
        if isinstance(schema.get("type"), str):
            schema["type"] = [schema["type"], "null"]
            if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
                schema["enum"] = [*schema["enum"], None]
        else:
            schema = {"anyOf": [schema, {"type": "null"}]}
    for limit in ("minimum", "maximum"):
        exclusive = f"exclusive{limit.capitalize()}"
        if isinstance(schema.get(exclusive), bool):
            strict = schema.pop(exclusive)
            if strict and limit in schema:
                schema[exclusive] = schema.pop(limit)
    return schema


def _name(target: str) -> str:
    """The name of a definition in `$defs`: the whole way there, unless it is a schema by name."""
    name = target.removeprefix("#/components/schemas/").removeprefix("#/")
    return name.replace("/", ".").replace("~1", ".").replace("~0", "~").replace("%", "")
