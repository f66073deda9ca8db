"""What a block's cpio headers say of the members in it."""

from __future__ import annotations

import stat

import pytest

from tests.attacks import forging as forge
from tests.attacks.forging import (
    Newc,
)
from tests.support.walks import SECOND, described, only, walk


def test_members_of_cpio_are_as_their_headers_say() -> None:
    block = b"".join(
        member.encode()
        for member in (
            Newc(b".", mode=stat.S_IFDIR | 0o755, links=2),
            Newc(b"./d", mode=stat.S_IFDIR | 0o755, links=2),
            Newc(b"d/f", b"content", links=2),
            Newc(b"name", b"four"),
            Newc(b"link", b"target", mode=stat.S_IFLNK | 0o777),
        )
    )
    assert walk(block, is_last=False) == walk(block) == walk(block + forge.newc())
    assert walk(block) == [
        described(b"", stat.S_IFDIR | 0o755, 0, 112, 0, 2),
        described(b"d", stat.S_IFDIR | 0o755, 0, 228, 0, 2),
        described(b"d/f", stat.S_IFREG | 0o644, 0, 344, 7, 2),
        described(b"name", stat.S_IFREG | 0o644, 0, 468, 4, 1),
        described(b"link", stat.S_IFLNK | 0o777, 0, 588, 0, 1, b"target"),
    ]


def test_a_time_of_cpio_is_unsigned() -> None:
    whole = Newc(b"f").encode()
    assert only(whole[:46] + b"FFFFffff" + whole[54:]).mtime == 0xFFFFFFFF * SECOND


CPIO_LIES = {
    "a device": (Newc(b"f", mode=stat.S_IFBLK | 0o644).encode(), "neither file, directory nor"),
    "a fifo": (Newc(b"f", mode=stat.S_IFIFO | 0o644).encode(), "neither file, directory nor"),
    "no type": (Newc(b"f", mode=0o644).encode(), "neither file, directory nor"),
    "more bits": (Newc(b"f", mode=stat.S_IFREG | 1 << 16).encode(), "neither file, directory nor"),
    "a directory with content": (
        Newc(b"f", b"content", mode=stat.S_IFDIR | 0o755).encode(),
        "size where there is no content",
    ),
    "content that is cut off": (Newc(b"f", b"1234").encode()[:-1], "beyond its block"),
    "a target that is cut off": (
        Newc(b"f", b"1234", mode=stat.S_IFLNK | 0o777).encode()[:-1],
        "beyond its block",
    ),
    "a name that is cut off": (Newc(b"f", name_size=100).encode(), "beyond its block"),
    "a header that is cut off": (Newc(b"f").encode()[:109], "no cpio header"),
    "another magic": (Newc(b"f").encode(b"070702"), "no cpio header"),
    "zeros behind it": (Newc(b"f").encode() + bytes(4), "no cpio header"),
}


@pytest.mark.parametrize("lie", CPIO_LIES)
def test_a_member_of_cpio_that_is_not_whole_is_an_error(lie: str) -> None:
    block, message = CPIO_LIES[lie]
    with pytest.raises(ValueError, match=message):
        walk(Newc(b"good", b"content").encode() + block)
