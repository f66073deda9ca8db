"""While an archive is read in one pass, threads share the interpreter in shorter turns."""

from __future__ import annotations

import io
import lzma
import random
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.onepass import read_in_one_pass
from kheadersfs.archive.opening import archive_in
from kheadersfs.archive.source import BytesSource
from kheadersfs.archive.threads import SWITCH_INTERVAL, sharing_soon
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from collections.abc import Iterator


class Watched(BytesSource):
    """A source that notes the switch interval when it is read."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.intervals: set[float] = set()

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at."""
        self.intervals.add(sys.getswitchinterval())
        return super().read_at(offset, length)


@pytest.fixture
def usual() -> Iterator[float]:
    """An interval that is nobody's, for the test."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.125)
    yield sys.getswitchinterval()
    sys.setswitchinterval(before)


def one_block() -> bytes:
    """A tar in one block of xz, which takes several reads."""
    content = random.Random(0).randbytes(1 << 20)
    file, header = io.BytesIO(), tarfile.TarInfo("header.h")
    header.size = len(content)
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(header, io.BytesIO(content))
    return lzma.compress(file.getvalue())


def test_turns_are_shorter_until_the_archive_has_been_read(usual: float) -> None:
    source = Watched(one_block())
    archive = archive_in(source)
    assert source.intervals == {usual}
    read_in_one_pass(archive)
    assert min(source.intervals) == pytest.approx(SWITCH_INTERVAL)
    assert sys.getswitchinterval() == usual


def test_they_are_as_before_when_the_archive_is_damaged(usual: float) -> None:
    content = bytearray(one_block())
    content[len(content) // 2] ^= 1
    with pytest.raises(DamagedArchive):
        read_in_one_pass(archive_in(BytesSource(bytes(content))))
    assert sys.getswitchinterval() == usual


def test_of_two_that_overlap_the_first_to_begin_ends_it(usual: float) -> None:
    first, second = sharing_soon(), sharing_soon()
    with first:
        second.__enter__()
    assert sys.getswitchinterval() == usual
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == usual
