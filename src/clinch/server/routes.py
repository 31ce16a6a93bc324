"""Which handler a path leads to: a tree of dicts, so that more routes cost nothing."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from clinch.resources.errors import ApiError
from clinch.server.http import Request, Response

Handler = Callable[[Request], Awaitable[Response]]

NO_URL = (
    "The requested URL was not found on the server. If you entered the URL manually please check"
    " your spelling and try again."
)


class MethodNotAllowed(ApiError):
    """There is such a URL, but this is not done there; `allowed` is."""

    status = 405

    def __init__(self, allowed: list[str]) -> None:
        super().__init__({"error": "The method is not allowed for the requested URL."})
        self.allowed = allowed


KEY, SESSION = "api_key", "session"
EITHER = (KEY, SESSION)


@dataclass(frozen=True, slots=True)
class About:
    """What the OpenAPI document says of an operation that no declaration of a resource describes.

    `name` is its operationId; `arguments` are the names of the segments that change; `parameters`
    are those of the query (see `query`); `body` and `answer` are JSON Schemas. `secured` says what
    it takes, any of these.
    """

    name: str
    summary: str
    arguments: tuple[str, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    body: dict[str, Any] | None = None
    status: int = 200
    answer: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    secured: tuple[str, ...] = EITHER


TEXT = {"type": "string"}
TIME = TEXT | {"format": "date-time"}
FLAG = {"type": "boolean"}


def query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """A parameter of the query, for the OpenAPI document."""
    return {"name": name, "in": "query", "schema": schema, "description": description}


FIELDS = query("_fields", TEXT, "The fields to answer, with commas between.")
DRY_RUN = query("_dry_run", FLAG, "Do everything, answer, and change nothing.")


def of(noun: str) -> dict[str, Any]:
    """The JSON Schema of an object of a resource."""
    return {"$ref": f"#/components/schemas/{noun}"}


def several(items: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a list of these."""
    return {"type": "array", "items": items}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a value of one type, or none."""
    return schema | {"type": [schema["type"], "null"]}


def has(required: tuple[str, ...] = (), /, **properties: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of an object with these properties."""
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | ({"required": list(required)} if required else {})


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: `path` is below the base, `{}` stands for a segment that changes.

    Without `about` it is one of a resource, which its declaration describes, or the same as another
    at the path that older clients know.
    """

    method: str
    path: str
    handler: Handler
    about: About | None = None


H = TypeVar("H")
H_co = TypeVar("H_co", covariant=True)


class Routed(Protocol[H_co]):
    """What a tree is made of: an operation and what answers it, see `Route`."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def handler(self) -> H_co: ...


@dataclass(slots=True)
class _Place(Generic[H]):
    """A place in the tree: what may follow, and what is done here."""

    pattern: str = ""
    literal: dict[str, "_Place[H]"] = field(default_factory=dict)
    any: "_Place[H] | None" = None
    handlers: dict[str, H] = field(default_factory=dict)


class Match(msgspec.Struct, Generic[H], frozen=True):
    """Where a path leads: the pattern (safe to log), the changing segments and the handlers."""

    pattern: str
    arguments: tuple[str, ...]
    handlers: dict[str, H]

    def handler(self, method: str) -> H:
        """The handler of a method, for HEAD that of GET; raises ApiError 405, or 404 as clients
        know it."""
        handler = self.handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            if method == "POST" and self.arguments and "PUT" in self.handlers:
                raise ApiError({"error": "404 Not Found: Did you mean to use PUT?"}, 404)
            raise MethodNotAllowed(self.allowed())
        return handler

    def allowed(self) -> list[str]:
        """The methods that there are."""
        return sorted({*self.handlers, *(("HEAD",) if "GET" in self.handlers else ())})


class Routes(Generic[H]):
    """The routes below one base path; of two for the same operation the later one holds."""

    def __init__(self, routes: Iterable[Routed[H]]) -> None:
        self._root: _Place[H] = _Place()
        for route in routes:
            self._add(route)

    def _add(self, route: Routed[H]) -> None:
        place = self._root
        for segment in filter(None, route.path.split("/")):
            pattern = f"{place.pattern}/{segment}"
            if segment == "{}":
                place.any = place.any or _Place(pattern)
                place = place.any
            else:
                place = place.literal.setdefault(segment, _Place(pattern))
        place.handlers[route.method] = route.handler

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """The method and the pattern of every operation."""
        places = [self._root]
        while places:
            place = places.pop()
            places += [*place.literal.values(), *([place.any] if place.any else [])]
            yield from ((method, place.pattern) for method in place.handlers)

    def find(self, segments: list[str]) -> Match[H]:
        """Where the path's non-empty, decoded segments lead; literal ones go before changing ones.

        Raises ApiError 404.
        """
        place: _Place[H] = self._root
        arguments: list[str] = []
        for segment in segments:
            literal = place.literal.get(segment)
            if literal is not None:
                place = literal
            elif place.any is not None:
                place = place.any
                arguments.append(segment)
            else:
                raise ApiError({"error": NO_URL}, 404)
        if not place.handlers:
            raise ApiError({"error": NO_URL}, 404)
        return Match(place.pattern, tuple(arguments), place.handlers)
