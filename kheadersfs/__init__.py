"""Kernel headers as a read-only file system, straight from their compressed archive.

import kheadersfs

with kheadersfs.mounted("/sys/kernel/kheaders.tar.xz") as path:
    ...  # build against path

with kheadersfs.open_archive("kheaders.tar.xz") as archive:
    for entry in archive:
        print(entry.path, entry.size)
    text = archive.read("include/linux/sched.h")
"""

from __future__ import annotations

from kheadersfs._version import __version__

TYPE_CHECKING = False  # as in the module typing, which takes milliseconds to import
if TYPE_CHECKING:
    from typing import Any

    from kheadersfs.api import Entry, HeaderArchive, KheadersfsError, mounted, open_archive

__all__ = [
    "Entry",
    "HeaderArchive",
    "KheadersfsError",
    "__version__",
    "mounted",
    "open_archive",
]


def __getattr__(name: str) -> Any:
    """Import what is public when it is first used: the commands start faster without it."""
    from importlib import import_module

    if name in __all__:
        return getattr(import_module("kheadersfs.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
