"""The one table: figures, and beside each goal whether it is met."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.benchmark import Benchmark, Figures, Goal
from bench.memory import GOAL_MIB

_HEAD = (
    *("", "conns", "req/s", "p50 ms", "p95 ms", "py us", "pg us", "ref tx/s", "ref pg us"),
    *("ratio", "range"),
)

# Waking up on a core that somebody else holds costs more than any query here.
QUIET = 0.05


@dataclass
class Results:
    """Everything that was measured."""

    figures: list[tuple[Benchmark, Figures]] = field(default_factory=list)
    statements: dict[str, int] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
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
        rows = [_HEAD, *(_row(benchmark, figures) for benchmark, figures in self.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        goals = [
            f"  {verdict(goal, value):6}  {_number(value):>6}  {goal!s:>7}  {words}"
            for words, goal, value in self.goals()
        ]
        lines += ["", "Goals (at 8 connections):", *goals]
        if self.others is not None:
            quiet = "" if self.others < QUIET else ": measure again when they rest"
            lines += ["", f"Other programs had {self.others:.0%} of the CPUs meanwhile{quiet}."]
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
                }
                for benchmark, figures in self.figures
            ],
            "statements": self.statements,
            "memory_mib": self.memory,
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


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 and value != int(value) else f"{value:.0f}"
