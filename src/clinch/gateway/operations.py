"""Running an operation of an app's API as it is described: its inputs become one request."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema_rs
import msgspec

from clinch.gateway.api import Api, ApiRequest, Pairs
from clinch.gateway.connectors.connector import Body, Connector, Operation, Parameter
from clinch.gateway.errors import ActionFailed, InvalidRequest


async def run_operation(
    connector: Connector, operation: Operation, api: Api, input: dict[str, Any]
) -> Any:
    """What the app answers, as JSON; raises GatewayError, and then nothing was changed."""
    answer = await api(request_of(operation, input))
    output = _document(answer.body)
    if not connector.is_good(answer):
        words = connector.words(answer)
        raise ActionFailed(
            f"{connector.name} refused this {connector.refusal(answer)}",
            status=answer.status,
            **({"error": words} if words else {}),
            answer=output,
        )
    return output


def request_of(operation: Operation, input: dict[str, Any]) -> ApiRequest:
    """The request that an input comes to; raises InvalidRequest for one that does not fit."""
    valid = jsonschema_rs.validator_for(operation.input_schema)
    wrong = next(iter(valid.iter_errors(input)), None)
    if wrong is not None:
        place = ".".join(map(str, wrong.instance_path)) or "input"
        raise InvalidRequest(f"{place}: {wrong.message}", field=place)
    path = operation.path
    query: list[tuple[str, str]] = []
    headers: list[tuple[str, str]] = []
    rest = dict(input)
    for parameter in operation.parameters:
        if parameter.key not in rest:
            continue
        value = rest.pop(parameter.key)
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", _segment(parameter, value))
        elif parameter.place == "query":
            query += _pairs(parameter, value)
        else:
            headers.append((parameter.name.lower(), _header(parameter, value)))
    body = None
    if operation.body is not None:
        body = _body(operation.body, rest)
        if body is not None:
            headers.append(("content-type", operation.body.media_type))
    return ApiRequest(operation.method, path, tuple(query), tuple(headers), body)


def _segment(parameter: Parameter, value: Any) -> str:
    """A value as one segment of a path, which it cannot leave."""
    text = _text(value)
    if text in ("", ".", ".."):
        raise InvalidRequest(f"{parameter.key}: this is no part of a path.", field=parameter.key)
    return quote(text, safe="")


def _header(parameter: Parameter, value: Any) -> str:
    text = _text(value)
    if not text.isascii() or not text.isprintable():
        raise InvalidRequest(f"{parameter.key}: no header can have this.", field=parameter.key)
    return text


def _pairs(parameter: Parameter, value: Any) -> Pairs:
    if isinstance(value, list) and parameter.explode:
        return tuple((parameter.name, _text(one)) for one in value)
    if isinstance(value, dict):
        return tuple((f"{parameter.name}[{key}]", _text(one)) for key, one in value.items())
    return ((parameter.name, _text(value)),)


def _body(body: Body, input: dict[str, Any]) -> bytes | None:
    """The bytes of the body, or None where nothing of it was given but for an empty object."""
    if body.whole is not None:
        if body.whole not in input:
            return None
        content = input[body.whole]
    else:
        content = {body.renamed.get(key, key): value for key, value in input.items()}
    if body.media_type == "application/x-www-form-urlencoded":
        return urlencode(list(_form(content))).encode()
    return msgspec.json.encode(content)


def _form(content: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(content, dict):
        raise InvalidRequest("body: a form has names and values.", field="body")
    for name, value in content.items():
        inner = value if isinstance(value, list) else [value]
        nested = isinstance(value, dict) or any(isinstance(one, dict | list) for one in inner)
        yield name, msgspec.json.encode(value).decode() if nested else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return msgspec.json.encode(value).decode()


def _document(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"text": body.decode("utf-8", "replace")}
