"""Running an operation of an app's API as it is described: its inputs become one request."""

from typing import Any
from urllib.parse import quote

import jsonschema_rs
import msgspec

from clinch.gateway.api import Api, ApiRequest, Pairs
from clinch.gateway.connectors.connector import Operation
from clinch.gateway.errors import ActionFailed, InvalidRequest


async def run_operation(operation: Operation, api: Api, input: dict[str, Any]) -> Any:
    """What the app answers, as JSON; raises GatewayError, and then nothing was changed."""
    answer = await api(request_of(operation, input))
    output = _document(answer.body)
    if answer.status >= 400:
        raise ActionFailed(
            f"The app refused this ({answer.status}).", status=answer.status, answer=output
        )
    return output


def request_of(operation: Operation, input: dict[str, Any]) -> ApiRequest:
    """The request that an input comes to; raises InvalidRequest for one that does not fit."""
    valid = jsonschema_rs.validator_for(operation.input_schema)
    wrong = next(iter(valid.iter_errors(input)), None)
    if wrong is not None:
        place = ".".join(map(str, wrong.instance_path)) or "input"
        raise InvalidRequest(f"{place}: {wrong.message}", field=place)
    path, query = operation.path, []
    for name, value in input.items():
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(_text(value), safe=""))
        elif name in operation.query:
            query.append((name, _text(value)))
    headers: Pairs = ()
    body = None
    if operation.has_body and "body" in input:
        body = msgspec.json.encode(input["body"])
        headers = (("content-type", "application/json"),)
    return ApiRequest(operation.method, path, tuple(query), headers, body)


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
    except msgspec.DecodeError:
        return {"text": body.decode("utf-8", "replace")}
