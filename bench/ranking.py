"""How good answers in an order are, and how long they take."""

import math
import time
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from statistics import mean, median, quantiles

Search = Callable[[str], Sequence[str]]
"""The ids that a text finds, best first, ten at least where there are so many."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Means over the questions: the share of the right answers among the first 1, 3 and 5, nDCG
    of the first ten, and the milliseconds of a question, of the CPU: what others do on the
    machine would be most of the rest."""

    questions: int
    r1: float
    r3: float
    r5: float
    ndcg10: float
    p50: float
    p95: float


def rank(search: Search, questions: Iterable[tuple[str, Set[str]]]) -> Ranking:
    answers = []
    milliseconds = []
    for text, right in questions:
        began = time.thread_time()
        found = search(text)
        milliseconds.append((time.thread_time() - began) * 1e3)
        answers.append((found, right))
    return Ranking(
        questions=len(answers),
        r1=_share(answers, 1),
        r3=_share(answers, 3),
        r5=_share(answers, 5),
        ndcg10=mean(_ndcg(found[:10], right) for found, right in answers),
        p50=median(milliseconds),
        p95=quantiles(milliseconds, n=20)[-1],
    )


def _share(answers: Sequence[tuple[Sequence[str], Set[str]]], within: int) -> float:
    return mean(len(right & set(found[:within])) / len(right) for found, right in answers)


def _ndcg(found: Sequence[str], right: Set[str]) -> float:
    gain = sum(1 / math.log2(at + 2) for at, id in enumerate(found) if id in right)
    return gain / sum(1 / math.log2(at + 2) for at in range(min(10, len(right))))
