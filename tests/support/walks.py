"""What a walk finds, for tests."""

from __future__ import annotations

from kheadersfs.archive.member import Member
from kheadersfs.archive.walking import walk_members

SECOND = 1_000_000_000


def described(
    name: bytes,
    mode: int,
    mtime: int,
    start: int,
    size: int,
    links: int = 0,
    target: bytes | None = None,
    hard_link: bool = False,
) -> Member:
    return Member(name, mode, mtime, size, target, hard_link, links=links, start=start)


def walk(block: bytes, is_last: bool = True) -> list[Member]:
    return list(walk_members(block, is_last))


def only(block: bytes) -> Member:
    [found] = walk(block)
    return found
