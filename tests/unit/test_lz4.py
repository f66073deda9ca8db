"""The framing of lz4 files, against what lz4 writes and against damage."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from kheadersfs.archive.compression import lz4
from kheadersfs.archive.compression.kind import LZ4_MAGIC
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, RefusedArchive, UnsupportedArchive
from kheadersfs.limits import Limits
from tests.attacks.forging import END, lz4_frame, tar_file
from tests.support.seen import one_kernels
from tests.support.sources import CountingSource

needs_lz4 = pytest.mark.skipif(shutil.which("lz4") is None, reason="not installed: lz4")

UNCHECKED = "--no-frame-crc"
OPTIONS = (
    (),
    ("--content-size",),
    ("-BX",),
    ("-B4", "-BD"),
    ("-B4", "-BX", "--content-size", "-9"),
    ("-BX", UNCHECKED),
    (UNCHECKED,),
)


def skippable(magic: int) -> bytes:
    return magic.to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"


SKIPPED = skippable(0x184D2A53)
BLOCK_CHECKSUMS, CONTENT_SIZE, CONTENT_CHECKSUM, DICTIONARY = 0x10, 0x08, 0x04, 0x01


def frame(content: bytes, *options: str) -> bytes:
    """*content* as the program writes it."""
    return subprocess.run(
        ["lz4", *options, "-c", "-"], check=True, input=content, capture_output=True
    ).stdout


def all_checked(file: bytes) -> bool:
    return lz4.all_checked(BytesSource(file))


@needs_lz4
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_frames_of_every_kind_are_walked_to_the_end(options: tuple[str, ...]) -> None:
    content = random.Random(1).randbytes(100_000) + bytes(9_000_000)
    expected = UNCHECKED not in options or "-BX" in options
    for file in (b"", content[:10], content):
        frames = frame(file, *options) * 2 + SKIPPED
        assert all_checked(frames) is expected
        for rest in (b"\0", bytes(512), b"stray bytes", frames[:3]):
            with pytest.raises(DamagedArchive, match=f"no lz4 frame at offset {len(frames)}"):
                all_checked(frames + rest)


@pytest.mark.parametrize("block_checksums", [BLOCK_CHECKSUMS, 0])
@pytest.mark.parametrize("content_size", [CONTENT_SIZE, 0])
@pytest.mark.parametrize("content_checksum", [CONTENT_CHECKSUM, 0])
@pytest.mark.parametrize("dictionary", [DICTIONARY, 0])
def test_fields_are_where_the_flags_of_a_frame_say(
    block_checksums: int, content_size: int, content_checksum: int, dictionary: int
) -> None:
    """Each is of ones, which are no size of a block and begin no frame."""
    flags = 0x60 | block_checksums | content_size | content_checksum | dictionary
    before = bool(content_size) * 8 + bool(dictionary) * 4
    descriptor = bytes((flags, 0x70)) + b"\xff" * before + b"h"
    block = (7).to_bytes(4, "little") + b"content" + b"\xff" * 4 * bool(block_checksums)
    end = bytes(4) + b"\xff" * 4 * bool(content_checksum)
    file = LZ4_MAGIC + descriptor + block * 2 + end
    assert all_checked(file * 2) is bool(block_checksums or content_checksum)
    with pytest.raises(DamagedArchive, match=f"no lz4 frame at offset {len(file)}"):
        all_checked(file + b"stray bytes")


@pytest.mark.parametrize(
    ("magic", "other"), [(0x184D2A50, 0x184D2A4F), (0x184D2A5F, 0x184D2A60)], ids=hex
)
def test_frames_of_any_skippable_kind_are_skipped_and_no_others(magic: int, other: int) -> None:
    assert all_checked(skippable(magic) * 2)
    with pytest.raises(DamagedArchive, match="no lz4 frame at offset 0"):
        all_checked(skippable(other))


TAR = tar_file(b"k.h", b"content") + END
EMPTY = SKIPPED[:4] + bytes(4)
LEGACY = "-l"


def content_of(file: bytes) -> bytes:
    content = WholeReader(Archive(BytesSource(file))).load()
    return one_kernels(content.table).whole().names + content.blocks.decode(0)


@pytest.mark.parametrize("first", [SKIPPED, EMPTY, SKIPPED + EMPTY * 3 + SKIPPED])
def test_what_is_to_be_skipped_may_come_before_between_and_behind(first: bytes) -> None:
    frames = lz4_frame(TAR[:700]) + first + lz4_frame(TAR[700:])
    assert content_of(first + frames + first) == b"k.hcontent"
    with pytest.raises(DamagedArchive, match="has no members"):
        Archive(BytesSource(first))
    with pytest.raises(UnsupportedArchive, match="neither tar nor cpio"):
        Archive(BytesSource(first + b"stray bytes"))
    with pytest.raises(DamagedArchive, match="skippable frame at offset 0 is cut off"):
        Archive(BytesSource(SKIPPED[:-1]))
    with pytest.raises(RefusedArchive, match="--limit blocks="):
        Archive(BytesSource(EMPTY * 3 + frames), Limits(blocks=2))


@needs_lz4
def test_legacy_frames_are_read_in_all_their_blocks_and_whatever_follows() -> None:
    """A block has 8 MiB. Such a frame has no end mark: the next one's magic ends it."""
    large = tar_file(b"large", bytes(20 << 20)) + tar_file(b"k.h", b"content") + END
    legacy = frame(large, LEGACY)
    for file in (
        legacy,
        SKIPPED + legacy + SKIPPED,
        frame(large[:1000], LEGACY) + frame(large[1000:]),
        frame(large[:1000]) + frame(large[1000:], LEGACY) + SKIPPED,
        frame(large[: 9 << 20], LEGACY) + frame(large[9 << 20 :], LEGACY),
    ):
        archive = Archive(BytesSource(file))
        assert not archive.checked
        table = one_kernels(WholeReader(archive).load().table)
        assert (table.whole().names, table.content_size) == (
            b"k.hlarge",
            7 + (20 << 20),
        )


