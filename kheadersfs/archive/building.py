"""From members, as they come, to the table of every name and inode.

What tar does when it extracts is done here without a disk: parents that are missing are made, a
later duplicate replaces an earlier one, hard links share an inode. What must not be in a file
system that root mounts is refused by name instead.
"""

from __future__ import annotations

import stat
from array import array
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.leaf import LATEST, NAME_LIMIT, ROOT, Leaf
from kheadersfs.archive.table import Table
from kheadersfs.errors import RefusedArchive

if TYPE_CHECKING:
    from kheadersfs.archive.members import Member
    from kheadersfs.limits import Limits

REFUSALS_LIMIT = 10_000
"""Members that may be left out by name; with more, it is the archive that is left out."""
IMPLICIT_DIRECTORY_MODE = stat.S_IFDIR | 0o755
SYMLINK_PERMISSIONS = 0o777
"""What Linux shows for every symlink, whatever the archive says."""
_PERMISSIONS = 0o7777
_NAME_SHOWN = 256
_CACHED_DIRECTORIES = 10_000


class Refusal(NamedTuple):
    """A member that was left out, and why."""

    name: bytes
    why: str

    def __str__(self) -> str:
        return f"{self.name.decode(errors='backslashreplace')!r} refused: {self.why}"


class _Refused(Exception):
    """Carries the reason for a refusal up to TableBuilder.add."""


class _Node:
    """An inode under construction."""

    __slots__ = ("children", "links", "mode", "mtime", "number", "size", "start", "target")

    def __init__(self, mode: int, mtime: int) -> None:
        self.mode = mode
        self.mtime = mtime
        self.children: dict[bytes, _Node] | None = {} if stat.S_ISDIR(mode) else None
        self.size = 0
        self.start = 0
        self.target = b""
        self.links = 0
        self.number = 0


