"""Running an operation of an app's API as it is described: its inputs become one request."""

from typing import Any

import jsonschema_rs

from clinch.gateway.api import Api, ApiRequest, Pairs
from clinch.gateway.connectors.connector import Body, Connector, Operation, Parameter, Schema
from clinch.gateway.connectors.refusals import refusal, words_of
from clinch.gateway.errors import ActionFailed, InvalidRequest
from clinch.gateway.running.encoding import body_bytes, document_in, header_value, segment, text_of

# Of a pattern by somebody else so many ways are tried, which takes a millisecond.
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000)


async def answer_to(request: ApiRequest, connector: Connector, api: Api) -> Any:
    """What the app answers, as JSON; raises GatewayError, and then nothing was changed."""
    answer = await api(request)
    output = document_in(answer.body)
    if not connector.is_good(answer):
        words = words_of(connector, answer)
        raise ActionFailed(
            f"{connector.name} refused this {refusal(connector, answer)}",
            status=answer.status,
            **({"error": words} if words else {}),
            answer=output,
        )
    return output


def request_of(operation: Operation, input: Any) -> ApiRequest:
    """The request that an input comes to; raises InvalidRequest for one that does not fit."""
    path = operation.path
    query: list[tuple[str, str]] = []
    headers: list[tuple[str, str]] = []
    rest = checked_input(operation.input_schema, input)
    for parameter in operation.parameters:
        if parameter.key not in rest:
            continue
        value = rest.pop(parameter.key)
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", segment(parameter.key, value))
        elif parameter.place == "query":
            query += _pairs(parameter, value)
        else:
            headers.append((parameter.name.lower(), header_value(parameter.key, value)))
    body = None
    if operation.body is not None:
        body = _body(operation.body, rest)
        if body is not None:
            headers.append(("content-type", operation.body.media_type))
    return ApiRequest(operation.method, path, tuple(query), tuple(headers), body)


def checked_input(schema: Schema, input: Any) -> dict[str, Any]:
    """A copy of an input that fits the schema; raises InvalidRequest."""
    if not isinstance(input, dict):
        raise InvalidRequest("The input is a JSON object.", field="input")
    valid = jsonschema_rs.validator_for(schema, pattern_options=_PATTERNS)
    wrong = next(iter(valid.iter_errors(input)), None)
    if wrong is not None:
        place = ".".join(map(str, wrong.instance_path)) or "input"
        raise InvalidRequest(f"{place}: {wrong.message}", field=place)
    return dict(input)


def _pairs(parameter: Parameter, value: Any) -> Pairs:
    if isinstance(value, list) and parameter.explode:
        return tuple((parameter.name, text_of(one)) for one in value)
    if isinstance(value, dict):
        return tuple((f"{parameter.name}[{key}]", text_of(one)) for key, one in value.items())
    return ((parameter.name, text_of(value)),)


def _body(body: Body, input: dict[str, Any]) -> bytes | None:
    """The bytes of the body, or None where nothing of it was given but for an empty object."""
    if body.whole is not None:
        if body.whole not in input:
            return None
        content = input[body.whole]
    else:
        content = {body.renamed.get(key, key): value for key, value in input.items()}
    return body_bytes(content, body.media_type)
