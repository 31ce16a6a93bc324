"""The OpenAPI document as HTML: a page for each tag, with its operations and its objects."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

Json = dict[str, Any]

_REF = "#/components/schemas/"
_SPELLED = {"api": "API", "oauth": "OAuth", "sms": "SMS", "whatsapp": "WhatsApp"}
_EXAMPLES = {
    "date-time": "2026-01-31T09:00:00Z",
    "date": "2026-01-31",
    "string": "…",
    "integer": 1,
    "number": 1,
    "boolean": True,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document."""

    path: str
    method: str
    said: Json

    @property
    def id(self) -> str:
        return str(self.said["operationId"])

    @property
    def tag(self) -> str:
        return str(self.said["tags"][0])


class Reference:
    """What an OpenAPI document says, as HTML; `public_url` is the server that examples ask."""

    def __init__(self, document: Json, public_url: str) -> None:
        self._document, self._public_url = document, public_url
        self._schemas: Json = document["components"]["schemas"]

    @cached_property
    def operations(self) -> dict[str, list[Operation]]:
        """The operations by tag."""
        found: dict[str, list[Operation]] = {}
        for path, methods in self._document["paths"].items():
            for method, said in methods.items():
                one = Operation(path, method.upper(), said)
                found.setdefault(one.tag, []).append(one)
        return dict(sorted(found.items()))

    def index(self) -> str:
        """All operations by tag, and what they have in common."""
        parts = [f"<p>{escape(self._document['info']['description'])}</p>\n"]
        for tag, operations in self.operations.items():
            rows = "".join(
                f'<tr><td>{_method(one)}</td><td><a href="{_page(tag)}#{one.id}">'
                f"<code>{escape(one.path)}</code></a></td><td>{escape(one.said['summary'])}</td>"
                "</tr>\n"
                for one in operations
            )
            head = f'<h2 id="{tag}"><a href="{_page(tag)}">{title(tag)}</a></h2>\n'
            parts.append(head + _table((), rows))
        return "".join(parts + [self._object(name) for name in self._of("")])

    def page(self, tag: str) -> str:
        """The operations of a tag, and the objects that they take and answer."""
        parts = [self._operation(one) for one in self.operations[tag]]
        return "".join(parts + [self._object(name) for name in self._of(tag)])

    def headings(self, tag: str) -> list[tuple[str, str]]:
        """What stands on the page of a tag, by anchor."""
        operations = [(one.id, one.said["summary"]) for one in self.operations[tag]]
        return operations + [(f"object-{name}", _named(name)) for name in self._of(tag)]

    @cached_property
    def _places(self) -> dict[str, str]:
        """The tag on whose page each object is: its own, or the first that speaks of it."""
        found = {}
        for name in self._schemas:
            own = name.removesuffix("_input")
            found[name] = own if own in self.operations else self._first_that_names(name)
        return found

    def _first_that_names(self, name: str) -> str:
        reference = json.dumps(_REF + name)
        for tag, operations in self.operations.items():
            if any(reference in json.dumps(one.said) for one in operations):
                return tag
        return ""

    def _of(self, tag: str) -> list[str]:
        return [name for name, place in self._places.items() if place == tag]

    def _operation(self, one: Operation) -> str:
        parts = [
            f'<h2 id="{one.id}">{escape(one.said["summary"])}</h2>\n'
            f"<p>{_method(one)} <code>{escape(self._base(one) + one.path)}</code></p>\n"
        ]
        if one.said.get("security") == []:
            parts.append("<p>Needs no key and no session.</p>\n")
        elif self._by_session(one):
            parts.append("<p>Needs a session; a key is not enough.</p>\n")
        rows = "".join(
            _row(f"<code>{escape(parameter['name'])}</code>", self._type(parameter["schema"]),
                 parameter.get("description", ""), needed=parameter.get("required", False))
            for parameter in one.said["parameters"]
        )  # fmt: skip
        if rows:
            parts.append("<h3>Parameters</h3>\n" + _table(("name", "type", ""), rows))
        if body := _schema(one.said.get("requestBody", {})):
            parts.append("<h3>Body</h3>\n" + self._fields(body))
        parts.append("<h3>Answer</h3>\n" + self._answer(one))
        parts.append(f"<h3>Example</h3>\n<pre>{escape(self._example(one))}</pre>\n")
        return "".join(parts)

    def _answer(self, one: Operation) -> str:
        """What is answered when it is done; after it the statuses of what may go wrong."""
        statuses = sorted(one.said["responses"])
        done = statuses[0]
        schema = _schema(one.said["responses"][done])
        told = "</p>\n" + self._fields(schema) if schema else ", without a body.</p>\n"
        others = " ".join(f"<code>{status}</code>" for status in statuses[1:])
        wrong = self._type({"$ref": f"{_REF}Error"})
        return f"<p><code>{done}</code>{told}<p>Or an {wrong}: {others}</p>\n"

    def _object(self, name: str) -> str:
        schema = self._schemas[name]
        said = schema.get("description", "")
        told = f"<p>{escape(said)}</p>\n" if said else ""
        return f'<h2 id="object-{name}">{_named(name)}</h2>\n{told}{self._fields(schema)}'

    def _fields(self, schema: Json) -> str:
        """What an object has, as a table; of what is none, its type."""
        rows = "".join(
            _row(f"<code>{escape(name)}</code>", self._type(one), one.get("description", ""),
                 needed=needed, read_only=one.get("readOnly", False))
            for name, one, needed in _members(schema)
        )  # fmt: skip
        if rows:
            return _table(("name", "type", ""), rows)
        return f"<p>{self._type(schema)}</p>\n"

    def _type(self, schema: Json) -> str:
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_REF)
            place = self._places[name]
            page = _page(place) if place else "/docs/api"
            return f'<a href="{page}#object-{name}">{_named(name)}</a>'
        if "anyOf" in schema:
            return " or ".join(self._type(one) for one in schema["anyOf"])
        if "enum" in schema:
            return " ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
        if "const" in schema:
            return f"<code>{escape(json.dumps(schema['const']))}</code>"
        said = []
        for kind in _kinds(schema, "anything"):
            if kind == "array" and "items" in schema:
                said.append(f"list of {self._type(schema['items'])}")
            else:
                said.append(escape(str(schema.get("format", kind) if kind == "string" else kind)))
        return " or ".join(said) + _limits(schema)

    def _base(self, one: Operation) -> str:
        servers: list[Json] = (one.said if "servers" in one.said else self._document)["servers"]
        return str(servers[0]["url"]).rstrip("/")

    def _by_session(self, one: Operation) -> bool:
        secured: list[Json] = (one.said if "security" in one.said else self._document)["security"]
        return bool(secured) and not any("api_key" in scheme for scheme in secured)

    def _example(self, one: Operation) -> str:
        """A command that asks for it."""
        path = one.path
        for parameter in one.said["parameters"]:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", parameter["name"].upper())
        if any(parameter["name"] == "_limit" for parameter in one.said["parameters"]):
            path += "?_limit=5"
        who = '-u "$CLINCH_API_KEY:"'
        if one.said.get("security") == []:
            who = "-c cookies.txt"
        elif self._by_session(one):
            who = "-b cookies.txt"
        method = "" if one.method == "GET" else f" -X {one.method}"
        lines = [f'curl {who}{method} "{self._public_url}{self._base(one)}{path}"']
        body = _schema(one.said.get("requestBody", {}))
        if body is not None:
            text = json.dumps(self._sample(body), ensure_ascii=False)
            lines += ['  -H "Content-Type: application/json"', f"  -d '{text}'"]
        return " \\\n".join(lines)

    def _sample(self, schema: Json) -> Any:
        """A value that a schema allows, with what is needed or else a little."""
        if "$ref" in schema:
            return self._sample(self._schemas[schema["$ref"].removeprefix(_REF)])
        if "enum" in schema:
            return schema["enum"][0]
        kind = _kinds(schema, "object")[0]
        if kind == "object":
            properties: Json = schema.get("properties", {})
            plain = [name for name, one in properties.items() if one.get("type") == "string"]
            names = schema.get("required") or plain[:2] or list(properties)[:1]
            return {name: self._sample(properties[name]) for name in names}
        if kind == "array":
            return [self._sample(schema["items"])] if "items" in schema else []
        return _EXAMPLES.get(schema.get("format", kind), _EXAMPLES.get(kind))


