"""What the lister is told, and when it is found out; no FUSE."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.opening import open_archive
from kheadersfs.archive.readers import IndexReader
from kheadersfs.fuse import advance
from kheadersfs.fuse.advance import MOST_ABSENT, Advance
from kheadersfs.fuse.answers import Answers, Served
from kheadersfs.fuse.content import ContentServer
from kheadersfs.fuse.hot import find_hot
from kheadersfs.fuse.loop import Loop
from kheadersfs.store import Store
from kheadersfs.tree import Tree, tree_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kheadersfs.fuse.hot import Hot

LISTER = 4711
"""The pid of a process that need not exist."""
BUDGET = 64 << 20


@pytest.fixture
def loop() -> Loop:
    """A loop with one thread, so that its jobs are run in their order."""
    return Loop(1, lambda: None)


@pytest.fixture
def served(packed_zstd: Path, loop: Loop) -> Served:
    reader = IndexReader(open_archive(os.fsencode(packed_zstd)))
    reader.prepare()
    content = reader.load()
    store = Store(content.blocks, BUDGET)
    server = ContentServer(loop, store, content.hot_blocks, reader.archive.source)
    return Served(tree_of(content.table), server, "", None, b"", content.arch)


@pytest.fixture
def ahead(loop: Loop, served: Served) -> Advance:
    async def load() -> Served:
        return served

    return Advance(loop, Answers(load), None, -1, None)


def test_a_lister_lists_directories_first_and_then_looks_for_names(
    loop: Loop, served: Served, ahead: Advance
) -> None:
    told: list[bytes] = []

    async def main() -> None:
        told.extend(await ahead.begin_for(LISTER))

    loop.run(main())
    tree: Tree = served.tree
    listed = [path for path in told if path.endswith(b"/")]
    absent = told[len(listed) :]
    assert len(listed) > 10
    assert told[: len(listed)] == listed
    assert all(stat.S_ISDIR(tree.attributes(tree.resolve(path)).mode) for path in listed)
    assert 50 < len(absent) <= MOST_ABSENT
    assert not any(map(tree.resolve, absent))


def test_what_is_hot_is_found_once_and_before_there_is_a_lister(
    loop: Loop, served: Served, ahead: Advance, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def counting(tree: Tree, starts: Sequence[int], blocks: int, largest: int, srcarch: str) -> Hot:
        calls.append(blocks)
        return find_hot(tree, starts, blocks, largest, srcarch)

    monkeypatch.setattr(advance, "find_hot", counting)

    async def main() -> None:
        ahead.prepare(served)
        await loop.run_in_thread(lambda: None, ahead=True)
        assert len(calls) == 1
        assert not ahead.has_begun
        assert await ahead.begin_for(LISTER)
        assert len(calls) == 1

    loop.run(main())


def test_what_could_not_be_found_ahead_fails_for_the_lister(
    loop: Loop, served: Served, ahead: Advance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_arguments: object) -> Hot:
        raise MemoryError

    async def main() -> None:
        ahead.prepare(served)
        await loop.run_in_thread(lambda: None, ahead=True)
        with pytest.raises(MemoryError):
            await ahead.begin_for(LISTER)

    monkeypatch.setattr(advance, "find_hot", failing)
    loop.run(main())
