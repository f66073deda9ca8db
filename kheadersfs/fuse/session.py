"""Serve one mount: give up all rights, read the archive when asked, and end when unmounted."""

from __future__ import annotations

import os

import pyfuse3

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.advance import Advance
from kheadersfs.fuse.figures import Figures
from kheadersfs.fuse.housekeeping import Housekeeping
from kheadersfs.fuse.identity import encode
from kheadersfs.fuse.loading import Loading
from kheadersfs.fuse.loop import LARGEST_NUMBER_OF_TASKS, Loop
from kheadersfs.fuse.operations import Operations
from kheadersfs.fuse.recording import write_record
from kheadersfs.fuse.relay import Relay
from kheadersfs.fuse.signals import Alarm, handle_signals
from kheadersfs.fuse.standin import TrioStandIn
from kheadersfs.mount.asking import KERNEL_ATTRIBUTE, SERVER_ATTRIBUTE, STATUS_ATTRIBUTE
from kheadersfs.sandbox.restrictions import Restrictions, restrict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.readers import Reader
    from kheadersfs.bpf.vmlinux import Unavailable, VmlinuxHeader
    from kheadersfs.fuse.advance import FindIncluded
    from kheadersfs.fuse.log import Log
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.mount.guardian import Guardian


class Session:
    """The one mount that this process serves.

    *mountpoint* is empty when this process cannot see it; then there is no *guardian* either.
    *guardian* is also None when it could not be started. *header* becomes include/vmlinux.h.
    """

    def __init__(
        self,
        reader: Reader,
        mountpoint: str,
        options: ServeOptions,
        guardian: Guardian | None,
        header: VmlinuxHeader | Unavailable,
        log: Log,
    ) -> None:
        self._mountpoint = mountpoint
        self._options = options
        self._guardian = guardian
        self._log = log
        self._restrictions = Restrictions({}, [])
        self._loop = Loop(os.cpu_count() or 1, self._keep_house, Alarm())
        self._loading = Loading(reader, options, header, self._loop, log)
        self._operations = Operations(
            self._loading.load,
            options.owner,
            {
                STATUS_ATTRIBUTE.encode(): lambda: self._figures.status(self._restrictions),
                SERVER_ATTRIBUTE.encode(): lambda: self._figures.server(),
                KERNEL_ATTRIBUTE.encode(): lambda: encode(self._loading.kernel),
            },
            log,
        )
        usage = self._operations.usage
        self._figures = Figures(
            mountpoint, guardian, self._loading, usage, self._loop.waiting.keeps_processors_awake
        )
        self._housekeeping = Housekeeping(self._loading, usage, options, guardian, log)

    def run(self, device: int) -> None:
        """Give up all rights, then answer the requests on *device* until the file system is gone.

        After the rights are given up no file can be opened, so no module can be imported either.
        Writes the record at the end, if there is one. Raises KheadersfsError if that fails, and
        OSError or MemoryError if the loop cannot go on.
        """
        handle_signals(self._on_signal)
        pyfuse3.trio = TrioStandIn(self._loop)  # type: ignore[attr-defined]  # see standin
        pyfuse3.log = self._log  # type: ignore[attr-defined]  # see library
        pyfuse3.init(self._operations, f"/dev/fd/{device}", set())
        self._save_requests(device)
        self._restrict()
        if self._options.prefetch or self._loading.reader.is_indexed:
            self._loop.start(self._prepare())
        self._loop.run(pyfuse3.main(1, LARGEST_NUMBER_OF_TASKS))
        if self._options.record is not None:
            served = self._loading.served
            tree = served.tree if served is not None else None
            write_record(self._options.record, tree, self._operations.usage.opened)

    def _save_requests(self, device: int) -> None:
        """Set up what saves requests: the relay, and names and pages in advance.

        With a record or an idle timeout the kernel must send every OPEN and RELEASE, so Operations
        gets no relay then, which could tell it not to.
        """
        operations, options = self._operations, self._options
        relay = Relay(device, operations.read, operations.listings.handle, self._loop.run_at_once)
        self._loop.watch(relay.device, relay)
        self._advance = Advance(
            self._loop,
            operations.answers,
            self._guardian,
            relay.device,
            None if self._loading.reader.is_indexed else _import_find_included(),
        )
        opens_count = options.record is not None or options.idle_timeout is not None
        operations.save_requests(None if opens_count else relay, self._advance)

    async def _prepare(self) -> None:
        """Read what the first requests will need, before they come."""
        await self._loading.load_ahead()
        if self._loading.served is not None:
            self._advance.prepare(self._loading.served)

    def _restrict(self) -> None:
        """Give up all rights, and log what could not be given up."""
        self._restrictions = restrict(self._options.budget)
        if self._mountpoint and self._guardian is None:
            self._restrictions.missing.append("guardian: none, so the server cannot unmount")
        for missing in self._restrictions.missing:
            self._log.warning("%s", missing)

    def _keep_house(self) -> float | None:
        return self._housekeeping.do()

    def _on_signal(self, _number: int, _frame: object) -> None:
        """Have the guardian detach the mount. What is open stays readable until it is closed."""
        if self._guardian is None:
            return
        try:
            self._guardian.detach()
        except KheadersfsError as error:
            # Requests fail from here on. The next mount or umount at this place removes the mount.
            self._log.error("%s", error)
            os._exit(error.exit_status)


def _import_find_included() -> FindIncluded:
    """Return what finds hot headers without an index, for which the module re must be loaded."""
    from kheadersfs.fuse.included import find_included

    return find_included
