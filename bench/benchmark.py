"""What a benchmark is, and how one is measured: ours and the reference, alternating."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from bench.cpu import cluster_seconds, process_seconds
from bench.installation import Organization, Web
from bench.load import run_load
from bench.reference import run_reference, script

CONNECTIONS = (1, 8)


@dataclass(frozen=True, slots=True)
class Site:
    """Where it is measured: the database's URL and parent process, the web process, the tenant."""

    database_url: str
    postmaster: int
    web: Web
    organization: Organization


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that a figure must reach, or must not pass."""

    figure: str
    value: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.value if self.at_most else value >= self.value

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A request, made by `requests.lua` from `load`, and the SQL that does the same.

    `answer` is the reference that reads what another wrote. `variables` are pgbench's; `goals`
    hold at eight connections. Both functions are told how many runs there were before, so that no
    two make the same.
    """

    name: str
    title: str
    reference: str
    answer: str | None
    load: Callable[[Site, int], list[str]]
    variables: Callable[[Site, int], Mapping[str, str | int]]
    request: Callable[[Site], tuple[str, str, bytes]]
    most_statements: int
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One pair of runs: requests a second, milliseconds, and CPU microseconds a request."""

    ours: float
    reference: float
    p50: float
    p95: float
    python_us: float
    postgres_us: float
    reference_us: float

    @property
    def ratio(self) -> float:
        return self.ours / self.reference


@dataclass(frozen=True, slots=True)
class Figures:
    """The medians of the pairs at so many connections, and the lowest and highest ratio.

    `spread` is how many times as much CPU the reference took in one run as in another: what the
    machine does to all that is not a ratio.
    """

    connections: int
    run: Run
    ratio: float
    lowest: float
    highest: float
    spread: float


def measure(
    benchmark: Benchmark, site: Site, connections: int, pairs: int, seconds: int
) -> Figures:
    """Run the pairs, after a short one that warms caches and is not counted."""
    _pair(benchmark, site, connections, 1, 0)
    runs = [_pair(benchmark, site, connections, seconds, n) for n in range(1, pairs + 1)]
    ratios = [run.ratio for run in runs]
    middle = Run(*(median(getattr(run, name) for run in runs) for name in Run.__slots__))
    pace = [run.reference_us for run in runs]
    spread = max(pace) / min(pace)
    return Figures(connections, middle, median(ratios), min(ratios), max(ratios), spread)


_runs = 0


def _pair(benchmark: Benchmark, site: Site, connections: int, seconds: int, number: int) -> Run:
    global _runs
    _runs += 1
    # Neither of the two always runs first.
    if number % 2:
        reference, reference_us = _reference(benchmark, site, connections, seconds)
    web, cluster = process_seconds(site.web.pid), cluster_seconds(site.postmaster)
    load = run_load(site.web.url, connections, seconds, benchmark.load(site, _runs))
    python = process_seconds(site.web.pid) - web
    postgres = cluster_seconds(site.postmaster) - cluster
    if not number % 2:
        reference, reference_us = _reference(benchmark, site, connections, seconds)
    return Run(
        load.per_second,
        reference,
        load.p50,
        load.p95,
        python / load.requests * 1e6,
        postgres / load.requests * 1e6,
        reference_us,
    )


def _reference(
    benchmark: Benchmark, site: Site, connections: int, seconds: int
) -> tuple[float, float]:
    """Transactions a second, and PostgreSQL's CPU microseconds for one."""
    cluster = cluster_seconds(site.postmaster)
    per_second, transactions = run_reference(
        site.database_url,
        script(benchmark.reference, benchmark.answer, site.organization),
        benchmark.variables(site, _runs),
        connections,
        seconds,
    )
    return per_second, (cluster_seconds(site.postmaster) - cluster) / transactions * 1e6