@needs_lz4
def test_a_legacy_frame_that_is_cut_off_damaged_or_followed_by_others_is_damaged() -> None:
    file = frame(TAR + bytes(range(256)) * 64, LEGACY)
    empty = frame(b"", LEGACY)
    for rest in (b"", empty, frame(TAR)):
        with pytest.raises(DamagedArchive, match=f"at offset {len(file)} has no blocks"):
            all_checked(file + empty + rest)
    for length in (*range(5, 30), len(file) - 1):
        with pytest.raises(DamagedArchive, match="at offset 0 is cut off"):
            all_checked(file[:length])
    with pytest.raises(DamagedArchive, match=f"block at offset {len(file)} is invalid"):
        all_checked(file + bytes(4))
    with pytest.raises(DamagedArchive, match=f"no lz4 frame at offset {len(file)}"):
        all_checked(file + b"\xff" * 8)
    with pytest.raises(DamagedArchive):
        WholeReader(Archive(BytesSource(file[:8] + b"\xff" * (len(file) - 8)))).load()


@needs_lz4
def test_legacy_blocks_and_what_they_decompress_to_are_limited() -> None:
    bomb = frame(bytes(80 << 20), LEGACY)
    with pytest.raises(RefusedArchive, match="--limit blocks="):
        lz4.all_checked(BytesSource(bomb), Limits(blocks=10))
    assert not lz4.all_checked(BytesSource(bomb), Limits(blocks=11))
    large = frame(tar_file(b"large", bytes(80 << 20)) + END, LEGACY)
    with pytest.raises(RefusedArchive, match="--limit ratio="):
        WholeReader(Archive(BytesSource(large), Limits(ratio=100))).load()


@needs_lz4
def test_one_frame_without_checksums_is_enough_for_damage_not_to_show() -> None:
    checked, unchecked = frame(b"first"), frame(b"second", UNCHECKED)
    assert all_checked(checked + checked)
    assert not all_checked(checked + unchecked)
    assert not all_checked(unchecked + checked)


def test_every_truncation_is_noticed_or_ends_at_a_whole_frame() -> None:
    frames = [lz4_frame(b"content"), SKIPPED, lz4_frame(b"x" * 1000)]
    whole = {len(b"".join(frames[:count])) for count in range(1, len(frames))}
    file = b"".join(frames)
    for length in set(range(1, len(file))) - whole:
        with pytest.raises(DamagedArchive):
            all_checked(file[:length])


def test_a_block_larger_than_its_frame_allows_is_refused() -> None:
    good = lz4_frame(b"content")
    large = good[:7] + ((4 << 20) + 1).to_bytes(4, "little") + bytes(5 << 20)
    with pytest.raises(DamagedArchive, match="block at offset 7 is invalid"):
        all_checked(large)


@pytest.mark.parametrize(
    "header", [b"\x20\x70", b"\xa0\x70", b"\x60\x30", b"\x60\x80", b"\x60\xf0"]
)
def test_a_frame_of_another_version_or_unknown_size_is_refused(header: bytes) -> None:
    good = lz4_frame(b"content")
    with pytest.raises(DamagedArchive, match="frame header at offset 0 is invalid"):
        all_checked(good[:4] + header + good[6:])


def test_frames_and_blocks_are_limited_together() -> None:
    source = BytesSource(lz4_frame(b"content") + SKIPPED + lz4_frame(b"content"))
    assert lz4.all_checked(source, Limits(blocks=5)) is False
    with pytest.raises(RefusedArchive, match="--limit blocks="):
        lz4.all_checked(source, Limits(blocks=4))
    with pytest.raises(RefusedArchive, match="--limit blocks="):
        lz4.all_checked(BytesSource(SKIPPED * 5), Limits(blocks=4))


def test_blocks_beyond_the_limit_are_not_walked() -> None:
    """A block of nothing takes four bytes, so a file may have hundreds of millions."""
    empty_block = (1 << 31).to_bytes(4, "little")
    source = CountingSource(lz4_frame(b"")[:7] + empty_block * 1000 + bytes(4))
    with pytest.raises(RefusedArchive, match="--limit blocks="):
        lz4.all_checked(source, Limits(blocks=10))
    assert source.reads < 20


def test_an_archive_whose_later_frame_is_damaged_at_its_start_is_damaged() -> None:
    first, second = (lz4_frame(tar_file(name, b"content")) for name in (b"first", b"second"))
    file = first + second + lz4_frame(END)
    table = WholeReader(Archive(BytesSource(file))).load().table
    assert one_kernels(table).whole().names == b"firstsecond"
    for position in (0, 1, 2, 3, 4, 5, 6):
        altered = bytearray(file)
        altered[len(first) + position] ^= 0x80
        with pytest.raises(DamagedArchive):
            WholeReader(Archive(BytesSource(bytes(altered)))).load()
