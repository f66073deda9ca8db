"""``kheadersfs mount``."""

from __future__ import annotations

import os

from kheadersfs.archive.opening import is_address, open_place
from kheadersfs.archive.sniffing import may_be_package
from kheadersfs.cli.options import (
    RUNNING_KERNELS,
    MountOptions,
    parse_limits,
    parse_mount_options,
)
from kheadersfs.cli.waiting import WaitingLine
from kheadersfs.cli.words import first_of, plain_words
from kheadersfs.errors import ArchiveUnavailable, UsageError
from kheadersfs.forking import HeldSignals
from kheadersfs.fuse import daemon
from kheadersfs.fuse.options import STANDARD_ERROR, SYSTEM_LOG, ServeOptions, open_output
from kheadersfs.fuse.safety import check_safety
from kheadersfs.mount import mounting, target
from kheadersfs.mount.mountpoint import default_mountpoint, directories_created
from kheadersfs.mount.request import MountRequest
from kheadersfs.mount.table import find_device
from kheadersfs.records import Record
from kheadersfs.trust.pinning import Pins, open_pinned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from kheadersfs.archive.opening import Archive
    from kheadersfs.archive.source import Source
    from kheadersfs.cli.arguments import Parser
    from kheadersfs.limits import Limits

_RUNNING = "auto"


class Call(Record):
    """What to mount where. ``mountpoint`` is None for the default place.

    ``further`` are packages. If there are any, ``archive`` is a package of the same kernel.
    """

    archive: str
    mountpoint: str | None
    options: MountOptions
    foreground: bool
    further: tuple[str, ...] = ()


class Mounted(Record):
    """A mount, and the function that serves it until the end of the process.

    Nobody serves it yet, so no signal may end this process: *signals* holds them back until then.
    """

    mountpoint: str
    serve: Callable[[], NoReturn]
    signals: HeldSignals

    def start_server(self) -> None:
        """Serve it in the background. Raises KheadersfsError; then nothing stays mounted.

        Nor does it when a signal has come meanwhile, which ends this process.
        """
        try:
            daemon.fork_server_of(self.mountpoint, self.serve)
            if self.signals.has_come():
                mounting.unmount(self.mountpoint, detach=True)
        finally:
            self.signals.release()


def parser() -> Parser:
    """See CommandModule.parser."""
    from kheadersfs.cli.mount_parser import mount_parser  # 10 ms, which only options pay

    return mount_parser()


def run(arguments: list[str]) -> int:
    """Mount, and return when files can be read; in the foreground, when it is over."""
    words = plain_words(arguments, 2)
    if words is None:
        call = _parse(arguments)
    else:
        archive = words[0] if words else RUNNING_KERNELS
        mountpoint = words[1] if len(words) > 1 else None
        call = Call(archive, mountpoint, MountOptions(), foreground=False)
    daemon.require_pyfuse3()
    if call.mountpoint is None:
        _mount_at_default_place(call)
    else:
        with WaitingLine("mount"):
            opened = _open(call, [call.mountpoint])
            mounted = _mount(opened, call.archive, call.mountpoint, call.options, call.foreground)
        if call.foreground:
            mounted.serve()
        mounted.start_server()
    return 0


def _parse(arguments: list[str]) -> Call:
    """Return what a command line with options says. Raises UsageError."""
    values = parser().parse(arguments)
    options = parse_mount_options(values.options)
    options = options._replace(
        idle_timeout=options.idle_timeout if values.idle_timeout is None else values.idle_timeout,
        prefetch=options.prefetch or values.prefetch,
        strict=options.strict or values.strict,
        any_release=options.any_release or values.any_release,
        log=values.log or options.log,
        btf=values.btf or options.btf,
        release=values.release or options.release,
        digest=values.digest or options.digest,
        verify_key=values.verify_key or options.verify_key,
        limit=(*options.limit, *values.limits),
    )
    return Call(
        values.archive, values.mountpoint, options, values.foreground, tuple(values.further)
    )


def _mount_at_default_place(call: Call) -> None:
    """Mount where bcc and bpftrace look, and say so; with headers there already only say that."""
    name, options, foreground = call.archive, call.options, call.foreground
    from kheadersfs.mount.preparing import prepared  # 3 ms, which only the default place pays

    place = default_mountpoint(os.uname().release)
    if os.geteuid() == 0:
        options = options._replace(allow_other=True)  # compilers of all users look there
    target.remove_dead_mount(place)
    with prepared(place) as has_to_be_done:
        if not has_to_be_done:
            print(f"{place}: has kernel headers already; nothing was changed")
            return
        with WaitingLine("mount"):
            archive = _open(call)
            mounted = _mount(archive, name, place, options._replace(nonempty=True), foreground)
    if not foreground:
        # The server takes the mount over before anything else can go wrong.
        mounted.start_server()
    try:
        print(f"{place}: has the headers of {archive.source.name} now", flush=True)
    except OSError:
        if not foreground:
            raise
    if foreground:
        mounted.serve()  # even if nobody can read that


