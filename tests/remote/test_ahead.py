"""Hot blocks that come ahead of need, several with one request: what has come is read at once."""

from __future__ import annotations

import stat
import threading
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.fuse.content import OPENS_OF_A_BUILD
from kheadersfs.reader import open_archive
from tests.support.mounting import HANGS, Mount
from tests.support.servers import liar, partial, range_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path


class HotBlock(NamedTuple):
    """Where a block is stored, and a header in it with its content."""

    offset: int
    end: int
    path: str
    content: bytes


@pytest.fixture
def hot_blocks(packed: Path) -> list[HotBlock]:
    """The hot blocks of the archive that have headers, of which there are several."""
    with open_archive(packed) as opened:
        blocks = opened.archive.blocks
        assert blocks is not None
        headers: dict[int, bytes] = {}
        for path, inode in opened.tree.walk():
            if stat.S_ISREG(opened.tree.attributes(inode).mode):
                start, _ = opened.tree.extent(inode)
                headers.setdefault(bisect_right(blocks.starts, start) - 1, path)
        found = []
        for number in sorted(headers.keys() & {*range(opened.content.hot_blocks)}):
            offset, size = blocks.stored_at(number)
            header = headers[number].decode()
            found.append(HotBlock(offset, offset + size, header, opened.read(header)))
    assert len(found) > 2
    return found


def test_a_block_that_has_come_is_read_while_those_behind_it_are_on_their_way(
    packed: Path,
    hot_blocks: list[HotBlock],
    mount_address: Callable[..., Mount],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KHEADERSFS_TIMEOUT", "300")
    content = packed.read_bytes()
    ends = {block.end: block for block in hot_blocks}
    held_back = threading.Event()
    asked: list[range] = []

    def answer(head: str, connection: socket.socket) -> None:
        start, end = range_of(head, len(content)) or (0, len(content))
        if end in ends:
            asked.append(range(start, end))
        said = partial(content, start, end, 'ETag: "one"')
        if end in ends and start < ends[end].offset:  # several blocks
            connection.sendall(said[:-1])
            held_back.wait(HANGS)
            said = said[-1:]
        connection.sendall(said)

    with liar(answer) as address:
        mounted = mount_address(f"{address}/k")
        try:
            # After more of them the server begins to decode all, and waits for the last one.
            for block in hot_blocks[: OPENS_OF_A_BUILD - 1]:
                assert (mounted / block.path).read_bytes() == block.content
            assert sum(map(len, asked)) == len(set().union(*asked)), "nothing came twice"
        finally:
            held_back.set()
        assert (mounted / hot_blocks[-1].path).read_bytes() == hot_blocks[-1].content


def test_damage_in_one_of_several_is_an_error_of_that_one(
    packed: Path, hot_blocks: list[HotBlock], mount_address: Callable[..., Mount]
) -> None:
    content = bytearray(packed.read_bytes())
    content[hot_blocks[1].offset + 100] ^= 1

    def answer(head: str, connection: socket.socket) -> None:
        start, end = range_of(head, len(content)) or (0, len(content))
        connection.sendall(partial(bytes(content), start, end, 'ETag: "one"'))

    with liar(answer) as address:
        mounted = mount_address(f"{address}/k")
        for block in (hot_blocks[0], *hot_blocks[2:]):
            assert (mounted / block.path).read_bytes() == block.content
        with pytest.raises(OSError, match="Input/output error"):
            (mounted / hot_blocks[1].path).read_bytes()
        assert "sends other bytes" in mounted.messages()[-1]
