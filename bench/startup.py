"""How long `membrane --help` takes from cold, beside an interpreter that does nothing.

Both begin a new process for each run and take turns, so that a busy machine slows them alike.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.benchmark import Goal
from clinch.server.handouts import command_line

GOAL = Goal("ratio", 2.5, at_most=True)
PAIRS = 40
_WARM = 3


@dataclass(frozen=True, slots=True)
class Startup:
    """Medians of the pairs, in milliseconds; `ratio` is the median of the pairs' own ratios."""

    ours: float
    python: float
    ratio: float


def measure_startup() -> dict[str, Startup]:
    """What starting takes of each form in which the command is had."""
    installed = Path(sys.executable).with_name("membrane")
    with tempfile.TemporaryDirectory(prefix="clinch-bench-") as folder:
        handed_out = Path(folder) / "membrane"
        handed_out.write_bytes(command_line("http://127.0.0.1:8080"))
        return {
            "membrane, installed": _beside_python([sys.executable, str(installed)]),
            "membrane, as /cli hands it out": _beside_python([sys.executable, str(handed_out)]),
        }


def _beside_python(command: list[str]) -> Startup:
    nothing = [sys.executable, "-c", "pass"]
    ours, python = [], []
    for number in range(_WARM + PAIRS):
        # Neither of the two always runs first.
        if number % 2:
            second, first = _seconds(nothing), _seconds([*command, "--help"])
        else:
            first, second = _seconds([*command, "--help"]), _seconds(nothing)
        if number >= _WARM:
            ours.append(first * 1000)
            python.append(second * 1000)
    ratios = [one / other for one, other in zip(ours, python, strict=True)]
    return Startup(median(ours), median(python), median(ratios))


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
