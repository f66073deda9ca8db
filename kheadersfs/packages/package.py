"""An open package: the archive in it, and what it says of itself."""

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
"""Bytes of decoded blocks to hold. They are few because files are read in the archive's order."""


class Package:
    """A package in *source*, which close() closes. Opening it decompresses nothing."""

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        """Read the framing. Raises DamagedArchive, UnsupportedArchive, RefusedArchive."""
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
        """The name of the package's file, for messages."""
        return self.source.name

    def prepare(self) -> None:
        """Import whatever reading needs, for a process that cannot import later.

        Raises KheadersfsError when a library is not installed.
        """
        self.content.prepare()
        if self._control is not None:
            self._control.prepare()

    def facts(self) -> Facts:
        """Return what the package says of itself, which need not be true. Raises DamagedArchive."""
        return self._read_facts()

    def require_sound(self) -> None:
        """Raise DamagedArchive if the package has a checksum of its content that is not right."""
        if self._check is not None:
            self._check()

    def close(self) -> None:
        """Close the file."""
        self.source.close()


def open_package(path: str, limits: Limits = DEFAULT_LIMITS) -> Package:
    """Open the package in the file *path*.

    Raises ArchiveUnavailable, UnsupportedArchive, DamagedArchive, RefusedArchive.
    """
    source = open_source(path)
    try:
        return Package(source, limits)
    except BaseException:
        source.close()
        raise
