"""What became of programs."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """What became of *attempted* programs: *failed* has, by program, why one failed."""

    attempted: int
    failed: dict[str, str]

    @property
    def succeeded(self) -> int:
        """How many programs did not fail."""
        return self.attempted - len(self.failed)


class Cell(NamedTuple):
    """One archive and one compiler or client: what it can use of a mount, and of an extraction."""

    mounted: Outcome
    extracted: Outcome


class Row(NamedTuple):
    """One archive: the *release* of its kernel, the *target* of its programs, and its cells.

    *loaded* has, by compiler, what the running kernel takes of the programs that were compiled
    against the mount; it is empty where the kernel is of another architecture.
    """

    release: str
    target: str
    cells: dict[str, Cell]
    loaded: dict[str, Outcome]
