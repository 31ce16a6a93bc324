"""Promises of the program, each attached to the test that holds the program to it.

`docs/promises.md` lists them; tests/mission/test_promises.py writes that page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Promise:
    """`part` is the heading that it stands under, `text` one sentence."""

    part: str
    text: str


def promise(part: str, text: str) -> Callable[[Test], Test]:
    """A decorator: this test shows that the promise is kept."""

    def attach(test: Test) -> Test:
        test.__dict__.setdefault("promises", []).append(Promise(part, text))
        return test

    return attach
