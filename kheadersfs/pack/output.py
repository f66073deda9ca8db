"""A file that appears under its name when it is complete, and not at all otherwise."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError, UsageError, reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def complete_file(path: str) -> Iterator[BinaryIO]:
    """Yield a new file to write to, which replaces *path* when the block ends without an error.

    Until then it lies beside *path* under another name, and it is removed on any error. Raises
    KheadersfsError, also for errors of writing inside the block; UsageError when *path* is
    something that must not be replaced.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"{path}: is not a file; name one to write the archive to")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise KheadersfsError(f"{path}: cannot be written: {reason(error)}") from error
    try:
        directory, name = os.path.split(os.path.abspath(path))
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o666 & ~_umask())
                yield file
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise KheadersfsError(
            f"{path}: cannot be written: {reason(error)}; what was there is unchanged"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
