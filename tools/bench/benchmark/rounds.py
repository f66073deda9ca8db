"""Interleaved rounds: everybody once, in an order that changes, then everybody again.

What disturbs the machine for a while then disturbs all alike, and nobody always runs after the same
neighbour. A contender that fails is left out of the rounds that follow.
"""

from __future__ import annotations

import random
from time import perf_counter
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from benchmark.contenders import BASELINE, Absentee
from benchmark.errors import Failed
from benchmark.report import show_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BUDGET = 120.0
"""Seconds for all measurements of one participant; the slowest get fewer rounds than asked."""


class Participant(Protocol):
    """Something to measure: ``key`` names it in arguments and JSON, ``title`` to people."""

    @property
    def key(self) -> str: ...

    @property
    def title(self) -> str: ...

    def abandon(self) -> None:
        """After a failure: leave nothing running, nothing mounted, no files."""


AParticipant = TypeVar("AParticipant", bound=Participant)
Sample = TypeVar("Sample")


class Outcome(NamedTuple, Generic[AParticipant, Sample]):
    """The samples of one participant, in the order of the rounds."""

    participant: AParticipant
    samples: list[Sample]


def measure_rounds(
    participants: Sequence[AParticipant],
    rounds: int,
    measure: Callable[[AParticipant], Sample],
    budget: float = BUDGET,
) -> tuple[list[Outcome[AParticipant, Sample]], list[Absentee]]:
    """Call *measure* for each of *participants* in *rounds* rounds, and once before to warm up.

    Returns the outcomes, in the order of *participants*, and who failed. Who has used up *budget*,
    in seconds, is left out from then on; the warm-up counts when there is nothing else. An OSError
    of *measure* is a failure too: every file must be readable. Raises what the baseline does.
    """
    samples: dict[str, list[Sample]] = {each.key: [] for each in participants}
    spent = dict.fromkeys(samples, 0.0)
    failures: list[Absentee] = []
    order = list(participants)
    for number in range(rounds + 1):
        random.Random(number).shuffle(order)
        for participant in list(order):
            key = participant.key
            show_progress(f"round {number} of {rounds}: {participant.title}")
            began = perf_counter()
            try:
                sample = measure(participant)
            except (Failed, OSError) as error:
                participant.abandon()
                if key == BASELINE:
                    raise
                failures.append(Absentee(key, str(error)))
                order.remove(participant)
                del samples[key]
                continue
            spent[key] += perf_counter() - began
            exhausted = spent[key] > budget
            if number or exhausted:
                samples[key].append(sample)
            if exhausted:
                order.remove(participant)
    show_progress("")
    return [
        Outcome(each, samples[each.key]) for each in participants if each.key in samples
    ], failures
