"""Medians and their spread."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Summary(NamedTuple):
    """The median of the samples of ``rounds`` rounds, and the quartiles ``low`` and ``high``."""

    median: float
    low: float
    high: float
    rounds: int

    def scaled(self, factor: float) -> Summary:
        """Return the summary of the samples multiplied by *factor*."""
        return Summary(self.median * factor, self.low * factor, self.high * factor, self.rounds)


def summarise(samples: Sequence[float]) -> Summary:
    """Return the summary of *samples*, at least one."""
    if len(samples) == 1:
        return Summary(samples[0], samples[0], samples[0], 1)
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Summary(median, low, high, len(samples))


class Sample(Protocol):
    """A named tuple of numbers; None is a number that was not measured."""

    def _asdict(self) -> dict[str, Any]: ...


def summarise_fields(samples: Sequence[Sample]) -> dict[str, Summary]:
    """Return the summary of each field of *samples*, at least one.

    A field that was measured in some only is summarised from these, and left out if in none.
    """
    columns: dict[str, list[float]] = {}
    for sample in samples:
        for name, value in sample._asdict().items():
            if value is not None:
                columns.setdefault(name, []).append(value)
    return {name: summarise(values) for name, values in columns.items()}


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that *share* (0 to 1) of the *ordered* samples do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def growth(smallest: float, value: float) -> str:
    """Return how many times *smallest* *value* is, for people."""
    return f"x{value / smallest:.1f}" if smallest > 0 else ""
