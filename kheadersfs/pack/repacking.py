"""Any archive that can be read, as a packed one with the same content; or several as one."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.members import Member
from kheadersfs.pack.layout import layout
from kheadersfs.pack.ordering import by_reach
from kheadersfs.pack.writing import Description, Form, Packed, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.api import Entry, HeaderArchive

LARGEST_TEXTS = 128 << 20
"""Bytes of headers up to which their reach is computed, for which all are held in memory."""


class Input(NamedTuple):
    """An archive to merge, and the directory that its content goes into; empty for the root."""

    name: str
    archive: HeaderArchive


class _File(NamedTuple):
    """A file to be written: its place in its archive's own order, and where it comes from."""

    rank: int
    input: int
    packed: Packed


def repack(
    archive: HeaderArchive,
    path: str,
    form_name: str,
    compression: str,
    progress: Callable[[int, int], None],
) -> None:
    """Write what is in *archive* to *path*, as *form_name* (tar, cpio) and *compression* say.

    Names, types, modes, times, links and bytes stay; owners become root, as they are when it is
    mounted. Raises KheadersfsError, and DamagedArchive before anything is written.
    """
    members = [*_directories(Input("", archive)), *_files([Input("", archive)])]
    description = Description(archive.release or "", archive.arch or "")
    write_archive(path, members, Form(form_name, compression, layout()), description, progress)


def merge(
    inputs: list[Input],
    path: str,
    form_name: str,
    compression: str,
    progress: Callable[[int, int], None],
) -> None:
    """Write what is in all *inputs* to *path*, each below a directory of its name.

    A file that several have at the same place, with the same mode and bytes, becomes hard links:
    one copy, one inode, one place in the page cache, with the time of the first. Files of the
    same content at other places stay apart, because compilers take one inode for one header.
    """
    members: list[Packed] = []
    for one in inputs:
        members += _directories(one)
    members += _files(inputs)
    form = Form(form_name, compression, layout(len(inputs)))
    write_archive(path, members, form, Description("", ""), progress)


def _directories(source: Input) -> list[Packed]:
    root = source.archive.tree.attributes(1)
    top = os.fsencode(source.name)
    found = [Packed(Member(top, root.mode, root.mtime, 0, None, False), bytes)]
    for entry in source.archive:
        if stat.S_ISDIR(entry.mode):
            name = _joined(source.name, entry.path)
            found.append(Packed(Member(name, entry.mode, entry.mtime, 0, None, False), bytes))
    return found


def _files(inputs: list[Input]) -> list[Packed]:
    """Return all that is no directory, each archive's most-read files first, then its links."""
    files: list[_File] = []
    for number, source in enumerate(inputs):
        files += _ranked(number, source)
    files.sort(key=lambda file: (file.rank, file.input))
    return _linked(inputs, [file.packed for file in files])


def _ranked(number: int, source: Input) -> list[_File]:
    archive = source.archive
    entries = [entry for entry in archive if not stat.S_ISDIR(entry.mode)]
    ranks = _ranks(archive, entries)
    files: list[_File] = []
    first_path: dict[int, bytes] = {}
    for entry in sorted(entries, key=lambda entry: ranks[entry.path]):
        name = _joined(source.name, entry.path)
        first = first_path.setdefault(entry.inode, name)
        linked = first != name
        target = first if linked else os.fsencode(entry.target) if entry.target else None
        member = Member(name, entry.mode, entry.mtime, 0 if linked else entry.size, target, linked)
        read = partial(archive.read, entry.path) if entry.is_file and not linked else bytes
        files.append(_File(ranks[entry.path], number, Packed(member, read)))
    return files


def _ranks(archive: HeaderArchive, entries: list[Entry]) -> dict[str, int]:
    """Return the place of every path: as it is in an archive that is in order, else by reach."""
    if archive.content.indexed:
        start = archive.content.table.inode_start
        ordered = sorted(entries, key=lambda entry: start[entry.inode - 1])
        return {entry.path: rank for rank, entry in enumerate(ordered)}
    headers = [entry for entry in entries if entry.is_file and entry.path.endswith(".h")]
    paths: list[str] = []
    if sum(entry.size for entry in headers) <= LARGEST_TEXTS:
        texts = {os.fsencode(entry.path): archive.read(entry.path) for entry in headers}
        paths = [os.fsdecode(path) for path in by_reach(texts, archive.arch or "")]
    ranks = {path: rank for rank, path in enumerate(paths)}
    for entry in entries:
        ranks.setdefault(entry.path, len(ranks))
    return ranks


def _linked(inputs: list[Input], files: list[Packed]) -> list[Packed]:
    """Return *files* with those that are the same in several inputs made hard links."""
    if len(inputs) == 1:
        return files
    seen: dict[tuple[bytes, int, bytes], bytes] = {}
    replaced: dict[bytes, bytes] = {}
    linked: list[Packed] = []
    for packed in files:
        member = packed.member
        if member.hard_link:
            target = member.target or b""
            member = member._replace(target=replaced.get(target, target))
        elif stat.S_ISREG(member.mode) and member.size:
            place = member.name.partition(b"/")[2]
            key = (place, member.mode, hashlib.sha256(packed.read()).digest())
            first = seen.setdefault(key, member.name)
            if first != member.name:
                replaced[member.name] = first
                member = member._replace(size=0, target=first, hard_link=True)
        linked.append(packed._replace(member=member))
    return linked


def _joined(directory: str, path: str) -> bytes:
    return os.fsencode(f"{directory}/{path}" if directory else path)
