"""Make the table of every name and inode from an archive's members, as they come.

The result is the tree that tar would extract to a disk: parents that are missing are made, a later
duplicate replaces an earlier one, hard links share an inode. A member that must not be in a file
system that root mounts is left out, and listed as a refusal.
"""

from __future__ import annotations

import stat
from functools import lru_cache

from kheadersfs.archive.member import relative
from kheadersfs.archive.names.inodes import Inodes
from kheadersfs.archive.names.neighbours import NO_NAMES, add_neighbours
from kheadersfs.archive.names.page import LATEST, NAME_LIMIT, SYMLINK_PERMISSIONS
from kheadersfs.archive.names.table import Table
from kheadersfs.errors import RefusedArchive
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.member import Files, Member
    from kheadersfs.archive.names.inodes import Children
    from kheadersfs.limits import Limits

REFUSALS_LIMIT = 10_000
"""Members that may be left out by name; with more, it is the archive that is left out."""
IMPLICIT_DIRECTORY_MODE = stat.S_IFDIR | 0o755
_PERMISSIONS = 0o7777
_NAME_SHOWN = 256
_CACHED_DIRECTORIES = 10_000


class Refusal(Record):
    """A member that was left out, and why."""

    name: bytes
    why: str

    def __str__(self) -> str:
        return f"{self.name.decode(errors='backslashreplace')!r} refused: {self.why}"


class _Refused(Exception):
    """Carries the reason for a refusal up to TableBuilder.add."""


