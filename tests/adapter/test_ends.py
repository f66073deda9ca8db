"""How archives end: without an end marker, with another archive behind it, or in the middle."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.archive.opening import Archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive
from tests.support.mounting import Outcome, run_command
from tests.support.seen import seen_by_us
from tests.support.synthetic import COMPRESSIONS, VARIANTS, missing_programs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILES = {"a": b"first\n", "b": b"second\n" * 200, "c": b"third\n" * 300}
CPIO = ("newc", "crc", "odc")


class Made(NamedTuple):
    """An archive of FILES, and one of the other half of them."""

    directory: Path
    first: bytes
    second: bytes


def write_cpio(directory: Path, form: str, *names: str) -> bytes:
    return subprocess.run(
        ["cpio", "-o", "--quiet", "-H", form],
        input="\n".join(names).encode(),
        cwd=directory,
        check=True,
        capture_output=True,
    ).stdout


def write_tar(directory: Path, *names: str) -> bytes:
    command = ["tar", "-c", "-f", "-", *names]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True).stdout


@pytest.fixture
def files(tmp_path: Path) -> Path:
    if missing := missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    directory = tmp_path / "files"
    directory.mkdir()
    for name, content in FILES.items():
        (directory / name).write_bytes(content)
    return directory


def listed(archive: Path, *command: str | Path) -> tuple[int, list[str]]:
    """Return status and names of a program that lists *archive* from its standard input."""
    with open(archive, "rb") as stream:
        done = subprocess.run(command, check=False, stdin=stream, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


def is_damaged(content: bytes) -> bool:
    """Tell whether reading the archive *content* finds damage."""
    try:
        return bool(WholeReader(Archive(BytesSource(content))).load().damage)
    except DamagedArchive:
        return True


def pack(directory: Path, packed: Path, *names: str) -> Path:
    """Pack *names* in *directory*, with times that every format can hold. Returns *packed*."""
    for name in names:
        os.utime(directory / name, (1, 1))
    plain = packed.parent / "plain"
    plain.write_bytes(write_tar(directory, *names))
    assert run_command("repack", plain, packed) == Outcome(0, "", "")
    return packed


def verdict(archive: Path) -> str:
    """Return what verify prints of *archive*, which is good, after what info says is in it too."""
    verified = run_command("verify", archive)
    assert (verified.status, verified.errors) == (0, "")
    notes = json.loads(run_command("info", "--json", archive).output)["notes"]
    assert (notes or "") in verified.output
    return verified.output


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_tar_without_its_end_marker_is_read_as_tar_does_with_a_warning(
    compression: str, files: Path, tmp_path: Path
) -> None:
    whole = write_tar(files, *FILES)
    archive = tmp_path / "archive"
    # Header and content of each member: 512 + 512, 512 + 1536, 512 + 2048.
    for end, names in ((1024, ["a"]), (3072, ["a", "b"]), (5632, ["a", "b", "c"])):
        (tmp_path / "plain").write_bytes(whole[:end])
        assert listed(tmp_path / "plain", "tar", "-t") == (0, names)
        assert listed(tmp_path / "plain", "bsdtar", "-tf-") == (0, names)
        archive.write_bytes(COMPRESSIONS[compression](whole[:end]))
        assert run_command("ls", archive).output.split() == names
        assert run_command("cat", archive, names[-1]).output.encode() == FILES[names[-1]]
        assert "no end marker" in verdict(archive)


@pytest.mark.parametrize("zeros", [512, 1024, 1536, 10_240])
def test_as_many_zeros_as_one_likes_are_an_end_marker(
    zeros: int, files: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(write_tar(files, "a")[:1024] + bytes(zeros))
    assert "marker" not in verdict(archive)


@pytest.mark.parametrize("compression", [*COMPRESSIONS, *VARIANTS])
def test_a_tar_that_is_cut_off_within_a_member_is_damaged_however_it_is_compressed(
    compression: str, files: Path
) -> None:
    compress = {**COMPRESSIONS, **VARIANTS}[compression]
    whole = write_tar(files, *FILES)
    for end in (1024 + 512, 1024 + 1024, 3072 + 256, 3072 + 512, 3072 + 2048, 5632 - 100):
        assert is_damaged(compress(whole[:end])), f"cut off at {end}"


@pytest.mark.parametrize("form", CPIO)
def test_a_cpio_without_its_trailer_is_damaged_for_cpio_bsdtar_and_us(
    form: str, files: Path, tmp_path: Path
) -> None:
    whole = write_cpio(files, form, *FILES)
    last = whole.index(b"third")
    archive = tmp_path / "archive"
    for content in (whole[: last + len(FILES["c"])], whole[: whole.index(b"TRAILER!!!") + 3]):
        archive.write_bytes(content)
        assert listed(archive, "cpio", "-it")[0] == 2
        assert listed(archive, "bsdtar", "-tf-")[0] == 1
        assert run_command("verify", archive).status == 13
        archive.write_bytes(COMPRESSIONS["xz"](content))
        assert run_command("verify", archive).status == 13


@pytest.mark.parametrize("compression", [*COMPRESSIONS, *VARIANTS])
@pytest.mark.parametrize("form", ["tar", *CPIO])
def test_what_lies_behind_the_end_marker_is_mentioned(
    form: str, compression: str, files: Path, tmp_path: Path
) -> None:
    compress = {**COMPRESSIONS, **VARIANTS}[compression]

    def write(*names: str) -> bytes:
        return write_tar(files, *names) if form == "tar" else write_cpio(files, form, *names)

    both = write("a", "b") + write("c")
    loaded = WholeReader(Archive(BytesSource(compress(both)))).load()
    assert "more behind its end marker" in loaded.ending
    assert WholeReader(Archive(BytesSource(compress(write("a", "b"))))).load().ending == ""
    if compression in ("none", "xz"):
        archive = tmp_path / "archive"
        archive.write_bytes(compress(both))
        lister = ["bsdtar", "-tf-"] if compression == "xz" or form == "tar" else ["cpio", "-it"]
        assert listed(archive, *lister) == (0, ["a", "b"])
        assert run_command("ls", archive).output.split() == ["a", "b"]
        assert "more behind its end marker" in verdict(archive)


def test_whoever_reads_or_packs_such_an_archive_is_told(files: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(write_tar(files, "a") + write_tar(files, "b"))
    packed = tmp_path / "packed.tar.xz"
    for command in (
        ("ls", archive),
        ("cat", archive, "a"),
        ("repack", archive, packed),
        ("merge", f"k={archive}", "-o", packed),
    ):
        ended = run_command(*command)
        assert ended.status == 0
        assert ended.errors.startswith(f"kheadersfs: {archive}: there is more behind its end")
        assert ended.errors.count("\n") == 1


def test_two_compressed_archives_in_one_file_are_mentioned_too(files: Path) -> None:
    for compress in (*COMPRESSIONS.values(), *VARIANTS.values()):
        both = compress(write_tar(files, "a")) + compress(write_tar(files, "b", "c"))
        seen, _ = seen_by_us(both)
        assert list(seen) == [b"a"]
        assert "more behind its end marker" in WholeReader(Archive(BytesSource(both))).load().ending


@pytest.mark.parametrize("form", ["tar", "cpio"])
def test_an_index_behind_the_end_marker_is_no_other_archive(
    form: str, files: Path, tmp_path: Path
) -> None:
    packed = pack(files, tmp_path / f"packed.{form}.xz", *FILES)
    assert "marker" not in verdict(packed)
    stream = subprocess.run(["xz", "-dc", packed], check=True, capture_output=True).stdout
    for compress in (*COMPRESSIONS.values(), *VARIANTS.values()):
        assert WholeReader(Archive(BytesSource(compress(stream)))).load().ending == ""
        two = WholeReader(Archive(BytesSource(compress(stream + stream)))).load()
        assert "more behind its end marker" in two.ending


@pytest.mark.parametrize("form", ["tar", "cpio"])
@pytest.mark.parametrize("compression", ["xz", "zst"])
def test_a_packed_archive_that_is_cut_off_between_blocks_is_damaged(
    form: str, compression: str, files: Path, tmp_path: Path
) -> None:
    names = [f"large{number}.h" for number in range(4)]
    for name in names:
        (files / name).write_bytes(os.urandom(150 << 10))
    content = pack(files, tmp_path / f"packed.{form}.{compression}", *names).read_bytes()
    blocks = Archive(BytesSource(content)).blocks
    assert blocks is not None
    assert len(blocks) > 3
    end = content.index(blocks.stored(0))
    for number in range(len(blocks)):
        end += blocks.stored_size(number)
        # Without the index, which is the last block, the archive is whole.
        if number + 2 < len(blocks) or compression == "xz":
            assert is_damaged(content[:end]), f"cut off behind block {number}"


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("compression", ["none", "gzip", "xz"])
def test_an_old_binary_cpio_is_named_with_the_command_that_converts_it(
    swapped: bool, compression: str, files: Path, tmp_path: Path
) -> None:
    content = write_cpio(files, "bin", *FILES)
    if swapped:
        content = other_byte_order(content)
    archive = tmp_path / "old archive"
    archive.write_bytes(COMPRESSIONS[compression](content))
    ended = run_command("verify", archive)
    assert (ended.status, "old binary cpio" in ended.errors) == (12, True), ended
    command = ended.errors.partition("convert it: ")[2]
    assert command.startswith("bsdtar -c --format newc -f NEW.cpio")
    subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path)
    seen, _ = seen_by_us((tmp_path / "NEW.cpio").read_bytes())
    assert {name.decode(): file.content for name, file in seen.items()} == FILES


def other_byte_order(archive: bytes) -> bytes:
    """Return an old binary cpio as a machine of the other byte order writes it: its numbers.

    Names and content stay. Source: cpio(5), "Old Binary Format".
    """
    made = bytearray()
    position = 0
    while archive.startswith(b"\xc7\x71", position):
        header = archive[position : position + 26]
        words: Sequence[int] = [
            int.from_bytes(header[at : at + 2], "little") for at in range(0, 26, 2)
        ]
        size = words[10] + words[10] % 2
        content_size = words[11] << 16 | words[12]
        size += content_size + content_size % 2
        made += b"".join(word.to_bytes(2, "big") for word in words)
        made += archive[position + 26 : position + 26 + size]
        position += 26 + size
    return bytes(made) + bytes(-len(made) % 512)
