"""Blocks that several want at once are fetched once, in whatever order they are asked for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from kheadersfs.remote.adopting import Adopted
from kheadersfs.remote.answers import Answer, Unreachable, Version
from kheadersfs.remote.cache import Cache, Known
from kheadersfs.remote.fetching import RemoteContent
from kheadersfs.remote.http import Client, Target
from kheadersfs.remote.origins import Origin
from kheadersfs.remote.spans import Extent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kheadersfs.remote.http import Tell

PLACE = "http://localhost/k"
CONTENT = bytes(index % 251 for index in range(6000))
SIZE = 1000
BLOCKS = [
    Extent(start, SIZE, hashlib.sha256(CONTENT[start : start + SIZE]).digest())
    for start in range(0, len(CONTENT), SIZE)
]


async def nowhere(_challenge: str) -> Target:
    return Target(PLACE, {})


class Gated(Client):
    """Answers when it is told to. ``asked`` are the blocks of each request."""

    def __init__(self) -> None:
        super().__init__(PLACE, nowhere, 1.0)
        self.asked: list[list[int]] = []
        self.gate = trio.Event()
        self.fails = False

    async def fetch(
        self,
        wanted: str,
        length: int,
        version: Version | None,
        unless: str = "",
        receive: Callable[[bytes], None] | None = None,
        tell: Tell | None = None,
    ) -> Answer:
        """See Client.fetch."""
        del unless, tell
        start = int(wanted.partition("-")[0])
        self.asked.append([*range(start // SIZE, (start + length) // SIZE)])
        await self.gate.wait()
        if self.fails:
            raise Unreachable("nobody is there")
        content = CONTENT[start : start + length]
        if receive is not None:
            # The connection was lost once: what came of the first answer comes again.
            receive(content[: SIZE * 3 // 2])
            receive(content)
        return Answer(content, start, version or Version(len(CONTENT), "", ""), 0.0)


def content_with(client: Client, place: Path) -> RemoteContent:
    cache = Cache(str(place), 1 << 20)
    cache.prepare()
    remote = RemoteContent(PLACE, PLACE, Origin(nowhere), cache, client)
    remote.take_over(Adopted(Known(PLACE, len(CONTENT), "", "", 0.0, (), ""), {}, None))
    return remote


def test_what_is_asked_for_while_others_come_ahead_is_fetched_once(tmp_path: Path) -> None:
    found: dict[int, bytes] = {}

    async def main() -> None:
        client = Gated()
        remote = content_with(client, tmp_path)

        async def read(number: int) -> None:
            found[number] = await remote.read(BLOCKS[number])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, 2)
            await wait_all_tasks_blocked()
            nursery.start_soon(remote.fetch_ahead, BLOCKS)
            await wait_all_tasks_blocked()
            assert sorted(client.asked) == [[0, 1], [2], [3, 4, 5]]
            for number in (0, 3, 5):
                nursery.start_soon(read, number)
            await wait_all_tasks_blocked()
            client.gate.set()
        await read(1)
        assert len(client.asked) == 3

    trio.run(main)
    assert found == {n: CONTENT[n * SIZE : (n + 1) * SIZE] for n in (0, 1, 2, 3, 5)}


@pytest.mark.parametrize("is_kept", [True, False])
def test_who_waits_for_what_does_not_come_asks_himself(is_kept: bool, tmp_path: Path) -> None:
    place = tmp_path if is_kept else tmp_path / "file/place"
    (tmp_path / "file").write_text("no directory")

    async def main() -> None:
        client = Gated()
        remote = content_with(client, place)
        client.fails = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(remote.fetch_ahead, BLOCKS)
            await wait_all_tasks_blocked()
            client.gate.set()
        with pytest.raises(Unreachable):
            await remote.read(BLOCKS[4])
        client.fails = False
        await remote.fetch_ahead(BLOCKS)
        assert client.asked == [[0, 1, 2, 3, 4, 5], [4], [0, 1, 2, 3, 4, 5]]
        assert await remote.read(BLOCKS[4]) == CONTENT[4 * SIZE : 5 * SIZE]
        assert len(client.asked) == 3

    trio.run(main)
