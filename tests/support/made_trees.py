"""Trees that hypothesis makes up: what a packer is given, and what every reader must then find."""

from __future__ import annotations

import stat
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from kheadersfs.archive.member import Member
from kheadersfs.pack.layout import KernelMembers, Packed

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1_000_000_000


class Node(NamedTuple):
    """What a name stands for. ``content`` is a file's, or a symlink's target.

    ``same_as`` is the smallest name of the same inode. ``mode`` is st_mode, ``mtime`` in
    nanoseconds.
    """

    mode: int
    mtime: int
    content: bytes
    same_as: bytes


class MadeTree(NamedTuple):
    """Members to pack, and all names that are in an archive of them; the root's is empty."""

    kernel: KernelMembers
    nodes: dict[bytes, Node]


class _Draft(NamedTuple):
    """A member to be: ``link`` chooses what it is a further name of, if it is not negative."""

    path: list[bytes]
    mode: int
    mtime: int
    content: bytes
    link: int = -1


_names = st.one_of(
    st.sampled_from([b"include", b"linux", b"a.h", b"n" * 255, b" ", b"\n", b"-", b"\xff.h"]),
    st.binary(min_size=1, max_size=9)
    .map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"0"))
    .filter(lambda name: name not in (b".", b"..")),
)
_short_paths = st.lists(_names, min_size=1, max_size=4)
_deep_paths = st.integers(5, 100).map(lambda depth: [b"a directory"] * depth)
_paths = st.sampled_from([*[_short_paths] * 9, _deep_paths]).flatmap(lambda paths: paths)
_contents = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda size: b"#define A 1\n" * size, st.sampled_from([0, 42, 43, 128, 6000])),
)
_targets = st.one_of(
    st.sampled_from([b"..", b"/", b"t" * 4095]),
    st.binary(min_size=1, max_size=150).map(lambda target: target.replace(b"\0", b"0")),
)
TAR_TIMES = st.one_of(
    st.integers(-(2**33), 2**33).map(lambda seconds: seconds * SECOND),
    st.integers(0, 2**63 - 1),
)
CPIO_TIMES = st.integers(0, 2**32 - 1).map(lambda seconds: seconds * SECOND)


def trees(times: st.SearchStrategy[int]) -> st.SearchStrategy[MadeTree]:
    """Trees of a few members with *times*."""
    permissions, nothing = st.integers(0, 0o1777), st.just(b"")
    files = st.builds(_Draft, _paths, permissions.map(_typed(stat.S_IFREG)), times, _contents)
    symlinks = st.builds(_Draft, _paths, st.just(stat.S_IFLNK | 0o777), times, _targets)
    # So that who is not root can extract them.
    directory_modes = st.integers(0, 0o7777).map(_typed(stat.S_IFDIR | 0o700))
    directories = st.builds(_Draft, _paths, directory_modes, times, nothing)
    links = st.builds(_Draft, _paths, st.just(0), st.just(0), nothing, st.integers(0, 20))
    kinds = [files, files, files, files, symlinks, directories, links]
    drafts = st.sampled_from(kinds).flatmap(lambda kind: kind)
    return st.builds(_grow, st.lists(drafts, min_size=2, max_size=12), times)


def _typed(kind: int) -> Callable[[int], int]:
    return lambda permissions: kind | permissions


def _grow(drafts: list[_Draft], root_time: int) -> MadeTree:
    """Return the tree of those *drafts* that fit together."""
    implied = Node(stat.S_IFDIR | 0o755, 0, b"", b"")
    nodes = {b"": implied._replace(mtime=root_time)}
    kernel = KernelMembers([Packed(_member(b"", nodes[b""]), bytes)], [], [], [])
    for draft in drafts:
        name = b"/".join(draft.path)
        above = [b"/".join(draft.path[:depth]) for depth in range(1, len(draft.path))]
        if name in nodes or not all(stat.S_ISDIR(nodes.get(path, implied).mode) for path in above):
            continue
        first = _linked(draft.link, nodes)
        node = nodes[first] if first else Node(draft.mode, draft.mtime, draft.content, name)
        if draft.link >= 0 and not first:
            continue
        nodes.update((path, implied._replace(same_as=path)) for path in above if path not in nodes)
        nodes[name] = node
        _offer(kernel, name, node, first)
    smallest: dict[bytes, bytes] = {}
    for name in sorted(nodes):
        smallest.setdefault(nodes[name].same_as, name)
    found = {name: node._replace(same_as=smallest[node.same_as]) for name, node in nodes.items()}
    return MadeTree(kernel, found)


def _linked(number: int, nodes: dict[bytes, Node]) -> bytes:
    """Return the first name of what a hard link is a further name of, empty if of nothing."""
    firsts = sorted({node.same_as for node in nodes.values() if not stat.S_ISDIR(node.mode)})
    return firsts[number % len(firsts)] if number >= 0 and firsts else b""


def _member(name: bytes, node: Node) -> Member:
    return Member(name, node.mode, node.mtime, 0, None, False)


def _offer(kernel: KernelMembers, name: bytes, node: Node, first: bytes) -> None:
    """Put a member of *name* into *kernel*; a hard link if there is a *first* name."""
    member = _member(name, node)
    if first:
        kernel.links.append(Packed(member._replace(target=first, hard_link=True), bytes))
    elif stat.S_ISDIR(node.mode):
        kernel.directories.append(Packed(member, bytes))
    elif stat.S_ISLNK(node.mode):
        kernel.others.append(Packed(member._replace(target=node.content), bytes))
    else:
        read = partial(bytes, node.content)
        kernel.files.append(Packed(member._replace(size=len(node.content)), read))
