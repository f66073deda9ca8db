"""Settings of fetching, from the environment, and the Python packages that it needs."""

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
"""Bytes. A build reads 0.8 MB of a kernel's archive, which has 4 MB in all."""
LARGEST_WHOLE = 64 << 20
"""Bytes of a file that is not packed in blocks, and so is fetched as a whole and held in memory."""


def require_libraries(place: str) -> None:
    """Raise ArchiveUnavailable when a Python package that fetching *place* needs is missing."""
    needed = ["httpcore", "trio"]
    if place.lower().startswith("s3:"):
        needed.append("obstore")
    if missing := [name for name in needed if find_spec(name) is None]:
        raise ArchiveUnavailable(
            f"{shown(place)}: is an address, and the Python package {missing[0]} is not installed: "
            "pip install 'kheadersfs[remote]'"
        )


def cache_directory() -> str:
    """Return the directory of the cache: $KHEADERSFS_CACHE, or the default of this user."""
    named = os.environ.get(DIRECTORY, "")
    if os.path.isabs(named):
        return named
    return os.path.join(default_cache_directory(os.environ), "remote")


def patience() -> float:
    """Return the seconds in which a server has to answer. Raises UsageError for no number."""
    return _number(PATIENCE, protocol.PATIENCE)


def cache_size() -> int:
    """Return the bytes that the cache may take on disk. Raises UsageError for no number."""
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
