"""Write any archive that can be read as a packed one with the same content."""

from __future__ import annotations

import hashlib
import stat
from functools import partial
from typing import TYPE_CHECKING

from kheadersfs.archive.member import Member
from kheadersfs.archive.names.page import ROOT
from kheadersfs.errors import RefusedArchive
from kheadersfs.kernel.including import inclusions
from kheadersfs.pack.gathering import require_known_time
from kheadersfs.pack.layout import KernelMembers, Packed, arrange
from kheadersfs.pack.ordering import by_reach
from kheadersfs.pack.writing import Description, Form, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from kheadersfs.pack.gathering import Source
    from kheadersfs.reader import HeaderArchive


def repack(
    archive: HeaderArchive, file: BinaryIO, form: Form, progress: Callable[[int, int], None]
) -> None:
    """Write what is in *archive* to *file* in *form*.

    Names, types, modes, times, links and bytes stay; owners become root, as they are when it is
    mounted. Raises KheadersfsError; RefusedArchive or DamagedArchive when not all of it can be
    read, or what was written could not be with the same limits.
    """
    kernel = _read_kernel(archive, b"")
    description = Description(archive.release or "", archive.arch or "")
    limits = archive.archive.limits
    write_archive(file, arrange([kernel]), form, description, progress, limits=limits)


def merge_members(
    inputs: Sequence[Source], file: BinaryIO, form: Form, progress: Callable[[int, int], None]
) -> None:
    """Write what is in all *inputs* to *file* in *form*, each below a directory of its name.

    For what merging.merge() cannot write as kernels: cpio, and kernels with hard links of their
    own. All is in memory at the same time. Raises what ``repack`` raises.
    """
    kernels: list[KernelMembers] = []
    first_of: dict[tuple[bytes, int, bytes], bytes] = {}
    for source in inputs:
        kernel = _read_kernel(source.archive, source.name + b"/")
        kernels.append(_share(kernel, len(source.name), first_of))
    limits = inputs[0].archive.archive.limits
    write_archive(file, arrange(kernels), form, Description("", ""), progress, limits=limits)


def _read_kernel(archive: HeaderArchive, prefix: bytes) -> KernelMembers:
    """Return what is in *archive*, with *prefix* before every name."""
    archive.require_complete()
    refusals = archive.content.refusals
    if refusals:
        raise RefusedArchive(
            f"{archive.archive.source.name}: {refusals[0]}, so it cannot be packed as it is; "
            "make the archive without it"
        )
    tree = archive.tree
    kernel = KernelMembers([], [], [], [])
    first_paths: dict[int, bytes] = {}
    files: dict[bytes, Packed] = {}
    for name, inode in [(b"", ROOT), *tree.walk()]:
        attributes = tree.attributes(inode)
        path = prefix + name if name else prefix.rstrip(b"/")
        require_known_time(archive, name, attributes.mtime)
        member = Member(path, attributes.mode, attributes.mtime, 0, None, False)
        first = first_paths.setdefault(inode, path)
        if stat.S_ISDIR(attributes.mode):
            kernel.directories.append(Packed(member, bytes))
        elif first != path:
            kernel.links.append(Packed(member._replace(target=first, hard_link=True), bytes))
        elif stat.S_ISLNK(attributes.mode):
            kernel.others.append(Packed(member._replace(target=tree.target(inode)), bytes))
        else:
            read = partial(archive.store.read, *tree.extent(inode))
            files[name] = Packed(member._replace(size=attributes.size), read)
    order, hot = _importance(archive, files)
    kernel.files.extend(files[name] for name in order)
    return kernel._replace(hot=hot)


def _importance(
    archive: HeaderArchive, files: dict[bytes, Packed]
) -> tuple[list[bytes], int | None]:
    """Return the names of *files*, most important first, and how many are known to be hot.

    An archive with an index is in that order already.
    """
    tree = archive.tree
    starts = {name: tree.extent(tree.resolve(name))[0] for name in files}
    in_place = sorted(files, key=starts.__getitem__)
    if archive.content.indexed:
        end = archive.content.blocks.starts[archive.content.hot_blocks]
        # An empty file that is the last one in a block starts where the block ends.
        return in_place, sum(starts[name] <= end for name in in_place)
    # Content is read in the order in which it lies in the archive. Only each header's includes are
    # kept of it.
    included = {name: inclusions(files[name].read()) for name in in_place if name.endswith(b".h")}
    return list(dict.fromkeys([*by_reach(included, archive.arch or ""), *sorted(files)])), None


def _share(
    kernel: KernelMembers, prefix_size: int, first_of: dict[tuple[bytes, int, bytes], bytes]
) -> KernelMembers:
    """Return *kernel* with files that *first_of* has already made hard links to those.

    *first_of* gives the name of the first file with a path below the kernel's root, a mode and
    a SHA-256; what is new is added to it.
    """
    files: list[Packed] = []
    links: list[Packed] = []
    renamed: dict[bytes, bytes] = {}
    for packed in kernel.files:
        member = packed.member
        digest = hashlib.sha256(packed.read()).digest()
        first = first_of.setdefault((member.name[prefix_size:], member.mode, digest), member.name)
        if first == member.name or not member.size:
            files.append(packed)
        else:
            renamed[member.name] = first
            links.append(Packed(member._replace(size=0, target=first, hard_link=True), bytes))
    for packed in kernel.links:
        target = packed.member.target or b""
        member = packed.member._replace(target=renamed.get(target, target))
        links.append(packed._replace(member=member))
    return kernel._replace(files=files, links=links, hot=None)
