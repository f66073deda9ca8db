"""What a header says of a member, whatever the format, and whoever reads or writes it."""

from __future__ import annotations

from typing import NamedTuple


class Member(NamedTuple):
    """One member.

    ``name`` and ``target`` are raw bytes. ``mode`` is st_mode, type included; ``mtime`` is in
    nanoseconds; ``size`` counts the bytes of content that follow. ``target`` is what a symlink or a
    hard link points to, None for all else; ``hard_link`` tells the two apart. cpio has no hard
    links: there ``inode`` is what all its names have in common, None if it has but one, and
    ``links`` how many names it has, 0 where that is not known. Within a block, the content begins
    at ``start``.
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


class EmptyFiles(NamedTuple):
    """Files without content that follow each other in an archive, as columns; see Member."""

    names: list[bytes]
    modes: list[int]
    mtimes: list[int]

    def complete(self, mode: int, mtime: int) -> None:
        """Give *mode* and *mtime* to those that have only names so far."""
        count = len(self.names) - len(self.modes)
        self.modes.extend([mode] * count)
        self.mtimes.extend([mtime] * count)

    def member(self, number: int) -> Member:
        """Return *number* of them for itself."""
        return Member(self.names[number], self.modes[number], self.mtimes[number], 0)


def plain_name(name: bytes) -> bytes:
    """Return *name* without ``./``; the root's is empty."""
    return b"" if name == b"." else name.removeprefix(b"./")


def archived_name(name: bytes) -> bytes:
    """Return *name* as tar and cpio list it; the kernel's own archives have ``./`` in front."""
    return b"./" + name if name else b"."


def relative(member: Member) -> Member:
    """Return *member* without leading slashes, as tar and bsdtar extract it."""
    name = member.name.lstrip(b"/")
    if not member.hard_link:
        return member._replace(name=name)
    return member._replace(name=name, target=(member.target or b"").lstrip(b"/"))


def content_at(block: bytes, start: int, size: int) -> bytes:
    """Return *size* bytes of *block* from *start*. Raises ValueError."""
    if start + size > len(block):
        raise ValueError("a member reaches beyond its block")
    return block[start : start + size]


def require_end(block: bytes, offset: int, is_last: bool) -> None:
    """Raise ValueError unless an archive may end at *offset* of *block*, where readers stop."""
    if not is_last or block.count(0, offset) != len(block) - offset:
        raise ValueError("an end marker has something behind it")
