"""How packages of headers get into the cache: as many kernels at once as there are processors.

To pack one takes some seconds, in which it is decompressed, searched and stripped of comments, and
that keeps hardly more than one processor busy.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs._version import __version__
from kheadersfs.archive.names import index
from kheadersfs.archive.source import digest_of
from kheadersfs.cli.progress import Progress, progress_line
from kheadersfs.cli.writing import writing_in_child
from kheadersfs.kernel.cache import keeping
from kheadersfs.kernel.keeping import shrink
from kheadersfs.pack.comments import COMMENT_FILTERS
from kheadersfs.pack.output import ending_in_order
from kheadersfs.pack.packing import Settings
from kheadersfs.pack.times import DEFAULT_TIME
from kheadersfs.pack.writing import Form
from kheadersfs.packages.packing import pack_packages
from kheadersfs.remote import settings as cache_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from kheadersfs.limits import Limits
    from kheadersfs.packages.package import Package

_PACKED_SUFFIX = ".tar.zst"  # it is read at every mount, and kept on this machine only


class KernelPackages(NamedTuple):
    """The packages of one kernel, opened, and the names of those that these need and lack.

    What it is called, ``label``, no other kernel is at the same time.
    """

    label: str
    packages: list[Package]
    missing: list[str]

    @property
    def name(self) -> str:
        """What the first package's file is called, for messages."""
        return self.packages[0].name

    def archive_in(self, directory: str) -> str:
        """Return where its archive is in the cache *directory*, if it is there."""
        return os.path.join(directory, self.label + _PACKED_SUFFIX)

    def prepare(self) -> None:
        """Import whatever reading takes. Raises KheadersfsError."""
        for package in self.packages:
            package.prepare()

    def write(
        self,
        file: BinaryIO,
        settings: Settings,
        progress: Progress,
        arch: str | None = None,
        release: str | None = None,
    ) -> None:
        """See pack_packages()."""
        pack_packages(self.packages, self.missing, file, arch, settings, progress, release)


def quick_settings(limits: Limits) -> Settings:
    """Return how packages are packed into the cache, while somebody waits."""
    form = Form("tar", "zstd", quick=True)
    return Settings(form, COMMENT_FILTERS["strip"], [], DEFAULT_TIME, limits=limits)


def archives_in(directory: str, kernels: Sequence[KernelPackages], limits: Limits) -> Iterator[str]:
    """Yield the archives of *kernels* in the cache *directory*, packed anew if need be.

    One is to be opened before the next is asked for, which may be of other packages of that name.
    Raises what reading an archive raises, and ArchiveUnavailable when the cache cannot be used.
    """
    waiting = deque(kernels)
    while waiting:
        different: dict[str, KernelPackages] = {}
        while waiting and waiting[0].label not in different:
            kernel = waiting.popleft()
            different[kernel.label] = kernel
        archives = {kernel.archive_in(directory): kernel for kernel in different.values()}
        _keep_all(archives, limits)
        shrink(directory, cache_settings.cache_size(), archives)
        yield from archives


def _keep_all(archives: Mapping[str, KernelPackages], limits: Limits) -> None:
    """Have *archives*, which are of these kernels, in the cache."""
    several = len(archives) > 1
    unit = "kernels" if several else "B"
    with ending_in_order(), progress_line("pack", unit) as progress, ExitStack() as jobs:
        under_way: deque[_Job] = deque()
        # In one order, so that of two processes none waits for what the other one holds.
        for number, (archive, kernel) in enumerate(sorted(archives.items())):
            if len(under_way) == len(os.sched_getaffinity(0)):
                under_way.popleft().finish()
            if several:
                progress(number - len(under_way), len(archives))
            job = jobs.enter_context(_Job())
            others = [other.descriptor for other in under_way if other.descriptor >= 0]
            job.begin(archive, kernel, limits, Progress() if several else progress, others)
            under_way.append(job)
        for job in under_way:
            job.finish()


class _Job(ExitStack):
    """One kernel on its way into the cache; ``descriptor`` is of the file that is written."""

    descriptor = -1

    def begin(
        self,
        archive: str,
        kernel: KernelPackages,
        limits: Limits,
        progress: Progress,
        others: Collection[int],
    ) -> None:
        """Hold *archive*, which is of *kernel*, and begin to pack it if need be.

        *others* are the descriptors of jobs that are under way.
        """

        def look() -> str:
            sources = [package.source for package in kernel.packages]
            digests = [digest_of(source, source.size).hex() for source in sources]
            # A later version may pack otherwise, or not use the index of this one.
            decisive = (__version__, index.VERSION, limits, digests)
            return hashlib.sha256(repr(decisive).encode()).hexdigest()

        settings = quick_settings(limits)
        partial = self.enter_context(keeping(archive, kernel.name, look))
        if partial is None:
            return
        writer = self.enter_context(
            writing_in_child(
                kernel.name,
                kernel.prepare,
                partial,
                lambda file: kernel.write(file, settings, progress),
                limits,
                others,
            )
        )
        self.descriptor = writer.descriptor
        self.callback(writer.child.result)

    def finish(self) -> None:
        """Wait until the archive is there. Raises what reading an archive raises."""
        self.descriptor = -1
        self.close()
