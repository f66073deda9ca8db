"""How a mount is used: which requests come, and what is open."""

from __future__ import annotations

from time import monotonic


class Requests:
    """How many requests came, by kind."""

    __slots__ = ("access", "getattr", "lookup", "open", "read", "readdir", "readlink")

    def __init__(self) -> None:
        self.access = self.lookup = self.getattr = self.readlink = 0
        self.open = self.read = self.readdir = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Usage:
    """What has been asked for since this was made.

    ``opened`` are the inodes that were opened, in the order in which they first were.
    """

    __slots__ = ("last_close", "open_files", "opened", "requests")

    def __init__(self) -> None:
        self.requests = Requests()
        self.open_files = 0
        self.last_close = monotonic()
        """When a file was closed for the last time, or else when this was made."""
        self.opened: dict[int, None] = {}

    def note_close(self) -> None:
        """Take note that a file was closed."""
        self.open_files -= 1
        self.last_close = monotonic()
