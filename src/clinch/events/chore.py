"""Chores: what the worker does by the clock, where followers go by the log."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinch.resources.store import Store


@dataclass(frozen=True, slots=True)
class Chore:
    """A name, the pause between two rounds, and a round.

    `round` gets the store and the time it is, does a bounded amount of work and says whether there
    may be more, for which there is no pause. It may be killed anywhere, and be done by two workers
    at once.
    """

    name: str
    pause: timedelta
    round: Callable[[Store, datetime], Awaitable[bool]]
