"""`python -m bench`: measure the program against SQL written by hand, and print one table.

FULL=1 in the environment takes 1,000,000 leads and longer runs.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench import create_lead, get_lead, list_leads
from bench.benchmark import CONNECTIONS, Benchmark, Site, measure
from bench.cpu import cluster_seconds, machine_seconds, own_seconds, process_seconds
from bench.installation import make_organization, postgres, web_process
from bench.intent import measure_intent
from bench.load import wrk
from bench.memory import at_rest
from bench.proxy import Added, measure_proxy, upstream
from bench.sizes import measure_sizes
from bench.startup import measure_startup
from bench.statements import count_statements
from bench.table import Results
from clinch.db.migrations import migrate

# Creating comes last: it adds rows to what the others read.
BENCHMARKS: tuple[Benchmark, ...] = (
    *get_lead.BENCHMARKS,
    *list_leads.BENCHMARKS,
    *create_lead.BENCHMARKS,
)
SMALL_ORGANIZATION = 1_000
SEED = 1


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    results = Results()
    chosen = [benchmark for benchmark in BENCHMARKS if benchmark.name in arguments.only]
    if chosen or "proxy" in arguments.only:
        wrk()
    if "intent" in arguments.only:
        with _step("search by intent"):
            results.intent = measure_intent()
    if "startup" in arguments.only:
        with _step("membrane --help"):
            results.startup = measure_startup()
    if "sizes" in arguments.only:
        with _step("sizes of answers"):
            results.sizes = measure_sizes()
    if "memory" in arguments.only:
        with _step("memory at rest"):
            results.memory = at_rest()
    if "proxy" in arguments.only:
        with _step("requests through the gateway"):
            results.proxy = _proxy(arguments)
    if chosen:
        _measure(chosen, arguments, results)
    print(json.dumps(results.document(), indent=2) if arguments.json else results.text())
    return 0


def _proxy(arguments: argparse.Namespace) -> list[Added]:
    with postgres() as server, upstream() as app:
        asyncio.run(migrate(server.url))
        organization = asyncio.run(make_organization(server.url, "Small", 1, SEED))
        with web_process(server.url, app) as web:
            return measure_proxy(
                web, server.pid, organization, app, arguments.pairs, arguments.seconds
            )


def _measure(chosen: list[Benchmark], arguments: argparse.Namespace, results: Results) -> None:
    with postgres() as server:
        with _step(f"{arguments.leads:,} leads"):
            asyncio.run(migrate(server.url))
            asyncio.run(make_organization(server.url, "Small", SMALL_ORGANIZATION, SEED + 1))
            large = asyncio.run(make_organization(server.url, "Large", arguments.leads, SEED))
        with web_process(server.url) as web:
            site = Site(server.url, server.pid, web, large)
            results.statements = asyncio.run(count_statements(site, chosen))
            began, others = time.monotonic(), _others(site)
            for benchmark in chosen:
                for connections in CONNECTIONS:
                    with _step(f"{benchmark.title}, {connections} connections"):
                        figures = measure(
                            benchmark, site, connections, arguments.pairs, arguments.seconds
                        )
                    results.figures.append((benchmark, figures))
            cores = (time.monotonic() - began) * (os.cpu_count() or 1)
            results.others = max(0.0, (_others(site) - others) / cores)


def _others(site: Site) -> float:
    """The CPU seconds of all that is not being measured and does not measure."""
    ours = process_seconds(site.web.pid) + cluster_seconds(site.postmaster) + own_seconds()
    return machine_seconds() - ours


@contextmanager
def _step(words: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"{words} …", end="", file=sys.stderr, flush=True)
    yield
    print(f" {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    full = os.environ.get("FULL", "") not in ("", "0")
    others = ["intent", "startup", "sizes", "memory", "proxy"]
    names = [*(benchmark.name for benchmark in BENCHMARKS), *others]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--leads", type=int, default=1_000_000 if full else 100_000)
    parser.add_argument("--seconds", type=int, default=10 if full else 2, help="of each run")
    parser.add_argument("--pairs", type=int, default=5, help="of runs, ours and the reference")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=names, help=",".join(names)
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
