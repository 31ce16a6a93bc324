"""Operations out of the paths of an OpenAPI document (3.0 or 3.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import jsonschema_rs

from clinch.gateway.connectors.connector import (
    CLASS_OF_METHOD,
    Body,
    Operation,
    Parameter,
    Place,
    Schema,
)
from clinch.gateway.connectors.references import BrokenReference, Document, References
from clinch.resources.actor import OperationClass

MOST_OPERATIONS = 2000

# Headers that are not an input: who asks sets them, or the gateway does.
_OWN_HEADERS = frozenset({"accept", "content-type", "authorization", "cookie", "host"})
_FORM = "application/x-www-form-urlencoded"
_IN_BRACES = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Naming:
    """How operations are called and classed where the document does not tell.

    Keys are the operations' ids as words, after `prefix`. `classes` are those of operations, by
    their ids, which their method does not tell.
    """

    prefix: str = ""
    classes: Mapping[str, OperationClass] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """What was read; `skipped` says what could not be, and why, a line each."""

    operations: tuple[Operation, ...]
    skipped: tuple[str, ...]


def read_operations(document: Document, naming: Naming) -> Read:
    """The operations of `document["paths"]`. One that is not usable is left out.

    Operations with servers of their own are not below the app's base URL, and are left out too.
    """
    references = References(document)
    operations: dict[str, Operation] = {}
    skipped: list[str] = []
    paths = document.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        try:
            methods = references.follow(item)
        except BrokenReference as error:
            skipped.append(f"{path}: {error}")
            continue
        for method in filter(methods.__contains__, CLASS_OF_METHOD):
            where = f"{method.upper()} {path}"
            if len(operations) == MOST_OPERATIONS:
                skipped.append(f"{where}: there are more than {MOST_OPERATIONS} operations")
                continue
            try:
                one = _Reader(references, naming, method, str(path), methods).read()
            except (BrokenReference, Unusable) as error:
                skipped.append(f"{where}: {error}")
                continue
            if one.key in operations:
                skipped.append(f"{where}: another operation is called {one.key} too")
                continue
            operations[one.key] = one
    return Read(tuple(operations.values()), tuple(skipped))


class Unusable(Exception):
    """An operation cannot be asked for; the message says why."""


class _Reader:
    """One operation, as it is read."""

    def __init__(
        self, references: References, naming: Naming, method: str, path: str, item: dict[str, Any]
    ) -> None:
        self._references, self._naming = references, naming
        self._method, self._path, self._item = method, path, item
        self._described = references.follow(item[method])
        self._properties: dict[str, Any] = {}
        self._required: list[str] = []
        self._parameters: list[Parameter] = []

    def read(self) -> Operation:
        """The operation; raises Unusable and BrokenReference."""
        described = self._described
        if "servers" in described or "servers" in self._item:
            raise Unusable("it is at another address")
        id = _text(described.get("operationId")) or f"{self._method} {self._path}"
        key = self._naming.prefix + as_key(id)
        for place in ("path", "query", "header"):  # a name that is taken gets its place after it
            self._read_parameters(place)
        missing = set(_IN_BRACES.findall(self._path)) - {
            one.name for one in self._parameters if one.place == "path"
        }
        if missing or not self._path.startswith("/"):
            raise Unusable(f"nothing says what {', '.join(sorted(missing)) or 'its path'} is")
        body, open_ended = self._read_body()
        wanted: Schema = {"type": "object", "properties": self._properties}
        if not open_ended:
            wanted["additionalProperties"] = False
        if self._required:
            wanted["required"] = self._required
        summary = _text(described.get("summary")) or id.replace("_", " ")
        input_schema = self._references.whole(wanted)
        if not jsonschema_rs.meta.is_valid(input_schema):
            raise Unusable("the schema of its input is none")
        return Operation(
            key,
            summary[:200],
            (_text(described.get("description")) or summary)[:2000],
            self._method.upper(),
            self._path,
            self._naming.classes.get(id, CLASS_OF_METHOD[self._method]),
            input_schema,
            self._read_answer(),
            tuple(self._parameters),
            body,
        )

    def _read_parameters(self, place: str) -> None:
        for one in self._all_parameters():
            name = _text(one.get("name"))
            if one.get("in") != place or not name or name.lower() in _OWN_HEADERS:
                continue
            if place == "path" and f"{{{name}}}" not in self._path:
                continue
            key = self._free(name, place)
            content = one.get("content")
            schema = one.get("schema", _json_of(content) or {})
            self._properties[key] = _said(schema, _text(one.get("description")))
            if one.get("required") is True or place == "path":
                self._required.append(key)
            explode = one.get("explode", one.get("style", "form") == "form") is True
            self._parameters.append(Parameter(key, name, cast(Place, place), explode))

    def _all_parameters(self) -> list[dict[str, Any]]:
        """Those of the path and of the operation, whose own hold where both have one."""
        found = {}
        for owner in (self._item, self._described):
            listed = owner.get("parameters", [])
            for one in listed if isinstance(listed, list) else ():
                parameter = self._references.follow(one)
                found[_text(parameter.get("name")), _text(parameter.get("in"))] = parameter
        return list(found.values())

    def _read_body(self) -> tuple[Body | None, bool]:
        """The body, and whether it may have members that nothing names."""
        if "requestBody" not in self._described:
            return None, False
        described = self._references.follow(self._described["requestBody"])
        content = described.get("content")
        media_type = _media_type(content)
        if media_type is None or not isinstance(content, dict):
            if described.get("required") is True:
                raise Unusable("its body is neither JSON nor a form")
            return None, False
        schema = self._references.follow(content[media_type]).get("schema", {})
        try:
            top = self._references.follow(schema)
        except BrokenReference:
            top = {}
        needed = described.get("required") is True
        members = top.get("properties")
        combined = any(word in top for word in ("allOf", "anyOf", "oneOf", "not", "if"))
        if not isinstance(members, dict) or not members or combined:
            key = self._free("body", "body")
            self._properties[key] = schema
            if needed:
                self._required.append(key)
            return Body(media_type, whole=key), False
        renamed = {}
        required = top.get("required", [])
        for name, member in members.items():
            if isinstance(member, dict) and member.get("readOnly") is True:
                continue
            key = self._free(name, "body")
            self._properties[key] = member
            if key != name:
                renamed[key] = name
            if needed and isinstance(required, list) and name in required:
                self._required.append(key)
        return Body(media_type, renamed=renamed), top.get("additionalProperties") is not False

    def _read_answer(self) -> Schema:
        """The schema of the answer when all is well; an empty one where none is told."""
        responses = self._described.get("responses")
        if not isinstance(responses, dict):
            return {}
        for status, response in sorted(responses.items(), key=lambda pair: str(pair[0])):
            if str(status)[:1] == "2":
                try:
                    schema = _json_of(self._references.follow(response).get("content"))
                except BrokenReference:
                    continue
                if schema is not None:
                    return self._references.whole(schema)
        return {}

    def _free(self, name: str, place: str) -> str:
        """The name, or if an input has it already, with the place after it."""
        key = name
        while key in self._properties:
            key = f"{key}_{place}"
        return key


def as_key(text: str) -> str:
    """Words in small letters with hyphens between: `getLeadById`, `get_lead_by_id` and
    `get /lead/{id}` all become something like `get-lead-by-id`. Raises Unusable if none is left."""
    apart = re.sub(r"([a-z0-9])([A-Z])|([A-Z]{1,50})([A-Z][a-z])", r"\1\3-\2\4", text)
    key = re.sub(r"[^a-z0-9]+", "-", apart.lower()).strip("-")
    if not key:
        raise Unusable("it has no name of its own")
    return key[:100].rstrip("-")


def _media_type(content: Any) -> str | None:
    """The type that a body is sent as: JSON, else a form."""
    if not isinstance(content, dict):
        return None
    for name in content:
        if _is_json(name):
            return str(name)
    return _FORM if _FORM in content else None


def _is_json(media_type: Any) -> bool:
    name = str(media_type).partition(";")[0].strip().lower()
    return name == "application/json" or name.endswith("+json") or name == "*/*"


def _json_of(content: Any) -> Any:
    """The schema of the JSON in a `content`, or None."""
    if isinstance(content, dict):
        for name, described in content.items():
            if _is_json(name) and isinstance(described, dict):
                return described.get("schema", {})
    return None


def _said(schema: Any, description: str) -> Any:
    if not isinstance(schema, dict) or not description or "description" in schema:
        return schema
    # Beside a reference OpenAPI 3.0 ignores what else there is; JSON Schema does not.
    return schema | {"description": description}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
