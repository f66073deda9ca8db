"""Which kind of archive a file is taken for."""

from __future__ import annotations

import pytest

from kheadersfs.archive.opening import Archive
from kheadersfs.archive.sniffing import MAGICS
from kheadersfs.archive.source import BytesSource
from tests.hostile.forging import END, compress, tar_file

CPIO_MAGICS = (b"070701", b"070707")


@pytest.mark.parametrize("magic", [*MAGICS.values(), *CPIO_MAGICS])
@pytest.mark.parametrize("compression", ["none", "xz"])
def test_a_tar_is_one_whatever_its_first_name_begins_with(magic: bytes, compression: str) -> None:
    tar = tar_file(magic + b"name", b"content") + END
    archive = Archive(BytesSource(tar if compression == "none" else compress(compression, tar)))
    assert (archive.compression, archive.format) == (compression, "tar")
    assert archive.load().blocks.decode(0) == b"content"
