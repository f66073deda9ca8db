"""Members, as headers of any format describe them, for readers and writers alike."""

from __future__ import annotations

from kheadersfs.records import Record


class Member(Record):
    """One member.

    ``name`` and ``target`` are raw bytes. ``mode`` is st_mode with the file type; ``mtime`` is in
    nanoseconds since 1970; ``size`` is that of the content behind the header, in bytes. ``target``
    is what a symlink or a hard link points to, None for anything else; ``hard_link`` tells the two
    apart.

    cpio has no hard links. Instead, all names of a file have the same ``inode``, device and number;
    it is None for a file with one name. ``links`` is the number of names, 0 if it is not known.

    ``start`` is the offset of the content, if the member was read from a block of a packed archive.
    """

    name: bytes
    mode: int
    mtime: int
    size: int
    target: bytes | None = None
    hard_link: bool = False
    inode: tuple[int, int] | None = None
    links: int = 0
    start: int = 0


class Files(Record):
    """Regular files that follow each other in *piece*, a part of an archive, as columns.

    See Member. ``offsets`` are where in *piece* their contents begin.
    """

    piece: bytes
    names: list[bytes]
    modes: list[int]
    mtimes: list[int]
    sizes: list[int]
    offsets: list[int]

    def member(self, number: int) -> Member:
        """Return file *number*, counted from 0."""
        return Member(
            self.names[number], self.modes[number], self.mtimes[number], self.sizes[number]
        )


def plain_name(name: bytes) -> bytes:
    """Return *name* without ``./`` in front. The name of the root, ``.``, becomes empty."""
    return b"" if name == b"." else name.removeprefix(b"./")


def archived_name(name: bytes) -> bytes:
    """Return *name* with ``./`` in front, as in the kernel's own archives; ``.`` for the root."""
    return b"./" + name if name else b"."


def relative(member: Member) -> Member:
    """Return *member* without leading slashes in names, as tar and bsdtar extract it."""
    name = member.name.lstrip(b"/")
    if not member.hard_link:
        return member._replace(name=name)
    return member._replace(name=name, target=(member.target or b"").lstrip(b"/"))


def content_at(block: bytes, start: int, size: int) -> bytes:
    """Return *size* bytes of *block* from *start*. Raises ValueError if it has fewer."""
    if start + size > len(block):
        raise ValueError("a member reaches beyond its block")
    return block[start : start + size]


def require_end(block: bytes, offset: int, is_last: bool) -> None:
    """Raise ValueError unless the end marker at *offset* of *block* has only zeros behind it.

    It must be in the last block. Other readers stop there, and would not see what is behind it.
    """
    if not is_last or block.count(0, offset) != len(block) - offset:
        raise ValueError("an end marker has something behind it")
