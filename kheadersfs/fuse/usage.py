"""How a mount is used: which requests come, and what is open."""

from __future__ import annotations

from time import monotonic


class Requests:
    """How many requests came, by kind."""

    __slots__ = (
        *("access", "getattr", "lookup", "open", "opendir", "read", "readdir", "readlink"),
        *("release", "releasedir"),
    )

    def __init__(self) -> None:
        self.access = self.lookup = self.getattr = self.readlink = 0
        self.open = self.read = self.release = 0
        self.opendir = self.readdir = self.releasedir = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Usage:
    """What the kernel has asked for since this was made.

    ``open_files`` is None once the kernel opens files without asking. From then on it does not tell
    either when a file is closed, not even one that it asked for. ``opened`` are the inodes that
    were opened until then, in the order in which each first was.
    """

    __slots__ = ("last_close", "open_files", "opened", "requests")

    def __init__(self) -> None:
        self.requests = Requests()
        self.open_files: int | None = 0
        self.last_close = monotonic()
        """When a file was closed for the last time, or else when this was made."""
        self.opened: dict[int, None] = {}

    def note_open(self) -> None:
        """Take note that a file was opened."""
        if self.open_files is not None:
            self.open_files += 1

    def note_close(self) -> None:
        """Take note that a file was closed."""
        if self.open_files is not None:
            self.open_files -= 1
        self.last_close = monotonic()