class TableBuilder:
    """Collects members of the archive *name*; ``build`` makes the table.

    ``members`` counts what was offered so far, ``refusals`` lists what was left out of it, and
    ``absolute`` counts names and hard links' targets whose leading slashes were taken away.
    ``text_size`` is how many bytes of names and targets there are.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.members = 0
        self.absolute = 0
        self.refusals: list[Refusal] = []
        self.text_size = 0
        self._name = name
        self._limits = limits
        self._most, self._longest, self._memory = limits.members, limits.path, limits.memory
        self._total = 0
        self._directories_made = 0
        self._inodes = Inodes(IMPLICIT_DIRECTORY_MODE)
        # The rows of cpio's files and symlinks that may have other names, by cpio's inode and type.
        self._shared: dict[tuple[tuple[int, int] | None, int], int] = {}
        # The row that the content of the latest member is for; None if its content is not needed.
        self._filled: int | None = None
        # The directories that paths were found to lie in: archives name one thousands of times.
        self._directories: dict[bytes, Children] = {}
        self._forget_directories()

    def add(self, member: Member, start: int) -> bool:
        """Add *member*, or a refusal if it cannot be in the tree.

        Returns whether its content is needed, and has to be put at *start* of the stream. That of a
        name that was refused is needed too, if other names share it. Raises RefusedArchive when the
        archive as a whole is beyond a limit.
        """
        self.members += 1
        if self.members + self._directories_made > self._most or self.text_size > self._memory:
            self._check_names()
        if member.size > 0:
            self._count_content((member.size,))
        name = member.name
        if name.startswith(b"/") or (member.hard_link and (member.target or b"")[:1] == b"/"):
            self.absolute += 1
            member = relative(member)
        self._filled = None
        try:
            if member.hard_link:
                self._add_hard_link(member, start)
            else:
                self._add_inode(member, start)
        except _Refused as refused:
            self._refuse(Refusal(name[:_NAME_SHOWN], str(refused)))
        else:
            self.text_size += len(member.name) + len(member.target or b"")
        return self._filled is not None

    def add_neighbours(self, files: Files, first: int, start: int) -> int:
        """Add those of *files* from the *first* on that are just new names in known directories.

        All *files* are plain; see neighbours. Their content, one behind the other, has to be put at
        *start* of the stream. Returns how many there are. Raises RefusedArchive.
        """
        count = add_neighbours(files, first, start, self._inodes, self._directories, self._longest)
        if count:
            self.members += count
            self.text_size += sum(map(len, files.names[first : first + count]))
            self._count_content(files.sizes[first : first + count])
            self._check_names()
        return count

    def _check_names(self) -> None:
        self._limits.check(self._name, "members", self.members + self._directories_made)
        self._limits.check(self._name, "memory", self.text_size)

    def _count_content(self, sizes: Sequence[int]) -> None:
        self._total += sum(sizes)
        self._limits.check(self._name, "file", max(sizes))
        self._limits.check(self._name, "total", self._total)

    def _refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)
        if len(self.refusals) > REFUSALS_LIMIT:
            raise RefusedArchive(
                f"{self._name}: has more than {REFUSALS_LIMIT} members that cannot be in a file "
                f"system, the last one {self.refusals[-1]}"
            )

    def forget_incomplete(self, position: int) -> None:
        """Forget the names of files whose content, or a part of it, was not read before *position*.

        Of a file of cpio with several names and no content as yet nobody knows if there is any.
        """
        inodes = self._inodes
        forgotten = {row for row in self._shared.values() if not inodes.sizes[row]}
        forgotten.difference_update(inodes.targets)
        for row, size in enumerate(inodes.sizes):
            if size and inodes.starts[row] + size > position:
                forgotten.add(row)
        for children in inodes.children.values():
            for name in [name for name, row in children.items() if row in forgotten]:
                del children[name]

    def _add_inode(self, member: Member, start: int) -> None:
        """Add a file, directory or symlink. Raises _Refused."""
        if member.size < 0:
            raise _Refused("a negative size")
        mode = _acceptable_mode(member.mode)
        mtime = member.mtime
        if not -LATEST <= mtime <= LATEST:
            mtime = LATEST if mtime > 0 else -LATEST
        if stat.S_ISDIR(mode):
            self._add_directory(*self._locate(member.name), mode, mtime)
            return
        if member.inode is not None:
            row = self._shared_inode(member, mode, mtime)
            # Content that comes with one name is that of all others, even if this name is refused.
            self._fill(row, member.size, start)
        else:
            row = self._new_inode(member, mode, mtime)
        parent, name = self._locate(member.name)
        if parent is None or name in parent:
            parent = self._make_room(parent, name)
        parent[name] = row
        if member.size:
            self._fill(row, member.size, start)

    def _shared_inode(self, member: Member, mode: int, mtime: int) -> int:
        """Return the row of what has other names too, in cpio: that of an earlier one."""
        key = member.inode, stat.S_IFMT(mode)
        row = self._shared.get(key)
        if row is None:
            row = self._shared[key] = self._new_inode(member, mode, mtime)
        return row

    def _new_inode(self, member: Member, mode: int, mtime: int) -> int:
        """Return the row of a new file, without content as yet, or symlink. Raises _Refused."""
        if not stat.S_ISLNK(mode):
            return self._inodes.add(mode, mtime)
        target = member.target or b""
        if not 0 < len(target) <= self._limits.target:
            raise _Refused(f"a symlink's target of {len(target)} bytes (--limit target)")
        return self._inodes.add_symlink(mode, mtime, target)

    def _fill(self, row: int, size: int, start: int) -> None:
        """Let *size* bytes at *start* be the content of what is in *row*, if it has none yet."""
        inodes = self._inodes
        if size and not inodes.sizes[row] and row not in inodes.targets:
            inodes.sizes[row], inodes.starts[row] = size, start
            self._filled = row

    def _add_directory(self, parent: Children | None, name: bytes, mode: int, mtime: int) -> None:
        """Add a directory, or give one that is there already its own mode and time."""
        inodes = self._inodes
        existing = inodes.root if parent is None else parent.get(name)
        if existing in inodes.children:
            inodes.modes[existing], inodes.mtimes[existing] = mode, mtime
        elif parent is not None:
            parent[name] = inodes.add_directory(mode, mtime)

    def _add_hard_link(self, member: Member, start: int) -> None:
        inodes = self._inodes
        parent, name = self._locate(member.name)
        target_parent, target_name = self._locate(member.target or b"", create=False)
        row = None if target_parent is None else target_parent.get(target_name)
        if row is None:
            raise _Refused(f"a hard link to {member.target!r}, which is not in the archive")
        if row in inodes.children:
            raise _Refused("a hard link to a directory")
        self._make_room(parent, name)[name] = row
        self._fill(row, member.size, start)

    def _make_room(self, parent: Children | None, name: bytes) -> Children:
        """Return *parent*, in which *name* may now be anything. Raises _Refused."""
        if parent is None:
            raise _Refused("the root is a directory")
        existing = self._inodes.children.get(parent.get(name, -1))
        if existing:
            raise _Refused("a directory with content has the same name")
        if existing is not None:
            self._forget_directories()
        return parent

    def _locate(self, path: bytes, create: bool = True) -> tuple[Children | None, bytes]:
        """Return the directory that *path* lies in and its last component.

        The directory is None for the root itself, and where a parent is missing and *create*
        is off. Raises _Refused for a path that is not safely inside the tree.
        """
        if len(path) > self._longest:
            raise _Refused(f"a path of {len(path)} bytes (--limit path)")
        head, _, name = path.rstrip(b"/").rpartition(b"/")
        directory = self._directories.get(head)
        if directory is None or name in NO_NAMES:
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

    def _walk(self, components: list[bytes], create: bool) -> Children | None:
        """Return the directory at *components*; None if it is missing and *create* is off."""
        inodes = self._inodes
        directory = inodes.children[inodes.root]
        for component in components:
            row = directory.get(component)
            if row is None:
                if not create:
                    return None
                row = directory[component] = inodes.add_directory(IMPLICIT_DIRECTORY_MODE, 0)
                self._directories_made += 1
            elif row not in inodes.children:
                raise _Refused(f"its parent {component!r} is not a directory")
            directory = inodes.children[row]
        return directory

    def _forget_directories(self) -> None:
        root = self._inodes.children[self._inodes.root]
        self._directories = {b"": root, b".": root}

    def _components(self, path: bytes) -> list[bytes]:
        """Return the parts of *path* that name something. Raises _Refused if it leaves the tree."""
        components = [part for part in path.split(b"/") if part not in (b"", b".")]
        if b".." in components:
            raise _Refused("a name with .. in it")
        if len(components) > self._limits.depth:
            raise _Refused(f"a path of {len(components)} names (--limit depth)")
        return components

    def build(self) -> Table:
        """Return the table of everything added. The builder is used up."""
        return Table.of(self._inodes.number(), self._name)


@lru_cache(64)  # an archive has few different ones
def _acceptable_mode(mode: int) -> int:
    """Return what is made of *mode*. Raises _Refused."""
    kind = stat.S_IFMT(mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise _Refused("neither a file, a directory nor a link")
    if kind == stat.S_IFREG and mode & (stat.S_ISUID | stat.S_ISGID):
        raise _Refused("a set-user-ID or set-group-ID file")
    if kind == stat.S_IFLNK:
        return kind | SYMLINK_PERMISSIONS
    return kind | mode & _PERMISSIONS
