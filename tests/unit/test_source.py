"""Positional reads: exactly what was asked for, or an error."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.source import BytesSource, FileSource, open_source
from kheadersfs.errors import ArchiveUnavailable, DamagedArchive, UnsupportedArchive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 64


@pytest.fixture
def source(tmp_path: Path) -> Iterator[FileSource]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    opened = open_source(str(path))
    yield opened
    opened.close()


def test_a_source_knows_its_size_and_its_name(source: FileSource, tmp_path: Path) -> None:
    assert (source.size, source.name) == (len(CONTENT), str(tmp_path / "file"))


def test_reads_are_exact_wherever_they_are(source: FileSource) -> None:
    for kind in (source, BytesSource(CONTENT)):
        assert kind.read_at(0, 0) == b""
        assert kind.read_at(100, 1000) == CONTENT[100:1100]
        assert kind.read_at(len(CONTENT) - 1, 1) == CONTENT[-1:]
        assert kind.available(len(CONTENT) - 10, 100) == 10


@pytest.mark.parametrize(("offset", "length"), [(len(CONTENT), 1), (0, len(CONTENT) + 1)])
def test_a_read_beyond_the_end_is_damage(source: FileSource, offset: int, length: int) -> None:
    for kind in (source, BytesSource(CONTENT)):
        with pytest.raises(DamagedArchive):
            kind.read_at(offset, length)


def test_a_file_that_shrinks_is_an_error_and_not_short(source: FileSource, tmp_path: Path) -> None:
    os.truncate(tmp_path / "file", 1000)
    assert source.read_at(0, 1000) == CONTENT[:1000]
    with pytest.raises(DamagedArchive, match="truncated"):
        source.read_at(0, 1001)


def test_threads_do_not_disturb_each_other(source: FileSource) -> None:
    with ThreadPoolExecutor(8) as threads:
        pieces = list(threads.map(lambda offset: source.read_at(offset, 100), range(0, 16_000, 7)))
    assert pieces == [CONTENT[offset : offset + 100] for offset in range(0, 16_000, 7)]


def test_closing_twice_closes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    source = open_source(str(tmp_path / "file"))
    source.close()
    other = os.open(tmp_path / "file", os.O_RDONLY)
    source.close()
    assert os.pread(other, 1, 0) == b"x"
    os.close(other)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, what in (("fifo", "regular"), (".", "directory"), ("absent", "No such file")):
        with pytest.raises(ArchiveUnavailable, match=what):
            open_source(str(tmp_path / name))
    with pytest.raises(ArchiveUnavailable, match="not a file name"):
        open_source("nul\0")


def test_an_empty_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(UnsupportedArchive, match="empty"):
        open_source(os.fsencode(tmp_path / "empty"))
