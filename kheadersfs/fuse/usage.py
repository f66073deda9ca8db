"""Count how a mount is used: which requests come, and which files are opened."""

from __future__ import annotations

from time import monotonic


class Requests:
    """How many requests of each kind have come."""

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
    """What the kernel has asked for since the mount was made.

    ``open_files`` is how many files are open. It is None once the kernel opens files without
    asking, because it then reports no close either, not even of a file opened before. ``opened``
    has as keys the inode numbers that were opened until then, in the order of their first opening.
    """

    __slots__ = ("last_close", "open_files", "opened", "requests")

    def __init__(self) -> None:
        self.requests = Requests()
        self.open_files: int | None = 0
        self.last_close = monotonic()
        """Monotonic time in seconds of the last close; before the first one, of the mount."""
        self.opened: dict[int, None] = {}

    def note_open(self) -> None:
        """Count an opened file."""
        if self.open_files is not None:
            self.open_files += 1

    def note_close(self) -> None:
        """Count a closed file."""
        if self.open_files is not None:
            self.open_files -= 1
        self.last_close = monotonic()
