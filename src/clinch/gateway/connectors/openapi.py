"""Operations out of an OpenAPI document (3.0 or 3.1)."""

from collections.abc import Iterator, Mapping
from typing import Any

from clinch.gateway.connectors.connector import CLASS_OF_METHOD, Operation, Schema
from clinch.resources.actor import OperationClass

_REFERENCE = "#/components/schemas/"

Document = Mapping[str, Any]


def read_operations(
    document: Document, prefix: str, classes: Mapping[str, OperationClass]
) -> tuple[Operation, ...]:
    """The operations that a document names; `classes` are those of operations, by their ids, which
    their method does not tell. Keys are the ids as words, after `prefix`."""
    schemas = document.get("components", {}).get("schemas", {})
    return tuple(
        _operation(method, path, described, schemas, prefix, classes)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
        if method in CLASS_OF_METHOD and "operationId" in described and "servers" not in described
    )


def _operation(
    method: str,
    path: str,
    described: Document,
    schemas: Document,
    prefix: str,
    classes: Mapping[str, OperationClass],
) -> Operation:
    id = described["operationId"]
    parameters = [one for one in described.get("parameters", ()) if one["in"] in ("path", "query")]
    properties = {
        one["name"]: one.get("schema", {}) | _described(one.get("description"))
        for one in parameters
    }
    needed = [one["name"] for one in parameters if one.get("required")]
    body = _json_of(described.get("requestBody", {}))
    if body is not None:
        properties["body"] = body
        needed += ["body"] if described["requestBody"].get("required") else []
    wanted: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if needed:
        wanted["required"] = needed
    good: Document = next(
        (one for status, one in described["responses"].items() if status < "3"), {}
    )
    return Operation(
        f"{prefix}{id.replace('_', '-').lower()}",
        described.get("summary") or id,
        described.get("description") or described.get("summary") or id,
        method.upper(),
        path,
        classes.get(id, CLASS_OF_METHOD[method]),
        _whole(wanted, schemas),
        _whole(_json_of(good) or {}, schemas),
        tuple(one["name"] for one in parameters if one["in"] == "query"),
        body is not None,
    )


def _json_of(described: Document) -> Schema | None:
    for kind, content in described.get("content", {}).items():
        if kind.startswith("application/json"):
            return dict(content.get("schema", {}))
    return None


def _described(text: str | None) -> Schema:
    return {} if text is None else {"description": text}


def _whole(schema: Schema, schemas: Document) -> Schema:
    """The schema with the definitions that it refers to, and those that these refer to."""
    found: dict[str, Any] = {}
    waiting = list(_references(schema))
    while waiting:
        name = waiting.pop()
        if name not in found and name in schemas:
            found[name] = _local(schemas[name])
            waiting += _references(schemas[name])
    own: Schema = _local(schema)
    return own | ({"$defs": found} if found else {})


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and target.startswith(_REFERENCE):
            yield target.removeprefix(_REFERENCE)
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _local(value: Any) -> Any:
    """The same, with references to the definitions beside it."""
    if isinstance(value, dict):
        return {
            key: f"#/$defs/{inner.removeprefix(_REFERENCE)}"
            if key == "$ref" and isinstance(inner, str)
            else _local(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_local(inner) for inner in value]
    return value
