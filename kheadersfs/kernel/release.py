"""Which kernel runs here, which kernel a set of headers belongs to, and whether they agree."""

from __future__ import annotations

import os

from kheadersfs.errors import RefusedArchive
from kheadersfs.kernel.architectures import arch_of_machine, arch_of_symbol
from kheadersfs.records import Record

RELEASE_HEADER = "include/generated/utsrelease.h"
CONFIGURATION_HEADER = "include/generated/autoconf.h"
LARGEST_DESCRIPTION = 1 << 20
"""Bytes that either of the two headers may have. A larger one is not read, to save memory."""


class Kernel(Record):
    """A kernel as far as its headers are concerned: what ``uname -r`` prints, and its arch."""

    release: str
    arch: str

    def __str__(self) -> str:
        return f"{self.release} ({self.arch})"


def running_kernel() -> Kernel:
    """Return the kernel that this process runs on."""
    uname = os.uname()
    return Kernel(uname.release, arch_of_machine(uname.machine))


def headers_release(utsrelease: bytes) -> str | None:
    """Return the release that *utsrelease*, the text of ``RELEASE_HEADER``, defines, if any.

    What is no release, such as one with characters that do something to a terminal, does not count.
    """
    for line in utsrelease.splitlines():
        words = line.split(maxsplit=2)
        if words[:2] == [b"#define", b"UTS_RELEASE"] and len(words) == 3:
            release = words[2].strip().strip(b'"').decode("ascii", "replace")
            return release if release.isprintable() and " " not in release else None
    return None


def headers_arch(autoconf: bytes) -> str | None:
    """Return the architecture that *autoconf* was configured for, if it is one we know.

    *autoconf* is the text of ``CONFIGURATION_HEADER``, or of ``include/config/auto.conf``,
    which says the same in the syntax of make.
    """
    for line in autoconf.splitlines():
        if line.startswith(b"#define "):
            symbol, _, value = line[len(b"#define ") :].partition(b" ")
        else:
            symbol, _, value = line.partition(b"=")
        if value.strip() in (b"1", b"y") and (arch := arch_of_symbol(symbol)):
            return arch
    return None


def require_same_kernel(
    archive: str, release: str | None, arch: str | None, running: Kernel
) -> None:
    """Raise RefusedArchive unless the headers of *archive* are those of the *running* kernel.

    *release* and *arch* are what the headers say of themselves; None means that they do not.
    """
    if (release, arch) == running:
        return
    raise RefusedArchive(
        f"{archive} has the headers of {release or 'an unnamed release'} "
        f"({arch or 'unknown architecture'}), but the running kernel is {running}: "
        "name a MOUNTPOINT of your own, or pass --any-release"
    )
