"""One package, opened: the archive in it, and what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive.opening import Archive
from kheadersfs.archive.sniffing import DEB_MAGIC, RPM_MAGIC
from kheadersfs.archive.source import open_source
from kheadersfs.errors import UnsupportedArchive
from kheadersfs.limits import DEFAULT_LIMITS, Limits
from kheadersfs.packages import deb, rpm
from kheadersfs.packages.recognition import LONGEST_MAGIC
from kheadersfs.reader import HeaderArchive

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.source import Source
    from kheadersfs.packages.facts import Facts

_BUDGET = 8 << 20
"""Bytes of decoded content to hold: it is read in the order in which it lies there."""


class Package:
    """A package. Nothing in it was decompressed when it is opened, only its framing is known."""

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        """Look at the framing. Raises DamagedArchive, UnsupportedArchive, RefusedArchive."""
        self.source = source
        self._control: HeaderArchive | None = None
        self._check: Callable[[], None] | None = None
        self._read_facts: Callable[[], Facts]
        head = source.read_at(0, min(LONGEST_MAGIC, source.size))
        if head.startswith(DEB_MAGIC):
            parts = deb.parts(source)
            control = HeaderArchive(Archive(parts[deb.CONTROL], limits), _BUDGET)
            self._control = control
            self._read_facts = lambda: deb.read_facts(control)
            payload: Source = parts[deb.DATA]
        elif head.startswith(RPM_MAGIC):
            opened = rpm.open_rpm(source)
            self._read_facts = lambda: rpm.read_facts(opened.header)
            self._check = opened.check_payload
            payload = opened.payload
        else:
            raise UnsupportedArchive(
                f"{source.name}: is no package; give a .deb or an .rpm of kernel headers"
            )
        self.content = HeaderArchive(Archive(payload, limits), _BUDGET)

    @property
    def name(self) -> str:
        """What the package's file is called, for messages."""
        return self.source.name

    def prepare(self) -> None:
        """Import whatever reading takes. Raises KheadersfsError."""
        self.content.prepare()
        if self._control is not None:
            self._control.prepare()

    def facts(self) -> Facts:
        """Return what the package says of itself, which may be anything. Raises DamagedArchive."""
        return self._read_facts()

    def require_sound(self) -> None:
        """Raise DamagedArchive if there is a sum of the content that it does not have."""
        if self._check is not None:
            self._check()

    def close(self) -> None:
        """Close the file."""
        self.source.close()


def open_package(path: str, limits: Limits = DEFAULT_LIMITS) -> Package:
    """Open the package at *path*.

    Raises ArchiveUnavailable, UnsupportedArchive, DamagedArchive, RefusedArchive.
    """
    source = open_source(path)
    try:
        return Package(source, limits)
    except BaseException:
        source.close()
        raise
