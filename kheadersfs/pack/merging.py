"""Write the kernels of several archives as one archive."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kheadersfs.errors import NotInArchive, UsageError
from kheadersfs.pack.fleet import write_fleet
from kheadersfs.pack.gathering import Gathering, HasHardLinks, Source
from kheadersfs.pack.repacking import merge_members, repack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO, BinaryIO

    from kheadersfs.pack.gathering import GatheredKernel
    from kheadersfs.pack.writing import Form
    from kheadersfs.reader import HeaderArchive


def merge(
    sources: Sequence[Source],
    file: BinaryIO,
    form: Form,
    progress: Callable[[int, int], None],
    spool: IO[bytes],
    without: Sequence[str] = (),
) -> None:
    """Write the kernels in all *sources* to *file* in *form*, each below a directory of its name.

    A file that several have at the same place, with the same mode and bytes, becomes hard links:
    one copy, one inode, one place in the page cache, with the time of the first. Files of the
    same content at other places stay apart, because compilers take one inode for one header.
    Contents wait in *spool*, an empty file. Kernels whose names are *without*, patterns of a shell,
    are left out. Raises KheadersfsError.
    """
    limits = sources[0].archive.archive.limits
    if form.format == "tar":
        gathering = Gathering(spool)
        taken_out = _TakenOut(without)
        try:
            for source in sources:
                gathering.add(source, taken_out)
                source.archive.forget()
            taken_out.require_all(gathering.kernels)
            _require_one_arch(gathering.kernels, sources)
            gathering.sort()
            write_fleet(gathering, file, form, progress, limits)
            return
        except HasHardLinks:
            pass
    _require_names(sources, without)
    merge_members(sources, file, form, progress)


def repack_fleet(
    archive: HeaderArchive,
    file: BinaryIO,
    form: Form,
    progress: Callable[[int, int], None],
    spool: IO[bytes],
) -> None:
    """Write what is in *archive* to *file* in *form*; kernels stay kernels. See repacking.repack().

    Contents of several kernels wait in *spool*, an empty file.
    """
    if archive.content.kernels and form.format == "tar":
        merge([Source(b"", archive)], file, form, progress, spool)
    else:
        repack(archive, file, form, progress)


class _TakenOut:
    """Tells which kernels are left out; the patterns that have matched none are ``unused``."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._unused = dict.fromkeys(patterns)
        self._patterns = patterns

    def __call__(self, name: bytes) -> bool:
        matching = [p for p in self._patterns if fnmatchcase(os.fsdecode(name), p)]
        for pattern in matching:
            self._unused.pop(pattern, None)
        return bool(matching)

    def require_all(self, kernels: Sequence[GatheredKernel]) -> None:
        """Raise NotInArchive for a pattern that is no kernel's, UsageError when none is left."""
        names = ", ".join(os.fsdecode(kernel.name) for kernel in kernels)
        for pattern in self._unused:
            raise NotInArchive(f"--without {pattern}: there is no such kernel; there are {names}")
        if not kernels:
            raise UsageError("no kernel is left to put into OUT; take fewer out")


def _require_one_arch(kernels: Sequence[GatheredKernel], sources: Sequence[Source]) -> None:
    """Raise UsageError for kernels of several architectures that nobody has named."""
    unnamed = {source.archive.archive.source.name for source in sources if not source.name}
    arches = {kernel.arch for kernel in kernels if kernel.origin in unnamed}
    if len(arches) > 1 and len(unnamed) > 1:
        raise UsageError(
            f"the archives are of several architectures ({', '.join(sorted(arches))}), "
            "and releases do not say of which: give each as NAME=IN"
        )


def _require_names(sources: Sequence[Source], without: Sequence[str]) -> None:
    """Raise UsageError for what is only possible where an index has kernels."""
    if without:
        raise UsageError("--without is for archives of several kernels, which are tar")
    for source in sources:
        if not source.name:
            raise UsageError(f"{source.archive.archive.source.name}: name it: NAME=IN")
