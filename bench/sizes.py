"""How many bytes an agent has to read, of a Clinch with the sample organization."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests

from bench.benchmark import Goal
from bench.paraphrases import paraphrases
from bench.whole import clinch_up

LEADS = 20
REST, COMMAND = "ten intent results, by REST", "ten intent results, by membrane --json"
TOOLS, LISTED = "the list of MCP tools", f"list-leads of {LEADS}"
OVER_RAW = f"list-leads of {LEADS}, over the API's own answer"
GOALS = (
    (REST, Goal("bytes", 8_000, at_most=True)),
    (COMMAND, Goal("bytes", 8_000, at_most=True)),
    (TOOLS, Goal("bytes", 6_000, at_most=True)),
    (LISTED, Goal("bytes", 8_000, at_most=True)),
    (OVER_RAW, Goal("ratio", 0.333, at_most=True)),
)


def measure_sizes() -> dict[str, float]:
    """Bytes by what is answered; of results by intent the largest of all our paraphrases."""
    with clinch_up("--sample") as told:
        agent = _Agent(told["url"], told["api_key"])
        connection = agent.ask("POST", "/connections", {"connectorKey": "close"}).json()["id"]
        intent, largest = agent.largest_results()
        listed = agent.ask(
            "POST",
            "/actions/list-leads/run",
            {"input": {"limit": LEADS}},
            connectionId=connection,
        )
        ids = [lead["id"] for lead in listed.json()["output"]["items"]]
        if len(ids) != LEADS:
            raise SystemExit(f"bench: list-leads gave {len(ids)} leads")
        raw = agent.ask(
            "GET", f"/connections/{connection}/proxy/lead/", id__in=",".join(ids), _limit=LEADS
        )
        if {lead["id"] for lead in raw.json()["data"]} != set(ids):
            raise SystemExit("bench: the API gave other leads than list-leads")
        tools = agent.ask("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        return {
            REST: largest,
            COMMAND: len(agent.command("action", "list", "--intent", intent, "--limit", "10")),
            TOOLS: len(tools.content),
            LISTED: len(listed.content),
            OVER_RAW: len(listed.content) / len(raw.content),
        }


class _Agent:
    """Somebody with a key, who asks by REST and by the command."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        response = self._session.request(
            method, f"{self._url}{path}", json=body, params=query, timeout=30
        )
        response.raise_for_status()
        return response

    def largest_results(self) -> tuple[str, int]:
        """The intent whose ten results are the largest, and their bytes."""
        sizes = {
            one.intent: len(self.ask("GET", "/actions", intent=one.intent, limit=10).content)
            for one in paraphrases()
        }
        return max(sizes.items(), key=lambda pair: pair[1])

    def command(self, *words: str) -> bytes:
        """What `membrane … --json` prints."""
        with tempfile.TemporaryDirectory(prefix="clinch-bench-") as home:
            return subprocess.run(
                [str(Path(sys.executable).with_name("membrane")), *words, "--json"],
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": home,
                    "MEMBRANE_API_URI": self._url,
                    "MEMBRANE_TOKEN": self._key,
                },
                cwd=home,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
