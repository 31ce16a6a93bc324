"""The one table: figures, and beside each goal whether it is met."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.benchmark import Benchmark, Figures, Goal
from bench.intent import GOALS as INTENT_GOALS
from bench.memory import GOAL_MIB
from bench.proxy import GOAL as PROXY_GOAL
from bench.proxy import Added
from bench.ranking import Ranking
from bench.sizes import GOALS as SIZE_GOALS
from bench.startup import GOAL as STARTUP_GOAL
from bench.startup import Startup

_HEAD = (
    *("", "conns", "req/s", "p50 ms", "p95 ms", "py us", "pg us", "ref tx/s", "ref pg us"),
    *("ratio", "range"),
)
_INTENT_HEAD = ("", "asked", "R@1", "R@3", "R@5", "nDCG@10", "p50 cpu ms", "p95 cpu ms")
_PROXY_HEAD = (
    *("", "conns", "req/s", "p50 ms", "p95 ms", "py us", "pg us", "app req/s", "app p50 ms"),
    *("added ms", "range"),
)

# Waking up on a core that somebody else holds costs more than any query here.
QUIET = 0.05


@dataclass
class Results:
    """Everything that was measured."""

    figures: list[tuple[Benchmark, Figures]] = field(default_factory=list)
    statements: dict[str, int] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    intent: dict[str, Ranking] = field(default_factory=dict)
    startup: dict[str, Startup] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)
    proxy: list[Added] = field(default_factory=list)
    others: float | None = None
    """The share of the machine that other programs had meanwhile."""

    def at_eight(self) -> dict[str, tuple[Benchmark, Figures]]:
        return {b.name: (b, figures) for b, figures in self.figures if figures.connections == 8}

    def goals(self) -> Iterable[tuple[str, Goal, float]]:
        """Each goal in words, and the figure that it is about."""
        eight = self.at_eight()
        for benchmark, figures in eight.values():
            for goal in benchmark.goals:
                value = self._value(goal.figure, figures, eight)
                if value is not None:
                    yield f"{benchmark.title}: {_WORDS[goal.figure]}", goal, value
            if benchmark.name in self.statements:
                most = Goal("statements", benchmark.most_statements, at_most=True)
                value = self.statements[benchmark.name]
                yield f"{benchmark.title}: statements beside begin and commit", most, value
        for title, goal in INTENT_GOALS:
            if title in self.intent:
                value = getattr(self.intent[title], goal.figure)
                yield f"search by intent, {title}: {_WORDS[goal.figure]}", goal, value
        for title, startup in self.startup.items():
            times = f"{startup.ours:.0f} over {startup.python:.0f} ms"
            yield f"{title}: help over python -c pass ({times})", STARTUP_GOAL, startup.ratio
        for title, goal in SIZE_GOALS:
            if title in self.sizes:
                yield f"{title}: {goal.figure}", goal, self.sizes[title]
        for added in self.proxy:
            if added.connections == 1:
                words = "through the gateway, 1 connection: ms added to the app's p50"
                yield words, PROXY_GOAL, added.added
        if self.memory:
            most = Goal("memory", GOAL_MIB, at_most=True)
            parts = ", ".join(f"{kind} {mib:.0f}" for kind, mib in self.memory.items())
            yield f"memory at rest, MiB ({parts})", most, sum(self.memory.values())

    def _value(
        self, figure: str, figures: Figures, eight: dict[str, tuple[Benchmark, Figures]]
    ) -> float | None:
        if figure == "ratio":
            return figures.ratio
        if figure == "times_all_fields":
            return figures.run.ours / eight["list"][1].run.ours if "list" in eight else None
        value: float = getattr(figures.run, figure)
        return value

    def text(self) -> str:
        lines = []
        if self.figures:
            lines += _aligned(_HEAD, [_row(*measured) for measured in self.figures])
        if self.intent:
            lines += ["", "Search by intent:"] if lines else []
            lines += _aligned(_INTENT_HEAD, [_ranking(*ranked) for ranked in self.intent.items()])
        if self.proxy:
            lines += [""] if lines else []
            lines += _aligned(_PROXY_HEAD, [_through(added) for added in self.proxy])
        goals = [
            f"  {verdict(goal, value):6}  {_number(value):>6}  {goal!s:>7}  {words}"
            for words, goal, value in self.goals()
        ]
        lines += ["", "Goals (at 8 connections):", *goals]
        if self.others is not None:
            quiet = "" if self.others < QUIET else ": measure again when they rest"
            lines += ["", f"Other programs had {self.others:.0%} of the CPUs meanwhile{quiet}."]
        if self.figures:
            spread = max(figures.spread for _, figures in self.figures)
            lines.append(
                f"The reference took up to {spread:.2f} times the CPU time of another run of it: so"
                " may all that is not a ratio."
            )
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "figures": [
                {
                    "benchmark": benchmark.name,
                    "connections": figures.connections,
                    **{name: getattr(figures.run, name) for name in figures.run.__slots__},
                    "ratio": figures.ratio,
                    "ratio_range": [figures.lowest, figures.highest],
                    "reference_spread": figures.spread,
                }
                for benchmark, figures in self.figures
            ],
            "statements": self.statements,
            "memory_mib": self.memory,
            "proxy": [asdict(added) for added in self.proxy],
            "intent": {title: asdict(ranking) for title, ranking in self.intent.items()},
            "startup": {title: asdict(startup) for title, startup in self.startup.items()},
            "sizes": self.sizes,
            "other_programs": self.others,
            "goals": [
                {"goal": f"{words} {goal}", "value": value, "met": goal.met(value)}
                for words, goal, value in self.goals()
            ],
        }


def verdict(goal: Goal, value: float) -> str:
    return "met" if goal.met(value) else "MISSED"


_WORDS = {
    "ratio": "requests/s over the reference's",
    "python_us": "CPU us a request in Python",
    "times_all_fields": "times the pages of all fields",
    "r3": "R@3",
    "p95": "CPU ms a query, p95",
}


def _row(benchmark: Benchmark, figures: Figures) -> tuple[str, ...]:
    run = figures.run
    return (
        benchmark.title,
        str(figures.connections),
        f"{run.ours:,.0f}",
        f"{run.p50:.2f}",
        f"{run.p95:.2f}",
        f"{run.python_us:.0f}",
        f"{run.postgres_us:.0f}",
        f"{run.reference:,.0f}",
        f"{run.reference_us:.0f}",
        f"{figures.ratio:.2f}",
        f"{figures.lowest:.2f}-{figures.highest:.2f}",
    )


def _through(added: Added) -> tuple[str, ...]:
    return (
        "through the gateway",
        str(added.connections),
        f"{added.per_second:,.0f}",
        f"{added.p50:.2f}",
        f"{added.p95:.2f}",
        f"{added.python_us:.0f}",
        f"{added.postgres_us:.0f}",
        f"{added.direct_per_second:,.0f}",
        f"{added.direct_p50:.2f}",
        f"{added.added:.2f}",
        f"{added.lowest:.2f}-{added.highest:.2f}",
    )


def _ranking(title: str, ranking: Ranking) -> tuple[str, ...]:
    shares = (ranking.r1, ranking.r3, ranking.r5, ranking.ndcg10)
    return (
        title,
        str(ranking.questions),
        *(f"{share:.3f}" for share in shares),
        f"{ranking.p50:.2f}",
        f"{ranking.p95:.2f}",
    )


def _aligned(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 and value != int(value) else f"{value:.0f}"
