"""What a case of the hostile corpus is, and what most of them are made of."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tests.attacks.forging import END, tar_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

GOOD_NAME, GOOD_CONTENT = b"good.h", b"#define GOOD 1\n"
GOOD = tar_file(GOOD_NAME, GOOD_CONTENT)
GOOD_FILES = {GOOD_NAME: GOOD_CONTENT}
ESCAPED = b"kheadersfs-escaped"
"""The name that appears in /tmp, or beside the mountpoint, if a path leads out of the tree."""
DONE, UNAVAILABLE, UNSUPPORTED, DAMAGED, REFUSED = 0, 11, 12, 13, 14
MEBIBYTE, TEBIBYTE = 1 << 20, 1 << 40


class Case(NamedTuple):
    """One archive.

    ``status`` is what verify returns for it, and mount if it can know; ``says`` a regular
    expression for the message, in the log for members that were refused by name. ``files`` are
    all files that the mount then has, ``links`` all symlinks. ``size`` makes the file on the disk
    that large, with a hole at its end. ``behind_end`` tells that what is wrong lies where verify
    looks and a mount has no reason to.
    """

    name: str
    make: Callable[[], bytes | Iterator[bytes]]
    status: int = DONE
    says: str = ""
    files: Mapping[bytes, bytes] = GOOD_FILES
    links: Mapping[bytes, bytes] = MappingProxyType({})
    size: int = 0
    behind_end: bool = False


def tar(*members: bytes) -> bytes:
    return b"".join(members) + END


def refused(name: str, member: bytes, why: str) -> Case:
    """A member that is left out by name, between two good ones."""
    after = tar_file(b"after.h", b"after\n")
    files = {**GOOD_FILES, b"after.h": b"after\n"}
    return Case(name, lambda: tar(GOOD, member, after), says=why, files=files)
