"""What the environment says of fetching, and what has to be installed for it."""

from __future__ import annotations

import os
from importlib.util import find_spec

from kheadersfs.errors import ArchiveUnavailable, UsageError
from kheadersfs.kernel.cache import default_cache_directory
from kheadersfs.remote import protocol
from kheadersfs.remote.address import shown

DIRECTORY = "KHEADERSFS_CACHE"
PATIENCE = "KHEADERSFS_TIMEOUT"
CACHE_SIZE = "KHEADERSFS_CACHE_SIZE"
DEFAULT_CACHE_SIZE = 1 << 30
"""Bytes. A build takes 0.8 MB of a kernel's archive, and all of it 4 MB."""
LARGEST_WHOLE = 64 << 20
"""Bytes of a file that is fetched as a whole, because it is not in blocks: held in memory once."""


def require_libraries(place: str) -> None:
    """Raise ArchiveUnavailable when what fetches *place* is not installed."""
    needed = ["httpcore", "trio"]
    if place.lower().startswith("s3:"):
        needed.append("obstore")
    if missing := [name for name in needed if find_spec(name) is None]:
        raise ArchiveUnavailable(
            f"{shown(place)}: is an address, and the Python package {missing[0]} is not installed: "
            "pip install 'kheadersfs[remote]'"
        )


def cache_directory() -> str:
    """Return where what was fetched is kept, root's for the machine and a user's for himself."""
    named = os.environ.get(DIRECTORY, "")
    if os.path.isabs(named):
        return named
    return os.path.join(default_cache_directory(os.environ), "remote")


def patience() -> float:
    """Return the seconds in which a server has to answer. Raises UsageError."""
    return _number(PATIENCE, protocol.PATIENCE)


def cache_size() -> int:
    """Return how many bytes may be kept. Raises UsageError."""
    return int(_number(CACHE_SIZE, DEFAULT_CACHE_SIZE))


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 1 << 60:
        raise UsageError(f"{name}={text}: give a number above zero, or unset it")
    return value
