"""`mcp`: the gateway for a program that starts its MCP servers itself, and speaks by lines.

Each line is a message; it goes to the server as the login's, and what comes back is a line.
"""

import json
import sys
from typing import Any

from clinch.cli.gateway.result import Failure, Result
from clinch.cli.gateway.server import Answer
from clinch.cli.gateway.session import Session

_KIND = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")]


def mcp(arguments: dict[str, Any]) -> Result:
    """Pass messages on until standard input ends."""
    session = Session(arguments)
    for line in sys.stdin.buffer:
        if line.strip():
            answer = _pass_on(session, line)
            if answer:
                sys.stdout.buffer.write(answer + b"\n")
                sys.stdout.buffer.flush()
    return Result(raw=b"")


def _pass_on(session: Session, line: bytes) -> bytes:
    """What is answered to a message; nothing to a notification."""
    try:
        answer = session.ask("POST", "/mcp", headers=_KIND, body=line)
        if answer.status in (200, 202):
            return answer.body.strip()
        message = _said(answer)
    except Failure as failure:
        message = f"{failure.message} {failure.hint}"
    return _failed(line, message)


def _said(answer: Answer) -> str:
    """What the server says went wrong, in an answer that is none of the protocol."""
    told = answer.document()
    error = told.get("error") if isinstance(told, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    return str(said or f"The server answered {answer.status}.")


def _failed(line: bytes, message: str) -> bytes:
    try:
        sent = json.loads(line)
    except ValueError:
        sent = {}
    if not isinstance(sent, dict) or "id" not in sent:
        return b""
    error = {"code": -32603, "message": message}
    return json.dumps({"jsonrpc": "2.0", "id": sent["id"], "error": error}).encode()
