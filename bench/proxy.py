"""What a request through the gateway takes more than the same request sent to the app itself."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.benchmark import Goal
from bench.cpu import cluster_seconds, process_seconds
from bench.installation import Organization, Web
from bench.load import Load, run_load

CONNECTIONS = (1, 16, 64)
GOAL = Goal("added", 2.0, at_most=True)
"""Milliseconds, at one connection."""


@dataclass(frozen=True, slots=True)
class Added:
    """The medians of several pairs of runs, through the gateway and straight to the app.

    `added` is by how many milliseconds the p50 is longer, the least and the most of all pairs
    beside it; the rest is of the runs through the gateway, CPU in microseconds a request.
    """

    connections: int
    per_second: float
    p50: float
    p95: float
    python_us: float
    postgres_us: float
    direct_per_second: float
    direct_p50: float
    added: float
    lowest: float
    highest: float


def measure_proxy(
    web: Web, postmaster: int, organization: Organization, app: str, pairs: int, seconds: int
) -> list[Added]:
    """By numbers of connections; `app` is the address of the app."""
    path = _connected(web, organization, app)
    measured = []
    for connections in CONNECTIONS:
        found = []
        for number in range(pairs + 1):
            # The first pair only warms up, and neither of the two always runs first.
            direct = _load(app, "/boats/1", "", connections, seconds) if number % 2 else None
            python, postgres = process_seconds(web.pid), cluster_seconds(postmaster)
            ours = _load(web.url, path, f"Bearer {organization.key}", connections, seconds)
            python = (process_seconds(web.pid) - python) / ours.requests * 1e6
            postgres = (cluster_seconds(postmaster) - postgres) / ours.requests * 1e6
            direct = direct or _load(app, "/boats/1", "", connections, seconds)
            if number:
                found.append((ours, direct, python, postgres))
        measured.append(_added(connections, found))
    return measured


@contextmanager
def upstream() -> Iterator[str]:
    """The address of an app on this machine, a process of its own."""
    command = [sys.executable, "-m", "bench.upstream"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def _load(url: str, path: str, proof: str, connections: int, seconds: int) -> Load:
    return run_load(url, connections, seconds, ["same", "0", "0", "0", path, proof])


def _connected(web: Web, organization: Organization, app: str) -> str:
    """The path of a request through a connection to the app, whose connector is imported."""
    id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    get = {"operationId": "getBoat", "parameters": [id], "responses": {"200": {"description": ""}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Boat Yard", "version": "1"},
        "servers": [{"url": app}],
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
        },
        "paths": {"/boats/{id}": {"get": get}},
    }
    connector = _ask(web, organization, "/connectors", {"document": document})
    [name] = connector["options"][0]["inputSchema"]["properties"]
    wanted = {"connectorKey": connector["key"], "input": {name: "bench"}}
    connection = _ask(web, organization, "/connections", wanted)
    return f"/connections/{connection['id']}/proxy/boats/1"


def _ask(web: Web, organization: Organization, path: str, body: Any) -> Any:
    proof = {"Authorization": f"Bearer {organization.key}"}
    request = urllib.request.Request(f"{web.url}{path}", json.dumps(body).encode(), proof)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise SystemExit(f"bench: POST {path} was answered: {refused.read().decode()}") from None


def _added(connections: int, pairs: list[tuple[Load, Load, float, float]]) -> Added:
    ours, direct, python, postgres = zip(*pairs, strict=True)
    added = [via.p50 - straight.p50 for via, straight, _, _ in pairs]
    return Added(
        connections,
        median(one.per_second for one in ours),
        median(one.p50 for one in ours),
        median(one.p95 for one in ours),
        median(python),
        median(postgres),
        median(one.per_second for one in direct),
        median(one.p50 for one in direct),
        median(added),
        min(added),
        max(added),
    )
