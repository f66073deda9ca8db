"""Which kind of archive a file is taken for."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.compression.kinds import KINDS
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, UnsupportedArchive
from tests.attacks.forging import END, compress, newc, tar_file

if TYPE_CHECKING:
    from pathlib import Path

MAGICS = (*(magic for kind in KINDS for magic in kind.magics), b"070701", b"070702", b"070707")


@pytest.mark.parametrize("magic", MAGICS)
@pytest.mark.parametrize("compression", ["none", "xz"])
def test_a_tar_is_one_whatever_its_first_name_begins_with(magic: bytes, compression: str) -> None:
    tar = tar_file(magic + b"name", b"content") + END
    archive = Archive(BytesSource(tar if compression == "none" else compress(compression, tar)))
    reader = WholeReader(archive)
    assert (archive.compression, reader.format) == (compression, "tar")
    assert reader.load().blocks.decode(0) == b"content"


@pytest.mark.parametrize("empty", [END, bytes(10_240), newc()], ids=["tar", "GNU tar", "cpio"])
@pytest.mark.parametrize("compression", ["none", *(kind.name for kind in KINDS)])
def test_an_empty_archive_is_said_to_be_so_however_it_is_compressed(
    empty: bytes, compression: str
) -> None:
    file = empty if compression == "none" else compress(compression, empty)
    with pytest.raises(DamagedArchive, match="has no members"):
        WholeReader(Archive(BytesSource(file))).load()


@pytest.mark.parametrize("size", [1, 512, 1023, 1025, 2 << 20])
def test_zeros_that_are_no_end_marker_are_no_archive(size: int) -> None:
    with pytest.raises(UnsupportedArchive, match="neither tar nor cpio"):
        Archive(BytesSource(bytes(size)))


OTHERS = {
    "lzip": ("lzip", "-c"),
    "lzop": ("lzop", "-c"),
    "compress": ("compress", "-f", "-c"),
    "zip": ("bsdtar", "--format=zip", "-cf", "-", "@-"),
    "lzma": ("xz", "--format=lzma", "-c"),
}
BEGINNINGS = {
    "lzip": b"LZIP\x01\x0c",
    "lzop": b"\x89LZO\0\r\n\x1a\n\x10\x40",
    "compress": b"\x1f\x9d\x90",
    "zip": b"PK\x03\x04\x14",
    "lzma": b"\x5d\0\0\x80\0" + b"\xff" * 8,
}


@pytest.mark.parametrize("compression", OTHERS)
def test_a_compression_that_is_not_read_is_named_with_the_command_that_converts_it(
    compression: str, tmp_path: Path
) -> None:
    words = OTHERS[compression]
    file = BEGINNINGS[compression]
    if shutil.which(words[0]):
        tar = tar_file(b"name", b"content") + END
        made = subprocess.run(words, input=tar, capture_output=True, check=True).stdout
        assert made.startswith(file[:3])
        file = made
    with pytest.raises(UnsupportedArchive) as raised:
        Archive(BytesSource(file, "a b"))
    told = str(raised.value)
    assert f"is compressed with {compression}, which is not read here" in told
    assert told.endswith(" <'a b' | zstd >NEW.zst")
    command = told.rpartition("convert it: ")[2]
    if shutil.which(command.split()[0]) and len(file) > len(BEGINNINGS[compression]):
        (tmp_path / "a b").write_bytes(file)
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
        converted = BytesSource((tmp_path / "NEW.zst").read_bytes())
        assert WholeReader(Archive(converted)).load().blocks.decode(0) == b"content"


WRITERS = (
    *(("pzstd", "-c"), ("pzstd", "-p", "4", "-c"), ("zstd", "--no-check", "-c")),
    *(("zstd", "--long=27", "-c"), ("pigz", "-c"), ("bgzip", "-c"), ("pbzip2", "-c")),
    *(("lz4", "-l", "-c"), ("xz", "-T2", "--block-size=20000", "-c")),
)


@pytest.mark.parametrize("words", WRITERS, ids=" ".join)
def test_what_other_programs_write_is_read(words: tuple[str, ...], tmp_path: Path) -> None:
    if shutil.which(words[0]) is None:
        pytest.skip(f"not installed: {words[0]}")
    content = random.Random(1).randbytes(2_000_000)
    tar = tmp_path / "k.tar"
    tar.write_bytes(tar_file(b"name", content) + END)
    made = subprocess.run([*words, tar], capture_output=True, check=True).stdout
    blocks = WholeReader(Archive(BytesSource(made))).load().blocks
    assert b"".join(map(blocks.decode, range(len(blocks)))) == content
