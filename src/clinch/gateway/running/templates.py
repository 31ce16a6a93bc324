"""Requests with places for what is given when they are run: what saved actions are made of.

A value may be `{"$var": "$.input.name"}`, and a text may have `{{input.name}}` in it. In the path
`{name}` stands for an input too, or for one of the `pathParameters`; it fills one segment. What
was not given is left out, unless it is a part of a text or of the path.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from clinch.gateway.api import ApiRequest, below
from clinch.gateway.errors import InvalidRequest
from clinch.gateway.running.encoding import body_bytes, header_value, segment, text_of

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

Place = tuple[str, ...]
"""The names that lead to a value inside the input."""

_ALSO = {"uri": "path", "url": "path", "data": "body"}
_MEMBERS = ("method", "path", "pathParameters", "query", "headers", "body")
_VARIABLE = re.compile(r"\$\.input((?:\.[^.\[\]{}\s]+)*)")
_IN_TEXT = re.compile(r"\{\{\s*input\.([^{}\s]+)\s*\}\}")
_IN_PATH = re.compile(r"\{\{\s*input\.([^{}\s]+)\s*\}\}|\{([^{}/]+)\}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_DEEPEST = 30
# Ways to say more with a value, in a language that nothing here speaks.
_FORMULAS = frozenset(
    (
        *("$and", "$case", "$concat", "$eval", "$firstNotEmpty", "$formula", "$iterate"),
        *("$jsonata", "$lookup", "$map", "$mergeObjects", "$or"),
    )
)
# Who asks, what stands for them, and where a request ends is said by the gateway alone.
_NO_HEADER = frozenset(
    (
        *("authorization", "cookie", "host", "proxy-authorization", "content-length"),
        *("transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"),
        *("accept-encoding", "idempotency-key", "x-http-method-override"),
        *("x-http-method", "x-method-override"),
    )
)
_LEFT_OUT = object()


@dataclass(frozen=True, slots=True)
class Template:
    """A request that is not filled yet; `body` is UNSET where there is none."""

    method: str
    path: str
    path_parameters: Mapping[str, Any]
    query: Mapping[str, Any]
    headers: Mapping[str, Any]
    body: Any = msgspec.UNSET

    @property
    def written(self) -> dict[str, Any]:
        """The JSON object that this is, without what is empty."""
        told = {
            "method": self.method,
            "path": self.path,
            "pathParameters": self.path_parameters,
            "query": self.query,
            "headers": self.headers,
        }
        body = {} if self.body is msgspec.UNSET else {"body": self.body}
        return {name: value for name, value in told.items() if value} | body

    @property
    def places(self) -> frozenset[Place]:
        """What of the input is used."""
        values = (self.path_parameters, self.query, self.headers, self.body)
        return self.places_in_path | frozenset(place for one in values for place in _places(one))

    @property
    def places_in_path(self) -> frozenset[Place]:
        """What of the input there has to be."""
        found: set[Place] = set()
        for match in _IN_PATH.finditer(self.path):
            if match[2] in self.path_parameters:
                found.update(_places(self.path_parameters[match[2]]))
            else:
                found.add(_place(match[1] or match[2].removeprefix("input.")))
        return frozenset(found)

    def fill(self, input: Mapping[str, Any]) -> ApiRequest:
        """The request for an input; raises InvalidRequest for one that does not do."""

        def in_path(match: re.Match[str]) -> str:
            name = match[1] or match[2].removeprefix("input.")
            if match[2] in self.path_parameters:
                value = _filled(self.path_parameters[match[2]], input)
            else:
                value = _at(input, _place(name))
            if value is _LEFT_OUT or value is None:
                raise InvalidRequest(f"{name} is missing: it is a part of the path.", field=name)
            return segment(name, value)

        path = _IN_PATH.sub(in_path, self.path)
        query = tuple(_pairs(_filled(self.query, input)))
        headers = tuple(
            (name.lower(), header_value(name, value))
            for name, value in _filled(self.headers, input).items()
            if value is not None
        )
        body = _LEFT_OUT if self.body is msgspec.UNSET else _filled(self.body, input)
        if body is _LEFT_OUT:
            return ApiRequest(self.method, path, query, headers)
        kind = dict(headers).get("content-type")
        if kind is None:
            kind = "application/json"
            headers += (("content-type", kind),)
        return ApiRequest(self.method, path, query, headers, body_bytes(body, kind))


def read_template(sent: Any, at: str, base_url: str, proofs: frozenset[str]) -> Template:
    """The template that a JSON object is, for an app at a base address.

    `at` is what it is called in errors, `proofs` the headers that carry the app's credentials, in
    small letters. Raises InvalidRequest.
    """
    if not isinstance(sent, dict):
        raise _wrong(at, 'is an object such as {"method": "GET", "path": "/things/{id}"}')
    told: dict[str, Any] = {}
    for name, value in sent.items():
        known = _ALSO.get(name, name)
        if known not in _MEMBERS:
            raise _wrong(f"{at}.{name}", f"is not known; known are {', '.join(_MEMBERS)}")
        if known in told:
            raise _wrong(f"{at}.{name}", f"is {known} once more")
        told[known] = value
    _check(told, at)
    method = _method(told, at)
    parts = (_object(told, name, at) for name in ("pathParameters", "query", "headers"))
    parameters, query, headers = parts
    path = _path(told.get("path"), parameters, f"{at}.path", base_url)
    _check_headers(headers, f"{at}.headers", proofs)
    for name, value in query.items():
        if isinstance(value, dict) and "$var" not in value:
            raise _wrong(f"{at}.query.{name}", "is a text, a number, true or false, or a list")
    body = told.get("body", msgspec.UNSET)
    return Template(method, path, parameters, query, headers, body)


def _method(told: Mapping[str, Any], at: str) -> str:
    if "body" in told and "method" not in told:
        raise _wrong(f"{at}.method", "has to be said where there is a body")
    method = told.get("method", "GET")
    if not isinstance(method, str) or method.upper() not in METHODS:
        raise _wrong(f"{at}.method", f"is one of {', '.join(METHODS)}")
    if "body" in told and method.upper() == "GET":
        raise _wrong(f"{at}.body", "is nothing that a GET has")
    return method.upper()


def _path(sent: Any, parameters: Mapping[str, Any], at: str, base_url: str) -> str:
    path = sent if isinstance(sent, str) else ""
    if not path:
        raise _wrong(at, "is below the app's base address, such as /things/{id}")
    fixed = _IN_PATH.sub("", path)
    if "://" in fixed.partition("?")[0] or path.startswith("//"):
        raise _wrong(at, "is below the app's base address, and no full URL")
    if not (fixed.isascii() and fixed.isprintable()) or set(" #") & set(fixed):
        raise _wrong(at, "has ASCII alone, and neither spaces nor #: write them encoded")
    if set("{}") & set(fixed):
        raise _wrong(at, "has a brace that is none of {name} or {{input.name}}")
    named = {match[2] for match in _IN_PATH.finditer(path)}
    if unused := sorted(set(parameters) - named):
        raise _wrong(at, f"has no {{{unused[0]}}}, which is one of the pathParameters")
    path = path if path.startswith("/") else f"/{path}"
    below(path.partition("?")[0], base_url)
    return path


def _check_headers(headers: Mapping[str, Any], at: str, proofs: frozenset[str]) -> None:
    seen = set()
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            raise _wrong(f"{at}.{name[:50]}", "is no name of a header")
        if name.lower() in _NO_HEADER | proofs:
            raise _wrong(f"{at}.{name}", "is set by the gateway; the connection has the secrets")
        if name.lower() in seen:
            raise _wrong(f"{at}.{name}", "is there twice")
        seen.add(name.lower())
        if isinstance(value, str):
            header_value(name, value)
        elif isinstance(value, list) or (isinstance(value, dict) and "$var" not in value):
            raise _wrong(f"{at}.{name}", "is a text")


def _check(value: Any, at: str, depth: int = 0) -> None:
    """Raise InvalidRequest for a variable that is none, at any depth."""
    if depth > _DEEPEST:
        raise _wrong(at, f"is nested more than {_DEEPEST} deep")
    if isinstance(value, list):
        for number, one in enumerate(value):
            _check(one, f"{at}[{number}]", depth + 1)
    if not isinstance(value, dict):
        return
    if "$var" in value:
        text = value["$var"]
        if len(value) != 1 or not isinstance(text, str) or not _VARIABLE.fullmatch(text):
            raise _wrong(at, 'a variable is {"$var": "$.input.name"}, and nothing beside')
    for name, one in value.items():
        if name in _FORMULAS and len(value) == 1:
            raise _wrong(at, f"{name} is not known here; $var is")
        _check(one, f"{at}.{name}", depth + 1)


def _places(value: Any) -> Iterator[Place]:
    """The places of the input that a value uses."""
    if isinstance(value, str):
        yield from (_place(match[1]) for match in _IN_TEXT.finditer(value))
    elif isinstance(value, list):
        for one in value:
            yield from _places(one)
    elif isinstance(value, Mapping):
        if "$var" in value:
            yield _variable(value)
            return
        for one in value.values():
            yield from _places(one)


def _filled(value: Any, input: Mapping[str, Any]) -> Any:
    """The value with its places filled; what was not given is left out."""
    if isinstance(value, Mapping):
        if "$var" in value:
            return _at(input, _variable(value))
        filled = {name: _filled(one, input) for name, one in value.items()}
        return {name: one for name, one in filled.items() if one is not _LEFT_OUT}
    if isinstance(value, list):
        return [one for one in (_filled(part, input) for part in value) if one is not _LEFT_OUT]
    if not isinstance(value, str):
        return value
    whole = _IN_TEXT.fullmatch(value)
    if whole:
        return _at(input, _place(whole[1]))

    def in_text(match: re.Match[str]) -> str:
        found = _at(input, _place(match[1]))
        if found is _LEFT_OUT:
            raise InvalidRequest(f"{match[1]} is missing: it is a part of a text.", field=match[1])
        return "" if found is None else text_of(found)

    return _IN_TEXT.sub(in_text, value)


def _at(input: Any, place: Place) -> Any:
    for name in place:
        if not isinstance(input, Mapping) or name not in input:
            return _LEFT_OUT
        input = input[name]
    return input


def _variable(value: Mapping[str, Any]) -> Place:
    return _place(str(value["$var"]).removeprefix("$.input").removeprefix("."))


def _place(text: str) -> Place:
    return tuple(text.split(".")) if text else ()


def _pairs(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        if value is None:
            continue
        for one in value if isinstance(value, list) else [value]:
            yield name, text_of(one)


def _object(told: Mapping[str, Any], name: str, at: str) -> dict[str, Any]:
    value = told.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or "$var" in value:
        raise _wrong(f"{at}.{name}", "is an object of names and values")
    return value


def _wrong(at: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"{at}: {rule}.", field=at)
