"""How a server comes to be: a process in the background that has loaded all it needs.

The archive is opened and the mount made before the process forks, so whatever can be wrong is
said by the command itself, with its exit status. The kernel queues requests from then on, so the
command returns at once; the server loads pyfuse3 and reads the archive while its user goes on.
"""

from __future__ import annotations

import gc
import os
import sys

from kheadersfs.errors import FuseUnavailable, KheadersfsError
from kheadersfs.forking import close_descriptors, connect_to_nothing, fork
from kheadersfs.fuse.options import SYSTEM_LOG
from kheadersfs.mount import mounting
from kheadersfs.mount.table import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from typing import NoReturn

    from kheadersfs.archive.opening import Archive
    from kheadersfs.fuse.decoder import Decoder  # 20 ms, which no mount command pays
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.mount.guardian import Guardian  # 6 ms, which no mount command pays


def require_pyfuse3() -> None:
    """Check that pyfuse3 is installed, without the time it takes to load it.

    Raises FuseUnavailable.
    """
    # importlib.util.find_spec() asks the same finders, and takes 4 ms to import.
    if not any(finder.find_spec("pyfuse3", None) for finder in sys.meta_path):
        raise FuseUnavailable("the Python package pyfuse3 is not installed: pip install pyfuse3")


def import_pyfuse3() -> None:
    """Import pyfuse3 without what it imports in vain: 60 of 80 ms, and 10 MB.

    It imports trio, which our loop stands in for, and importlib.metadata, for the sake of its own
    version number. Raises FuseUnavailable.
    """
    from kheadersfs.importing import stand_ins  # 10 ms, which no mount command pays

    metadata = {"PackageNotFoundError": LookupError, "version": lambda _name: "unknown"}
    try:
        with stand_ins({"trio": {}, "importlib.metadata": metadata}):
            import pyfuse3  # noqa: F401 - for its effect; operations imports it again
    except ImportError as error:
        raise FuseUnavailable(f"pyfuse3 cannot be loaded: {error}; install it anew") from error


def fork_server(function: Callable[[], None]) -> int:
    """Fork a process in the background that calls *function*. Returns its pid.

    Raises KheadersfsError when there is no room for one.
    """
    pid = fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.chdir("/")
        # Whoever started the command had open what is not marked to be closed by exec.
        close_descriptors(lambda descriptor: not os.get_inheritable(descriptor))
        connect_to_nothing()
        function()
    finally:
        os._exit(1)


def fork_server_of(mountpoint: str, function: Callable[[], None]) -> int:
    """Like fork_server(), for a *mountpoint* where the mount has been made already.

    Raises KheadersfsError when there is no room for a process; then nothing stays mounted.
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
    directories: int = 0,
) -> NoReturn:
    """Serve *archive* until it is unmounted, then end the process.

    *device* is called when everything is loaded and returns the descriptor to serve, None if there
    is none after all. *mountpoint* is empty when this process cannot see it. *directories*, it and
    those above it, were made for this mount and are removed after it.
    """
    # What follows may take a while to import: the mount command has ended, or does not come here.
    from kheadersfs.fuse.log import open_log  # 12 ms, which no mount command pays
    from kheadersfs.fuse.signals import hold_back_signals  # 9 ms, which no mount command pays

    hold_back_signals()
    log = open_log(None if options.log == SYSTEM_LOG else options.log, options.complaints)
    decoder = guardian = None
    status = 1
    try:
        if options.prefetch:
            decoder = _start_decoder(archive, options, log)
        if mountpoint:
            guardian = _start_guardian(mountpoint, directories, log)
        _serve(archive, device, mountpoint, options, decoder, guardian, log)
        status = 0
    except KheadersfsError as error:
        log.error("%s", error)
        status = error.exit_status
    except Exception:
        log.exception("%s: its server failed; please report this", archive.source.name)
    finally:
        # A guardian that is not dismissed takes the mount away. Whoever waits for an answer gets
        # an error now, and nobody finds a dead mount later.
        if guardian is not None and status == 0:
            guardian.dismiss()
        if decoder is not None:
            decoder.dismiss()
        # Tearing down an interpreter takes 20 ms, and umount waits for the process to end.
        os._exit(status)


def _start_decoder(archive: Archive, options: ServeOptions, log: logging.Logger) -> Decoder | None:
    from kheadersfs.fuse.decoder import Decoder, is_of_use  # 2 ms, which no mount command pays

    if not is_of_use(archive):
        return None
    try:
        return Decoder(archive, options.budget)
    except KheadersfsError as error:
        log.warning("%s", error)  # the server can decode it, later
        return None


def _start_guardian(mountpoint: str, directories: int, log: logging.Logger) -> Guardian | None:
    from kheadersfs.mount.guardian import Guardian  # 6 ms, which no mount command pays

    try:
        return Guardian(mountpoint, escape(mountpoint), directories)
    except KheadersfsError as error:
        log.warning("%s", error)  # serving without is better than not at all
        return None


def _serve(
    archive: Archive,
    device: Callable[[], int | None],
    mountpoint: str,
    options: ServeOptions,
    decoder: Decoder | None,
    guardian: Guardian | None,
    log: logging.Logger,
) -> None:
    gc.disable()  # see cli.load()
    import_pyfuse3()
    from kheadersfs.archive.readers import prepare_to_serve  # 19 ms, which no mount command pays
    from kheadersfs.bpf import vmlinux  # 11 ms, which no mount command pays
    from kheadersfs.fuse.session import Session  # 130 ms, which no mount command pays

    header = vmlinux.prepare(options.btf)
    reader = prepare_to_serve(archive, None if decoder is None else decoder.stream())
    session = Session(reader, mountpoint, options, guardian, header, log)
    gc.freeze()
    gc.enable()
    descriptor = device()
    if descriptor is not None:
        session.run(descriptor)
