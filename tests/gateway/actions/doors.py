"""The four doors through which actions are run: the command, REST, the SDK and MCP."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.gateway.test_login import Terminal
from node import run_with_sdk
from server.gateway.desk import Desk

from clinch.gateway.actions.catalog import ACTIONS
from clinch.resources.actor import OperationClass

_SCRIPT = Path(__file__).with_name("doors.mjs")


@dataclass(frozen=True)
class Asked:
    """An action to run by a connection."""

    action: str
    input: dict[str, Any]
    connectionId: str


@dataclass(frozen=True)
class Told:
    """What a door answered: the document of a run, or of a refusal, without the run's id."""

    document: dict[str, Any]
    refused: bool

    @property
    def text(self) -> str:
        """The same to the byte, the order of names included."""
        return json.dumps(self.document, ensure_ascii=False)


Door = Callable[[Desk, Sequence[Asked], Path], list[Told]]


def by_rest(desk: Desk, asked: Sequence[Asked], home: Path) -> list[Told]:
    def run(one: Asked) -> Told:
        path = f"/actions/{one.action}/run"
        answer = desk.ask("POST", path, {"input": one.input}, connectionId=one.connectionId)
        return _told(answer.json(), answer.status_code >= 400)

    return [run(one) for one in asked]


def by_mcp(desk: Desk, asked: Sequence[Asked], home: Path) -> list[Told]:
    def run(one: Asked) -> Told:
        reads = ACTIONS[one.action].operation_class is OperationClass.READ
        tool = "run_read_action" if reads else "run_write_action"
        result = desk.by_mcp("tools/call", name=tool, arguments=asdict(one))
        [content] = result["content"]
        document = json.loads(content["text"])
        assert result.get("structuredContent", document) == document
        return _told(document, result.get("isError", False))

    return [run(one) for one in asked]


def by_sdk(desk: Desk, asked: Sequence[Asked], home: Path) -> list[Told]:
    sent = json.dumps([asdict(one) for one in asked])
    told = json.loads(run_with_sdk(_SCRIPT, desk.url, f"pat-{desk.token}", input=sent))
    return [_told(one.get("done") or one["refused"], "refused" in one) for one in told]


def by_command(desk: Desk, asked: Sequence[Asked], home: Path) -> list[Told]:
    terminal = Terminal(home, desk.url)
    terminal.environment["MEMBRANE_TOKEN"] = desk.token

    def run(one: Asked) -> Told:
        words = (one.action, "--connectionId", one.connectionId, "--input", json.dumps(one.input))
        done = terminal.run("action", "run", *words, "--json")
        document = json.loads(done.stdout)
        assert done.returncode == (1 if "error" in document else 0), done.stderr
        if "error" in document:
            data = document["data"]
            assert document["hint"] == data["hint"]
            known = {"type": document["error"], "message": document["message"], "data": data}
            return _told(known, refused=True)
        return _told(document, refused=False)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, asked))


DOORS: dict[str, Door] = {
    "rest": by_rest,
    "mcp": by_mcp,
    "sdk": by_sdk,
    "command": by_command,
}


def _told(document: dict[str, Any], refused: bool) -> Told:
    place = document["data"] if refused else document
    assert place.pop("actionRunId").startswith("run_")
    return Told(document, refused)