class TableBuilder:
    """Collects members of the archive *name*; ``build`` makes the table.

    ``members`` counts what was offered so far, ``refusals`` lists what was left out of it.
    ``text_size`` is how many bytes of names and targets there are.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.members = 0
        self.refusals: list[Refusal] = []
        self.text_size = 0
        self._name = name
        self._limits = limits
        self._total = 0
        self._directories_made = 0
        self._root = _Node(IMPLICIT_DIRECTORY_MODE, 0)
        # Where the last file was put: its directory's children, and its name there.
        self._last: tuple[dict[bytes, _Node], bytes] | None = None
        # Archives name the same directory thousands of times.
        self._directories: dict[bytes, _Node] = {b"": self._root, b".": self._root}

    def add(self, member: Member, start: int) -> bool:
        """Add *member*, whose content lies at *start* of the stream.

        Returns whether it was taken; if not, there is a new refusal. Raises RefusedArchive when
        the archive as a whole is beyond a limit.
        """
        self.members += 1
        self._check_limits(member)
        try:
            if member.hard_link:
                self._add_hard_link(member, start)
            else:
                self._add_inode(member, start)
        except _Refused as refused:
            self.refusals.append(Refusal(member.name[:_NAME_SHOWN], str(refused)))
            return False
        self.text_size += len(member.name) + len(member.target or b"")
        return True

    def _check_limits(self, member: Member) -> None:
        if member.size > 0:
            self._total += member.size
        limits, name = self._limits, self._name
        limits.check(name, "members", self.members + self._directories_made)
        limits.check(name, "file", member.size)
        limits.check(name, "total", self._total)
        limits.check(name, "memory", self.text_size)
        if len(self.refusals) > REFUSALS_LIMIT:
            raise RefusedArchive(
                f"{name}: has more than {REFUSALS_LIMIT} members that cannot be in a file system, "
                f"the last one {self.refusals[-1]}"
            )

    def remove_last(self) -> None:
        """Forget the last member that was taken, because its content could not be read."""
        if self._last is not None:
            parent, name = self._last
            parent.pop(name, None)
            self._last = None

    def _add_inode(self, member: Member, start: int) -> None:
        if member.size < 0:
            raise _Refused("a negative size")
        node = _Node(_acceptable_mode(member.mode), max(-LATEST, min(member.mtime, LATEST)))
        parent, name = self._locate(member.name)
        if node.children is not None:
            self._add_directory(parent, name, node)
            return
        if stat.S_ISLNK(node.mode):
            node.target = member.target or b""
            if not 0 < len(node.target) <= self._limits.target:
                raise _Refused(f"a symlink's target of {len(node.target)} bytes (--limit target)")
            node.size = len(node.target)
        else:
            node.size, node.start = member.size, start
        if parent is None:
            raise _Refused("the root is a directory")
        self._replace(parent, name, node)

    def _add_directory(self, parent: _Node | None, name: bytes, node: _Node) -> None:
        """Add a directory, or give one that is there already its own mode and time."""
        existing = self._root if parent is None else _children(parent).get(name)
        if existing is not None and existing.children is not None:
            existing.mode, existing.mtime = node.mode, node.mtime
        elif parent is not None:
            _children(parent)[name] = node

    def _add_hard_link(self, member: Member, start: int) -> None:
        parent, name = self._locate(member.name)
        target_parent, target_name = self._locate(member.target or b"", create=False)
        node = None
        if target_parent is not None:
            node = _children(target_parent).get(target_name)
        if node is None:
            raise _Refused(f"a hard link to {member.target!r}, which is not in the archive")
        if node.children is not None or parent is None:
            raise _Refused("a hard link to a directory")
        if member.size > 0 and stat.S_ISREG(node.mode):
            # cpio gives the content with the last of the links, pax may repeat it.
            node.size, node.start = member.size, start
        self._replace(parent, name, node)

    def _replace(self, parent: _Node, name: bytes, node: _Node) -> None:
        existing = _children(parent).get(name)
        if existing is not None and existing.children:
            raise _Refused("a directory with content has the same name")
        if existing is not None and existing.children is not None:
            self._forget_directories()
        _children(parent)[name] = node
        self._last = _children(parent), name

    def _locate(self, path: bytes, create: bool = True) -> tuple[_Node | None, bytes]:
        """Return the directory that *path* lies in and its last component.

        The directory is None for the root itself, and where a parent is missing and *create*
        is off. Raises _Refused for a path that is not safely inside the tree.
        """
        head, _, name = path.rstrip(b"/").rpartition(b"/")
        directory = self._directories.get(head)
        if directory is None or name in (b"", b".", b"..") or path.startswith(b"/"):
            components = self._components(path)
            if not components:
                return None, b""
            directory = self._walk(components[:-1], create)
            if directory is not None and name == components[-1]:
                if len(self._directories) > _CACHED_DIRECTORIES:
                    self._forget_directories()
                self._directories[head] = directory
            name = components[-1]
        if len(name) > NAME_LIMIT:
            raise _Refused(f"a name of {len(name)} bytes; {NAME_LIMIT} is the longest there can be")
        return directory, name

    def _walk(self, components: list[bytes], create: bool) -> _Node | None:
        node = self._root
        for component in components:
            children = _children(node)
            child = children.get(component)
            if child is None:
                if not create:
                    return None
                child = children[component] = _Node(IMPLICIT_DIRECTORY_MODE, 0)
                self._directories_made += 1
            elif child.children is None:
                raise _Refused(f"its parent {component!r} is not a directory")
            node = child
        return node

    def _forget_directories(self) -> None:
        self._directories = {b"": self._root, b".": self._root}

    def _components(self, path: bytes) -> list[bytes]:
        """Return the parts of *path* that name something. Raises _Refused if it leaves the tree."""
        if path.startswith(b"/"):
            raise _Refused("an absolute name")
        if len(path) > self._limits.path:
            raise _Refused(f"a path of {len(path)} bytes (--limit path)")
        components = [part for part in path.split(b"/") if part not in (b"", b".")]
        if b".." in components:
            raise _Refused("a name with .. in it")
        if len(components) > self._limits.depth:
            raise _Refused(f"a path of {len(components)} names (--limit depth)")
        return components

    def build(self) -> Table:
        """Return the table of everything added. The builder is used up."""
        return Table.of(_Flattening(self._root).leaf, self._name)


def _children(node: _Node) -> dict[bytes, _Node]:
    assert node.children is not None
    return node.children


def _acceptable_mode(mode: int) -> int:
    kind = stat.S_IFMT(mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise _Refused("neither a file, a directory nor a link")
    if kind == stat.S_IFREG and mode & (stat.S_ISUID | stat.S_ISGID):
        raise _Refused("a set-user-ID or set-group-ID file")
    if kind == stat.S_IFLNK:
        return kind | SYMLINK_PERMISSIONS
    return kind | mode & _PERMISSIONS


class _Flattening:
    """Turns nodes into columns, breadth first."""

    def __init__(self, root: _Node) -> None:
        self._nodes: list[_Node] = []
        self._entry_inode = array("I")
        self._repeats = array("I")
        self._names: list[bytes] = []
        self._number(root)
        # _nodes grows while it is walked: a directory's entries number what they name.
        for node in self._nodes:
            if node.children is not None:
                self._list_directory(node)
        self.leaf = self._columns()

    def _number(self, node: _Node) -> int:
        if not node.number:
            self._nodes.append(node)
            node.number = len(self._nodes)
        return node.number

    def _list_directory(self, directory: _Node) -> None:
        children = _children(directory)
        directory.start, directory.size = len(self._names), len(children)
        directory.links += 2
        for name in sorted(children):
            child = children[name]
            if child.children is None:
                child.links += 1
            else:
                directory.links += 1
            if child.number:
                self._repeats.append(len(self._names))
            self._entry_inode.append(self._number(child))
            self._names.append(name)

    def _columns(self) -> Leaf:
        targets: list[bytes] = []
        target_start = 0
        for node in self._nodes:
            if stat.S_ISLNK(node.mode):
                node.start = target_start
                targets.append(node.target)
                target_start += len(node.target)
        name_ends = array("I")
        end = 0
        for name in self._names:
            end += len(name)
            name_ends.append(end)
        return Leaf(
            first_entry=0,
            first_inode=ROOT,
            entry_inode=self._entry_inode,
            repeats=self._repeats,
            entry_name_end=name_ends,
            names=b"".join(self._names),
            inode_mode=array("I", [node.mode for node in self._nodes]),
            inode_links=array("I", [node.links for node in self._nodes]),
            inode_mtime=array("q", [node.mtime for node in self._nodes]),
            inode_size=array("Q", [node.size for node in self._nodes]),
            inode_start=array("Q", [node.start for node in self._nodes]),
            targets=b"".join(targets),
        )
