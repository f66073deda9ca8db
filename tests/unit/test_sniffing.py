"""Which kind of archive a file is taken for."""

from __future__ import annotations

import pytest

from kheadersfs.archive.opening import Archive
from kheadersfs.archive.sniffing import MAGICS
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, UnsupportedArchive
from tests.hostile.forging import END, compress, newc, tar_file

CPIO_MAGICS = (b"070701", b"070702", b"070707")


@pytest.mark.parametrize("magic", [*MAGICS.values(), *CPIO_MAGICS])
@pytest.mark.parametrize("compression", ["none", "xz"])
def test_a_tar_is_one_whatever_its_first_name_begins_with(magic: bytes, compression: str) -> None:
    tar = tar_file(magic + b"name", b"content") + END
    archive = Archive(BytesSource(tar if compression == "none" else compress(compression, tar)))
    assert (archive.compression, archive.format) == (compression, "tar")
    assert archive.load().blocks.decode(0) == b"content"


@pytest.mark.parametrize("empty", [END, bytes(10_240), newc()], ids=["tar", "GNU tar", "cpio"])
@pytest.mark.parametrize("compression", ["none", *MAGICS])
def test_an_empty_archive_is_said_to_be_so_however_it_is_compressed(
    empty: bytes, compression: str
) -> None:
    file = empty if compression == "none" else compress(compression, empty)
    with pytest.raises(DamagedArchive, match="has no members"):
        Archive(BytesSource(file)).load()


@pytest.mark.parametrize("size", [1, 512, 1023, 1025, 2 << 20])
def test_zeros_that_are_no_end_marker_are_no_archive(size: int) -> None:
    with pytest.raises(UnsupportedArchive, match="neither tar nor cpio"):
        Archive(BytesSource(bytes(size)))
