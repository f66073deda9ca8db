"""Start the server of a mount: a process in the background.

A command opens the archive and makes the mount before it forks the server. So the command itself
reports what is wrong with either, with its exit status. It returns at once, because the kernel
queues requests from the mount on. Meanwhile the server loads pyfuse3 and reads the archive.
"""

from __future__ import annotations

import _ctypes
import gc
import os
import sys

from kheadersfs.errors import FuseUnavailable, KheadersfsError
from kheadersfs.forking import close_descriptors, connect_to_nothing, fork
from kheadersfs.fuse.options import SYSTEM_LOG
from kheadersfs.fuse.signals import hold_back_signals
from kheadersfs.mount import mounting
from kheadersfs.mount.table import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from kheadersfs.archive.opening import Archive
    from kheadersfs.fuse.decoder import Decoder  # 3 ms, which no mount command pays
    from kheadersfs.fuse.log import Log  # 3 ms, which no mount command pays
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.mount.guardian import Guardian  # 2 ms, which no mount command pays


def require_pyfuse3() -> None:
    """Check that pyfuse3 and its libraries can be loaded, without running any code of it.

    After a mount nobody would be there to be told. Raises FuseUnavailable.
    """
    # importlib.util.find_spec() asks the same finders, but takes 4 ms to import.
    specs = (finder.find_spec("pyfuse3", None) for finder in sys.meta_path)
    spec = next(filter(None, specs), None)
    if spec is None or spec.origin is None:  # of a directory that somebody has called so
        raise FuseUnavailable("the Python package pyfuse3 is not installed: pip install pyfuse3")
    try:
        _ctypes.dlopen(spec.origin, os.RTLD_LAZY)
    except OSError:
        from kheadersfs.fuse.library import import_pyfuse3  # 1 ms, which only a failure pays

        import_pyfuse3()  # which says what is wrong


def import_server() -> None:
    """Import what every server needs, so that servers that this process forks need not.

    Raises FuseUnavailable.
    """
    from kheadersfs.fuse.library import import_pyfuse3  # 1 ms, which no mount command pays

    import_pyfuse3()
    from kheadersfs.archive import readers  # noqa: F401 - 12 ms, which no mount command pays
    from kheadersfs.bpf import vmlinux  # noqa: F401 - 5 ms, which no mount command pays
    from kheadersfs.fuse import session  # noqa: F401 - 14 ms, which no mount command pays


def fork_server(function: Callable[[], None]) -> int:
    """Fork a process in the background that calls *function*. Returns its pid.

    The process has a session of its own and no standard streams. It ends when *function* returns.
    Raises KheadersfsError when no process can be forked.
    """
    pid = fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.chdir("/")
        # What this program opens is closed by exec(2). All else was open when the command started.
        close_descriptors(lambda descriptor: not os.get_inheritable(descriptor))
        connect_to_nothing()
        function()
    finally:
        os._exit(1)


def fork_server_of(mountpoint: str, function: Callable[[], None]) -> int:
    """Do what fork_server() does for the mount that has been made at *mountpoint*.

    Unmounts it and raises KheadersfsError when no process can be forked.
    """
    try:
        return fork_server(function)
    except KheadersfsError:
        mounting.unmount(mountpoint, detach=True)
        raise


def serve(
    archive: Archive,
    device: Callable[[], int | None],
    mountpoint: str,
    options: ServeOptions,
    number: bytes = b"",
    directories: int = 0,
) -> NoReturn:
    """Serve *archive* until it is unmounted, then end the process.

    *device* is called once everything is loaded. It returns the descriptor of /dev/fuse, or None if
    there is nothing to serve after all. *mountpoint* is empty when this process cannot see it.
    *number* is the device number that find_device() has returned just after the mount.
    *directories* is how many directories were made for the mount: the mountpoint and its parents.
    The guardian removes them after the mount.

    The exit status is 0 after an unmount, the error's own after a KheadersfsError, else 1.
    """
    # A mount command has ended by now, so nobody waits for this import.
    from kheadersfs.fuse.log import open_log  # 3 ms, which no mount command pays

    hold_back_signals()
    log = open_log(None if options.log == SYSTEM_LOG else options.log, options.complaints)
    decoder = guardian = None
    status = 1
    try:
        if options.prefetch:
            decoder = _start_decoder(archive, options, log)
        if mountpoint:
            guardian = _start_guardian(mountpoint, number, directories, log)
        _serve(archive, device, mountpoint, options, decoder, guardian, log)
        status = 0
    except KheadersfsError as error:
        log.error("%s", error)
        status = error.exit_status
    except Exception:
        log.exception("%s: its server failed; please report this", archive.source.name)
    finally:
        # A guardian that is not dismissed unmounts when this process ends. So after a failure no
        # dead mount stays behind.
        if guardian is not None and status == 0:
            guardian.dismiss()
        if decoder is not None:
            decoder.dismiss()
        # umount waits for this process to end, and to tear down the interpreter would take 20 ms.
        os._exit(status)


def _start_decoder(archive: Archive, options: ServeOptions, log: Log) -> Decoder | None:
    """Start the process that decodes *archive* ahead of this one, if that is of use.

    Logs the reason and returns None if it cannot be started. This process decodes it then.
    """
    from kheadersfs.fuse.decoder import Decoder, is_of_use  # 3 ms, which no mount command pays

    if not is_of_use(archive):
        return None
    try:
        return Decoder(archive, options.budget)
    except KheadersfsError as error:
        log.warning("%s", error)
        return None


def _start_guardian(mountpoint: str, number: bytes, directories: int, log: Log) -> Guardian | None:
    """Start the guardian of *mountpoint*. Logs the reason and returns None if that fails."""
    from kheadersfs.mount.guardian import Guardian  # 2 ms, which no mount command pays

    try:
        return Guardian(mountpoint, escape(mountpoint), number, directories)
    except KheadersfsError as error:
        log.warning("%s", error)  # a mount without a guardian is better than none
        return None


def _serve(
    archive: Archive,
    device: Callable[[], int | None],
    mountpoint: str,
    options: ServeOptions,
    decoder: Decoder | None,
    guardian: Guardian | None,
    log: Log,
) -> None:
    """Load what a server needs, then serve until the file system is unmounted."""
    gc.disable()  # for the reason that cli.load() gives
    import_server()
    from kheadersfs.archive.readers import prepare_to_serve
    from kheadersfs.bpf import vmlinux
    from kheadersfs.fuse.session import Session

    header = vmlinux.prepare(options.btf)
    reader = prepare_to_serve(archive, None if decoder is None else decoder.stream())
    session = Session(reader, mountpoint, options, guardian, header, log)
    gc.freeze()
    gc.enable()
    descriptor = device()
    if descriptor is not None:
        session.run(descriptor)
