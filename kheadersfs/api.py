"""The public interface: open archives, and mount them for as long as a program needs them.

All that it needs is imported with it. Later the program may be in a directory where anybody can put
modules.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError, MountpointError, error_of_status
from kheadersfs.reader import Entry, HeaderArchive, open_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Entry", "HeaderArchive", "KheadersfsError", "mounted", "open_archive"]


@contextmanager
def mounted(archive: str | os.PathLike[str], *, prefetch: bool = False) -> Iterator[str]:
    """Mount *archive* in a new temporary directory; yields its path.

    Afterwards it is unmounted, its server has ended and the directory is gone. A mount that is
    still in use then is detached. Raises what ``kheadersfs mount`` reports.
    """
    mountpoint = tempfile.mkdtemp(prefix="kheadersfs-")
    try:
        options = ["--prefetch"] if prefetch else []
        if os.fsencode(archive).startswith(b"-"):  # else the command need not load its parser
            options.append("--")
        _command("mount", *options, os.fspath(archive), mountpoint)
        try:
            yield mountpoint
        finally:
            try:
                _command("umount", mountpoint)
            except MountpointError:
                _command("umount", "--lazy", mountpoint)
    finally:
        os.rmdir(mountpoint)


_PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_COMMAND = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import kheadersfs
del sys.path[0]
from kheadersfs.cli import script
script()
"""
"""Runs a command of this very package. With -m the interpreter would look for modules in the
working directory first, where anybody may have put some."""


def _command(*arguments: str) -> None:
    """Run a command of ours in a process of its own, as forking one with threads is not safe."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _COMMAND, _PACKAGE_PARENT, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        text = done.stderr.decode(errors="replace").strip().removeprefix("kheadersfs: ")
        raise error_of_status(done.returncode)(text)
