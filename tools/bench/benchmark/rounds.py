"""Interleaved rounds: everybody once, in an order that changes, then everybody again.

What disturbs the machine for a while then disturbs all alike, and nobody always runs after the same
neighbour. A contender that fails is left out of the rounds that follow.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from benchmark.contenders import BASELINE, Absentee, Contender
from benchmark.errors import Failed
from benchmark.report import show_progress
from benchmark.ways import PrivateRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Sample = TypeVar("Sample")

SLOW = 10.0
"""Seconds that one measurement may take; who takes longer is measured in fewer rounds."""
SLOW_ROUNDS = 3


class Outcome(NamedTuple, Generic[Sample]):
    """The samples of one contender, in the order of the rounds."""

    contender: Contender
    samples: list[Sample]


def measure_rounds(
    contenders: Sequence[Contender],
    count: int,
    measure: Callable[[Contender], Sample],
    seconds: Callable[[Sample], float],
) -> tuple[list[Outcome[Sample]], list[Absentee]]:
    """Call *measure* for each of *contenders* *count* times, and once before that to warm up.

    *seconds* tells how long a sample took. Returns the outcomes, in the order of *contenders*, and
    who failed.
    """
    samples: dict[str, list[Sample]] = {contender.key: [] for contender in contenders}
    failures: list[Absentee] = []
    slow: set[str] = set()
    order = list(contenders)
    for number in range(count + 1):
        random.Random(number).shuffle(order)
        for contender in list(order):
            if contender.key in slow and number > SLOW_ROUNDS:
                continue
            show_progress(f"round {number} of {count}: {contender.title}")
            try:
                sample = measure(contender)
            except Failed as error:
                abandon(contender)
                if contender.key == BASELINE:
                    raise
                failures.append(Absentee(contender.key, str(error)))
                order.remove(contender)
                del samples[contender.key]
                continue
            if seconds(sample) > SLOW:
                slow.add(contender.key)
            if number:
                samples[contender.key].append(sample)
    show_progress("")
    outcomes = [
        Outcome(contender, samples[contender.key])
        for contender in contenders
        if contender.key in samples
    ]
    return outcomes, failures


def abandon(contender: Contender) -> None:
    """Leave nothing behind of a contender that failed."""
    if not isinstance(contender.way, PrivateRun):
        contender.way.abandon()
