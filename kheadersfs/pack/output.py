"""A file that appears under its name when it is complete, and not at all otherwise."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from kheadersfs.errors import KheadersfsError, UsageError, absent_directory, reason, room_advice
from kheadersfs.forking import HeldSignals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

# The kernel's "make clean" removes .*.tmp, should a machine fail in the middle.
_SUFFIX = ".tmp"
_NAME_KEPT = 200
"""Bytes of OUT's name in the temporary one, which may have no more than 255."""


@contextmanager
def complete_file(path: str) -> Iterator[BinaryIO]:
    """Yield a new file to write to, which replaces *path* when the block ends without an error.

    Until then it lies beside *path* under another name, and it is removed on any error, also when
    SIGINT, SIGTERM or SIGHUP end the process. A symlink stays and its target is replaced, by a file
    with the same permissions. Raises KheadersfsError, also for errors of writing inside the block;
    UsageError when *path* is something that must not be replaced, or names a directory.
    """
    if not path:
        raise UsageError("OUT is empty; name the archive to write")
    if os.path.basename(path) in ("", ".", ".."):  # realpath would take it for a file's name
        raise UsageError(f"{path}: names a directory; name the archive to write")
    target = os.path.realpath(path)
    mode = 0o666 & ~_umask()
    try:
        there = os.stat(target).st_mode
        if not stat.S_ISREG(there):
            raise UsageError(f"{path}: is not a file; name one to write the archive to")
        mode = stat.S_IMODE(there)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise not_written(path, error) from error
    try:
        with ending_in_order(), _replacement(target, mode) as file:
            yield file
    except OSError as error:
        raise not_written(path, error) from error


@contextmanager
def _replacement(target: str, mode: int) -> Iterator[BinaryIO]:
    """Yield a new file beside *target*, which takes its name at the end, or goes."""
    directory, name = os.path.split(target)
    prefix = "." + os.fsdecode(os.fsencode(name)[:_NAME_KEPT]) + "."
    # A signal that would end the process waits until the code below removes the file.
    signals = HeldSignals()
    try:
        descriptor, temporary = tempfile.mkstemp(_SUFFIX, prefix, directory)
    except BaseException:
        signals.release()
        raise
    try:
        signals.release()
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        _remove(temporary)
        raise
    _sync_directory(directory)


def _remove(temporary: str) -> None:
    """Remove the file *temporary*, unless it has its name already, before anything interrupts."""
    signals = HeldSignals()
    try:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    finally:
        signals.release()


def _sync_directory(directory: str) -> None:
    """Make sure of new names in *directory*, where the file system has a way to."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let the signals that end a process end it by an exception. Only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in signals}
    for number in signals:
        if before[number] is signal.SIG_DFL:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number in signals:
            if before[number] is signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)


def _end(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def not_written(path: str, error: OSError) -> KheadersfsError:
    """Return what to raise when writing *path* by way of complete_file() failed."""
    what = f"{path}: cannot be written: {reason(error)}; what was there is unchanged"
    advice = room_advice(error)
    return KheadersfsError(
        absent_directory(path, error) or (f"{what}; {advice}" if advice else what)
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
