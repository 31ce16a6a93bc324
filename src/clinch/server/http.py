"""Requests and responses as the handlers see them, and the rules for reading a body."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from clinch.identity.api_keys import ApiKey
from clinch.resources.actor import Actor, Provenance
from clinch.resources.errors import ApiError, BadRequest
from clinch.resources.once import Attempt

MAX_BODY = 1_000_000
MAX_DEPTH = 100

Headers = dict[bytes, bytes]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_JSON_TYPES = re.compile(rb"application/([\w.+-]*\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)
# Possessive, and content with a string that never ends: the time is linear in the body.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)

BAD_JSON = "The request contains invalid JSON."


class Several(str):
    """The values of a parameter that came more than once, or as a list: a text with commas between
    them, and the `parts`."""

    parts: tuple[str, ...]

    @classmethod
    def of(cls, parts: Iterable[str]) -> "Several":
        parts = tuple(parts)
        several = cls(",".join(parts))
        several.parts = parts
        return several


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that comes in pieces, and its length."""

    pieces: AsyncIterator[bytes]
    length: int


class Response(msgspec.Struct):
    """A status, a body (JSON unless its type is another, empty for 204), and headers beyond the
    usual ones."""

    body: bytes | Stream = b"{}"
    status: int = 200
    headers: list[tuple[bytes, bytes]] = msgspec.field(default_factory=list)
    content_type: bytes = b"application/json"


def json_response(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status)


class Request(msgspec.Struct):
    """A request whose sender is known. `parameters` are those of the query string or, where the
    body has `_params`, those; `route` is the pattern of the whole path and `arguments` are the
    segments that change in it; `headers` are those of HTTP. `attempt` is that of a request which is
    to be done once."""

    id: str
    method: str
    route: str
    arguments: tuple[str, ...]
    parameters: dict[str, str]
    body: dict[str, Any]
    actor: Actor
    headers: Headers
    attempt: Attempt | None = None

    @property
    def path(self) -> str:
        return f"{self.route}/".replace("{}", "%s") % self.arguments

    @property
    def provenance(self) -> Provenance:
        """Where a change that the request makes comes from."""
        credential = self.actor.tenant.credential_id or ""
        return Provenance(
            source="api",
            request_id=self.id,
            api_key_id=credential if credential.startswith(f"{ApiKey.prefix}_") else None,
            oauth_grant=self.actor.oauth_grant,
            method=self.method,
            path=self.path,
            attempt=self.attempt,
        )


async def receive_body(headers: Headers, receive: Receive) -> bytes:
    """The whole body; refused with 413 as soon as it is known to be too large."""
    too_large = ApiError({"error": f"The request is larger than {MAX_BODY} bytes."}, 413)
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise too_large
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The connection was closed before the request was complete.")
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY:
            raise too_large
        if not message.get("more_body"):
            return body


def parse_query(query: bytes) -> dict[str, str]:
    """Query parameters; the values of a name that comes more than once are a list."""
    if not query:
        return {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=1000)
    except (UnicodeDecodeError, ValueError):
        raise BadRequest("The query string cannot be read.") from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    parameters = {
        name: Several.of(several) if len(several) > 1 else several[0]
        for name, several in values.items()
    }
    if "\x00" in "".join(parameters.values()):
        raise BadRequest("The query string must not contain null characters.")
    return parameters


def parse_body(headers: Headers, body: bytes) -> dict[str, Any]:
    """The JSON object of a POST or PUT; raises BadRequest with the texts that clients know."""
    if not _JSON_TYPES.fullmatch(headers.get(b"content-type", b"").strip()):
        raise BadRequest("Please send valid JSON with a 'Content-Type: application/json' header.")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise BadRequest(f"The request's JSON is nested deeper than {MAX_DEPTH} levels.")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest(BAD_JSON) from None
    if not isinstance(value, dict):
        raise BadRequest("JSON data must be a dict.")
    return value


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for bracket in re.findall(rb"[\[\]{}]", _STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def text_parameters(parameters: Any) -> dict[str, str]:
    """The parameters of a body's `_params`, as they would stand in a query string."""
    if not isinstance(parameters, dict):
        raise BadRequest("_params must be a dict.")
    return {key: _as_text(value) for key, value in parameters.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return Several.of(map(_as_text, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    if "\x00" in text:
        raise BadRequest("The parameters must not contain null characters.")
    return text
