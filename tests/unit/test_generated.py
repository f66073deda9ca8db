"""A generated file: made once for all who wait, let go when it is not used, made again."""

from __future__ import annotations

import stat
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.generated import POSITION, GeneratedFile, Place
from kheadersfs.fuse.log import Log
from kheadersfs.fuse.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Coroutine

PLACE = Place(directory=7, name=b"made.h", inode=99, mode=stat.S_IFREG | 0o644, mtime=5)
CONTENT = b"0123456789"
KEPT = 30.0


class Maker:
    """Makes the content, and counts how often."""

    def __init__(self, content: bytes | None = CONTENT) -> None:
        self.loop = Loop(2, lambda: None)
        self.logged: list[str] = []
        self.log = Log(lambda _priority, line: self.logged.append(line))
        self.calls = 0
        self._content = content

    def __call__(self) -> bytes:
        self.calls += 1
        if self._content is None:
            raise KheadersfsError("it cannot be made")
        return self._content

    def file(self, absence: str = "") -> GeneratedFile:
        return GeneratedFile(self.loop, self.log, PLACE, self, absence)

    def run(self, *tasks: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run *tasks* at the same time. Returns what they return."""
        results: dict[int, Any] = {}

        async def keep(number: int, task: Coroutine[Any, Any, Any]) -> None:
            results[number] = await task

        async def nothing() -> None:
            return

        for number, task in enumerate(tasks):
            self.loop.start(keep(number, task))
        self.loop.run(nothing())
        return [results[number] for number in range(len(tasks))]


def test_any_number_of_tasks_make_it_once() -> None:
    maker = Maker()
    made = maker.file()
    attributes, head, tail = maker.run(made.attributes(), made.read(0, 4), made.read(8, 100))
    assert (head, tail, maker.calls) == (b"0123", b"89", 1)
    assert attributes.size == len(CONTENT)
    assert (attributes.inode, attributes.mode, attributes.mtime) == (99, PLACE.mode, 5)


def test_it_is_found_by_its_place_and_name_only() -> None:
    maker = Maker()
    made = maker.file()
    assert maker.run(made.find(7, b"other.h"), made.find(8, b"made.h")) == [None, None]
    assert maker.calls == 0
    assert maker.run(made.find(7, b"made.h"))[0].inode == 99


def test_a_listing_has_it_last_and_does_not_make_it() -> None:
    maker = Maker()
    made = maker.file()
    assert made.is_listed(7, 0)
    assert made.is_listed(7, 1000)
    assert not made.is_listed(7, POSITION)
    assert not made.is_listed(8, 0)
    assert not made.has_known_size
    assert (made.known_attributes().size, maker.calls) == (0, 0)


def test_it_is_let_go_when_it_was_not_used_for_long_and_made_again() -> None:
    maker = Maker()
    made = maker.file()
    assert made.release(monotonic(), KEPT) is None
    maker.run(made.attributes())
    now = monotonic()
    due = made.release(now, KEPT)
    assert due is not None
    assert KEPT - 5 < due <= KEPT
    assert made.release(now + KEPT, KEPT) is None
    # The size stays known, so nothing has to be made for it.
    assert maker.run(made.attributes())[0].size == len(CONTENT)
    assert maker.calls == 1
    assert maker.run(made.read(0, 100)) == [CONTENT]
    assert maker.calls == 2


def test_what_cannot_be_made_is_not_there_and_not_tried_again() -> None:
    maker = Maker(None)
    made = maker.file()
    assert made.is_listed(7, 0)
    assert maker.run(made.attributes(), made.find(7, b"made.h")) == [None, None]
    assert maker.run(made.attributes()) == [None]
    assert maker.calls == 1
    assert not made.is_listed(7, 0)
    assert maker.logged == ["no made.h: it cannot be made"]
    with pytest.raises(KheadersfsError, match="it cannot be made"):
        maker.run(made.read(0, 1))


def test_a_want_of_memory_is_forgotten_when_somebody_asks_again() -> None:
    maker = Maker()
    short = [True, False]

    def make() -> bytes:
        if short.pop(0):
            raise MemoryError
        return maker()

    made = GeneratedFile(maker.loop, maker.log, PLACE, make, "")
    with pytest.raises(MemoryError):
        maker.run(made.read(0, 4))
    assert maker.run(made.read(0, 4)) == [b"0123"]


def test_what_is_absent_says_why_when_it_is_asked_for() -> None:
    maker = Maker()
    made = maker.file("there is no library")
    assert not made.is_listed(7, 0)
    assert maker.run(made.find(7, b"other.h")) == [None]
    assert maker.logged == []
    assert maker.run(made.find(7, b"made.h")) == [None]
    assert maker.logged == ["no made.h: there is no library"]
    assert maker.calls == 0