def _kinds(schema: Json, otherwise: str) -> list[str]:
    types: str | list[str] = schema.get("type", otherwise)
    return [types] if isinstance(types, str) else types


def _schema(said: Json) -> Json | None:
    """The schema of what is sent or answered, or None where there is no body."""
    contents: dict[str, Json] = said.get("content", {})
    return next((one["schema"] for one in contents.values()), None)


def title(tag: str) -> str:
    words = [_SPELLED.get(word, word) for word in tag.split("_")]
    text = " ".join(words)
    return escape(text[:1].upper() + text[1:])


def _named(schema: str) -> str:
    own = schema.removesuffix("_input")
    return f"{title(own)}, as it is sent" if own != schema else title(own)


def _members(schema: Json, before: str = "") -> Iterator[tuple[str, Json, bool]]:
    """The members of an object and of objects within it: name, schema, whether it is needed."""
    for name, one in schema.get("properties", {}).items():
        yield f"{before}{name}", one, name in schema.get("required", ())
        items = one.get("items", {})
        if "properties" in one:
            yield from _members(one, f"{before}{name}.")
        elif "properties" in items:
            yield from _members(items, f"{before}{name}[].")


def _row(name: str, type: str, said: str, *, needed: bool, read_only: bool = False) -> str:
    marks = " <b>required</b>" * needed + " <i>read only</i>" * read_only
    return f"<tr><td>{name}</td><td>{type}</td><td>{escape(said)}{marks}</td></tr>\n"


def _table(heads: tuple[str, ...], rows: str) -> str:
    head = "".join(f"<th>{one}</th>" for one in heads)
    head = f"<thead><tr>{head}</tr></thead>\n" if head else ""
    return f'<div class="wide"><table>\n{head}<tbody>\n{rows}</tbody>\n</table></div>\n'


def _method(one: Operation) -> str:
    return f'<span class="method {one.method.lower()}">{one.method}</span>'


def _page(tag: str) -> str:
    return f"/docs/api/{tag}"


def _limits(schema: Json) -> str:
    said = []
    if "minimum" in schema and "maximum" in schema:
        said.append(f"{schema['minimum']} to {schema['maximum']}")
    elif "minimum" in schema:
        said.append(f"at least {schema['minimum']}")
    elif "maximum" in schema:
        said.append(f"at most {schema['maximum']}")
    if "maxItems" in schema:
        said.append(f"at most {schema['maxItems']} entries")
    if "maxLength" in schema:
        said.append(f"at most {schema['maxLength']} characters")
    if "default" in schema:
        said.append(f"else {schema['default']}")
    return f" ({', '.join(said)})" if said else ""
