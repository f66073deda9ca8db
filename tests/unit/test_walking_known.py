"""Headers that say what the index says, and need not be read."""

from __future__ import annotations

import stat

import pytest

from kheadersfs.archive.digits import NANOSECONDS
from kheadersfs.archive.member import Member
from kheadersfs.archive.names.page import Described
from kheadersfs.archive.tar.walking import end_of_plain_file
from kheadersfs.archive.tar.writing import header
from kheadersfs.archive.walking import walk_members
from kheadersfs.errors import KheadersfsError
from tests.attacks.forging import LONG_NAME, padded, tar_file, tar_long
from tests.support.walks import described, walk

FILE = tar_file(b"f", b"content")


def plain_file(path: bytes, mode: int, mtime: int, size: int) -> bytes:
    """Return the header that pack writes for a regular file, and its content."""
    return header(Member(path, stat.S_IFREG | mode, mtime, size)) + padded(b"c" * size)


PLAIN = [
    (b"f", 0o644, 0, 1),
    (b"include/linux/bpf.h", 0o444, 1_700_000_000 * NANOSECONDS, 1025),
    (b"n" * 98, 0o7777, (8**11 - 1) * NANOSECONDS, 512),
]


@pytest.mark.parametrize(("path", "mode", "mtime", "size"), PLAIN)
def test_a_header_as_pack_writes_it_is_known_without_being_read(
    path: bytes, mode: int, mtime: int, size: int
) -> None:
    block = tar_file(b"before", b"b") + plain_file(path, mode, mtime, size)
    known = Described(stat.S_IFREG | mode, mtime, size, 1)
    assert end_of_plain_file(block, 1536, path, known) == len(block)


@pytest.mark.parametrize(
    ("path", "mode", "mtime", "size"),
    [(b"n" * 99, 0o644, 0, 1), (b"f", 0o644, 1, 1), (b"f", 0o644, -NANOSECONDS, 1)],
    ids=["a long name", "a fraction of a second", "a time before 1970"],
)
def test_what_needs_more_than_one_plain_header_is_read(
    path: bytes, mode: int, mtime: int, size: int
) -> None:
    member = Member(path, stat.S_IFREG | mode, mtime, size)
    try:
        block = header(member)
    except KheadersfsError:  # pack itself refuses such a time
        block = header(member._replace(mtime=0))
    block += padded(b"c" * size)
    known = Described(member.mode, mtime, size, 1)
    start = len(block) - 512
    assert end_of_plain_file(block, start, path, known) == 0


@pytest.mark.parametrize(("path", "mode", "mtime", "size"), PLAIN)
def test_a_header_that_says_anything_else_is_not_taken_for_a_known_one(
    path: bytes, mode: int, mtime: int, size: int
) -> None:
    """With any byte changed, it is read, or reading it would say the same."""
    block = plain_file(path, mode, mtime, size)
    known = Described(stat.S_IFREG | mode, mtime, size, 1)
    same = described(path, known.mode, mtime, 512, size)
    for place in range(512):
        for byte in {0, ord("0"), ord("7"), block[place] ^ 1, 0xFF} - {block[place]}:
            changed = block[:place] + bytes((byte,)) + block[place + 1 :]
            if end_of_plain_file(changed, 512, path, known):
                assert walk(changed) == [same], f"byte {place} is {byte}"


def test_a_walk_asks_about_members_with_one_header_only() -> None:
    long_name = tar_long(LONG_NAME, b"l" * 200) + tar_file(b"l" * 100, b"content")
    block = FILE + long_name + tar_file(b"g", b"content")
    asked: list[int] = []

    def known(start: int) -> int:
        asked.append(start)
        return start + 512 if start == 512 else 0

    names = [member.name for member in walk_members(block, known=known)]
    assert names == [b"l" * 200, b"g"]
    assert asked == [512, 1536, 3584]
