"""What can go wrong while measuring."""

from __future__ import annotations


class BenchError(Exception):
    """The measurement cannot be made as asked; the message says why."""


class Unavailable(BenchError):
    """A contender cannot take part on this machine; the message says why."""


class Failed(BenchError):
    """A contender did not do its work; the message says what it printed."""
