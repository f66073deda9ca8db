"""How commands turn archives into another: read without rights, written to a file that is open."""

from __future__ import annotations

import os
import tempfile
from typing import IO, TYPE_CHECKING

from kheadersfs.cli.reading import read_confined, report_notes
from kheadersfs.limits import DEFAULT_LIMITS
from kheadersfs.pack.output import complete_file, not_written

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from kheadersfs.reader import HeaderArchive

PACKING = 1 << 30
"""Bytes that packing an archive anew may take: texts, and what compressing blocks needs.

Whoever allows archives several times as large allows it as many times that.
"""


def open_spool(path: str) -> IO[bytes]:
    """Return an empty file without a name, for what waits until it is written to *path*.

    It is where *path* will be: there is room for what the archive has in it, before it is
    compressed. Raises KheadersfsError.
    """
    try:
        return tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path)), buffering=0)
    except OSError as error:
        raise not_written(path, error) from error


def write_confined(
    archives: list[HeaderArchive], path: str, write: Callable[[BinaryIO], None]
) -> None:
    """Call *write*, which reads *archives*, in a child without rights, with a file to write to.

    The file appears as *path* when it is complete. Raises the KheadersfsError that *write* raises,
    also for a disk that is full.
    """
    with complete_file(path) as file:

        def write_all() -> None:
            try:
                write(file)
                file.flush()
            except OSError as error:
                raise not_written(path, error) from error
            report_notes(archives)

        times = max(1, archives[0].archive.limits.total // DEFAULT_LIMITS.total)
        read_confined(archives, write_all, PACKING * times)
