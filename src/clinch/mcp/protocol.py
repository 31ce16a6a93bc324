"""The Model Context Protocol over HTTP: JSON-RPC in a POST, answered in its response.

The server keeps no session and starts nothing by itself, so every request stands alone. Source: the
specification of 2025-06-18, sections Base Protocol, Transports and Tools.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import msgspec

from clinch import __version__
from clinch.gateway.errors import GatewayError
from clinch.gateway.tenancy.access import Caller
from clinch.resources.actor import OperationClass
from clinch.resources.errors import ApiError

Json = dict[str, Any]
Run = Callable[[Caller, Json], Awaitable[Any]]

VERSIONS = ("2025-06-18", "2025-03-26", "2024-11-05")

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, INTERNAL = (
    -32700,
    -32600,
    -32601,
    -32602,
    -32603,
)


class ProtocolError(Exception):
    """A message that cannot be carried out: a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool; `run` gets arguments that fit `input_schema`, and returns what JSON can hold.

    `operation` is the most that it may do to somebody's data.
    """

    name: str
    title: str
    description: str
    input_schema: Json
    operation: OperationClass
    run: Run

    def document(self) -> Json:
        """How the tool is told to programs; they may let what only reads run unasked."""
        reads = self.operation is OperationClass.READ
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.input_schema,
            "annotations": {
                "title": self.title,
                "readOnlyHint": reads,
                "destructiveHint": self.operation is OperationClass.DESTRUCTIVE,
                "idempotentHint": reads,
                "openWorldHint": True,
            },
        }


class Server:
    """Answers messages with a fixed set of tools."""

    def __init__(self, tools: Sequence[Tool], instructions: str) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._instructions = instructions
        self._valid = {tool.name: jsonschema_rs.validator_for(tool.input_schema) for tool in tools}
        self._methods: dict[str, Run] = {
            "initialize": self._initialize,
            "ping": self._ping,
            "tools/list": self._list,
            "tools/call": self._call,
        }

    async def answer(self, caller: Caller, message: Any) -> Json | None:
        """The response to a message, None for a notification or a response of the client's."""
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return _error(None, INVALID_REQUEST, "A message is a JSON-RPC 2.0 object.")
        if "id" not in message or "method" not in message:
            return None
        id = message["id"]
        if isinstance(id, bool) or not isinstance(id, str | int):
            return _error(None, INVALID_REQUEST, "An id is a text or a whole number.")
        parameters = message.get("params", {})
        method = self._methods.get(message["method"])
        if method is None or not isinstance(parameters, dict):
            what = "There is no such method." if method is None else "params is an object."
            return _error(id, NO_METHOD if method is None else INVALID_PARAMS, what)
        try:
            return {"jsonrpc": "2.0", "id": id, "result": await method(caller, parameters)}
        except ProtocolError as error:
            return _error(id, error.code, error.message)

    async def _initialize(self, caller: Caller, parameters: Json) -> Json:
        wanted = parameters.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": "clinch", "title": "Clinch", "version": __version__},
            "instructions": self._instructions,
        }

    async def _ping(self, caller: Caller, parameters: Json) -> Json:
        return {}

    async def _list(self, caller: Caller, parameters: Json) -> Json:
        return {"tools": [tool.document() for tool in self._tools.values()]}

    async def _call(self, caller: Caller, parameters: Json) -> Json:
        tool = self._tools.get(str(parameters.get("name")))
        if tool is None:
            raise ProtocolError(INVALID_PARAMS, f"There is no tool {parameters.get('name')!r}.")
        arguments = parameters.get("arguments", {})
        wrong = next(iter(self._valid[tool.name].iter_errors(arguments)), None)
        if wrong is not None:
            place = ".".join(map(str, wrong.instance_path)) or "the arguments"
            return _failed({"message": f"{place}: {wrong.message}"})
        try:
            return _done(await tool.run(caller, arguments))
        except GatewayError as error:
            return _failed(error.body)
        except ApiError as error:
            return _failed(error.body)


def _done(output: Any) -> Json:
    """What a tool returned, as text for models and as a structure for programs."""
    text = msgspec.json.encode(output).decode()
    structure = output if isinstance(output, dict) else {"output": output}
    return {"content": [{"type": "text", "text": text}], "structuredContent": structure}


def _failed(body: Json) -> Json:
    """A failure that the model is to read, and may mend."""
    return {
        "content": [{"type": "text", "text": msgspec.json.encode(body).decode()}],
        "isError": True,
    }


def _error(id: str | int | None, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}
