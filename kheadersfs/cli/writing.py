"""Turn archives into another one, in a child without rights that writes to an open file."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple

from kheadersfs.cli.reading import report_notes
from kheadersfs.limits import DEFAULT_LIMITS
from kheadersfs.pack.output import complete_file, not_written
from kheadersfs.sandbox.confined import Confined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import BinaryIO

    from kheadersfs.limits import Limits
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

    def prepare() -> None:
        for archive in archives:
            archive.prepare()

    def write_and_report(file: BinaryIO) -> None:
        write(file)
        report_notes(archives)

    first = archives[0].archive
    write_in_child(first.source.name, prepare, path, write_and_report, first.limits)


def write_in_child(
    name: str,
    prepare: Callable[[], None],
    path: str,
    write: Callable[[BinaryIO], None],
    limits: Limits,
) -> None:
    """Call *write* in a child without rights, with a file that appears as *path* when complete.

    *prepare* imports what it needs; *name* is what it reads, for messages, and *limits* are those
    of that. Raises the KheadersfsError that *write* raises, also for a disk that is full.
    """
    with writing_in_child(name, prepare, path, write, limits) as writer:
        writer.child.result()


class Writer(NamedTuple):
    """A child that writes, and the descriptor of the file that it writes to."""

    child: Confined
    descriptor: int


@contextmanager
def writing_in_child(
    name: str,
    prepare: Callable[[], None],
    path: str,
    write: Callable[[BinaryIO], None],
    limits: Limits,
    others: Collection[int] = (),
) -> Iterator[Writer]:
    """Yield the child that does what write_in_child() says; in the block its result is waited for.

    *others* are the descriptors of files that other children write to at the same time, and this
    one must not. Raises KheadersfsError.
    """
    with complete_file(path) as file:

        def prepare_alone() -> None:
            for descriptor in others:
                os.close(descriptor)
            prepare()

        def write_all() -> bytes:
            try:
                write(file)
                file.flush()
            except OSError as error:
                raise not_written(path, error) from error
            return b""

        times = max(1, limits.total // DEFAULT_LIMITS.total)
        child = Confined(name, prepare_alone, write_all, PACKING * times)
        try:
            yield Writer(child, file.fileno())
        finally:
            child.end()