def _open(call: Call, others: Sequence[str] = ()) -> Archive:
    """Open the archive of *call*, the first word of a command line; *others* came after it."""
    name, options = call.archive, call.options
    limits = parse_limits(options.limit)
    pins = Pins(options.digest, options.verify_key)
    if name != RUNNING_KERNELS:
        try:
            source = _open_source(call, limits)
        except ArchiveUnavailable as error:
            raise first_of(error, "ARCHIVE", others) from None
        if not is_address(name):
            source.name = os.path.abspath(name)  # log and status are read from other directories
        return open_pinned(source, pins, limits)
    if pins != Pins():
        raise UsageError("a digest or a key is for an ARCHIVE; name it")
    # It takes 24 ms, which only mounts without ARCHIVE pay.
    from kheadersfs.cli.defaults import open_running_kernels

    return open_running_kernels(limits)


def _open_source(call: Call, limits: Limits) -> Source:
    """Open the archive of *call*: one in the cache if it names packages."""
    name = call.archive
    if not call.further and not os.path.isdir(name):
        source = open_place(name)
        if is_address(name) or not may_be_package(source):
            return source
        source.close()
    # It takes 60 ms, which only packages pay.
    from kheadersfs.cli.packages import archive_of, require_no_pins

    require_no_pins(name, call.options.digest, call.options.verify_key)
    return open_place(archive_of([name, *call.further], limits))


def _mount(
    archive: Archive, name: str, directory: str, options: MountOptions, foreground: bool
) -> Mounted:
    """Mount *archive*, which the user calls *name*.

    An interrupt that comes meanwhile undoes it, and is raised.
    """
    serve_options = _serve_options(options, foreground)
    if options.strict:
        check_safety(archive, options.cache)
    mountpoint = target.prepare_mountpoint(directory, options.nonempty)
    default = os.path.realpath(default_mountpoint(os.uname().release))
    kernel = _kernel_of(archive, options, is_default=mountpoint == default)
    serve_options = serve_options._replace(kernel=kernel)
    if mountpoint == default and not options.any_release:
        # It takes 23 ms, which only the default place pays.
        from kheadersfs.cli.defaults import require_running_kernels

        require_running_kernels(archive, options.cache, kernel)
    directories = directories_created(mountpoint)
    source = name if name == RUNNING_KERNELS else archive.source.name
    request = MountRequest(source, mountpoint, options.allow_other, options.noexec)
    signals = HeldSignals()
    try:
        device = mounting.mount(request)
        number = find_device(mountpoint)
    except BaseException:
        signals.release()
        raise
    if signals.has_come():
        mounting.unmount(mountpoint, detach=True)
        os.close(device)
        signals.release()
    return Mounted(
        mountpoint,
        lambda: daemon.serve(
            archive, lambda: device, mountpoint, serve_options, number, directories
        ),
        signals,
    )


def _kernel_of(archive: Archive, options: MountOptions, is_default: bool) -> int | None:
    """Return the number of the kernel of *archive* that is to be shown alone; None for all.

    In the default place no other than the running one's would be found. Raises KheadersfsError.
    """
    release = options.release
    if release is None and is_default:
        from kheadersfs.archive.readers import lists_kernels  # which only the default place pays

        release = _RUNNING if lists_kernels(archive) else None
    if release is None:
        return None
    from kheadersfs.cli.kernels import choose_kernel  # 25 ms, which only one of several pays

    return choose_kernel(archive, release, options.cache).number


def _serve_options(options: MountOptions, foreground: bool) -> ServeOptions:
    """Return how to serve, with the files opened that *options* name."""
    log = STANDARD_ERROR if foreground else SYSTEM_LOG
    if options.log is not None:
        log = open_output(options.log, append=True)
    btf = None
    if options.btf is not None:
        from kheadersfs.bpf.btf import open_btf  # 9 ms, which only --btf pays

        btf = open_btf(options.btf)
    return ServeOptions(
        owner=(options.uid, options.gid),
        budget=options.cache,
        idle_timeout=options.idle_timeout,
        prefetch=options.prefetch,
        strict=options.strict,
        log=log,
        btf=btf,
    )
