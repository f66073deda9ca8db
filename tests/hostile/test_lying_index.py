"""Embedded indexes that lie, with every checksum right: right bytes or an error, never others."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.compression.xz_blocks import XzBlocks
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.opening import Archive, open_archive
from kheadersfs.archive.readers import IndexReader, Reader, WholeReader, prepare_to_serve
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, KheadersfsError
from kheadersfs.limits import UNLIMITED
from kheadersfs.reader import HeaderArchive
from tests.attacks.lies import NOT_USED, SAME_SIZE, USED, with_index, with_sections
from tests.support.mounting import run_command

if TYPE_CHECKING:
    from pathlib import Path

    from kheadersfs.archive.blocks.table import BlockTable
    from tests.conftest import Mounting
    from tests.support.mounting import Mount

SEED = 5
FOOTER = b"KHDRidx\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the same and of different sizes, in directories, with a link and an empty one."""
    top = tmp_path_factory.mktemp("lying") / "tree"
    generator = random.Random(SEED)
    for directory in ("include/linux", "include/asm", "arch"):
        (top / directory).mkdir(parents=True)
        for number in range(6):
            size = SAME_SIZE if number % 2 else generator.randrange(1, 20_000)
            (top / directory / f"header{number}.h").write_bytes(generator.randbytes(size))
    (top / "arch/empty.h").write_bytes(b"")
    (top / "arch/link.h").symlink_to("header1.h")
    os.link(top / "arch/header2.h", top / "arch/same.h")
    return top


@pytest.fixture(scope="module")
def packed(tree: Path) -> bytes:
    """The tree, packed with an index."""
    plain, packed = tree.parent / "plain.tar", tree.parent / "packed.tar.xz"
    subprocess.run(["tar", "--sort=name", "-cf", plain, "-C", tree, "."], check=True)
    assert run_command("repack", plain, packed).status == 0
    return packed.read_bytes()


@pytest.fixture(scope="module")
def truth(packed: bytes) -> dict[str, bytes]:
    """Every file of the archive and its content."""
    archive = HeaderArchive(Archive(BytesSource(packed)))
    return {entry.path: archive.read(entry.path) for entry in archive if entry.is_file}


def read_or_fail(archive: HeaderArchive, path: str) -> bytes | None:
    try:
        return archive.read(path)
    except KheadersfsError:
        return None


def count_errors(mounted: Mount, truth: dict[str, bytes]) -> int:
    """Return how many files cannot be read; the others must have the right bytes."""
    failed = 0
    for name, content in truth.items():
        try:
            assert (mounted / name).read_bytes() == content
        except OSError as error:
            assert error.strerror == "Input/output error"
            failed += 1
    return failed


def decodes(blocks: BlockTable, number: int) -> bool:
    try:
        blocks.decode(number)
    except DamagedArchive:
        return False
    return True


@pytest.mark.parametrize("lie", USED)
def test_a_lie_yields_right_bytes_or_an_error(
    lie: str, packed: bytes, truth: dict[str, bytes], tmp_path: Path
) -> None:
    lying = with_index(packed, USED[lie])
    assert lying != packed
    path = tmp_path / "lying.tar.xz"
    path.write_bytes(lying)
    archive = HeaderArchive(open_archive(str(path)))
    assert archive.content.indexed
    outcomes = {name: read_or_fail(archive, name) for name in truth}
    wrong = {name for name, content in outcomes.items() if content not in (None, truth[name])}
    invented = {entry.path for entry in archive if entry.is_file} - truth.keys()
    wrong |= {name for name in invented if read_or_fail(archive, name)}
    assert wrong == set()
    blocks = archive.content.blocks
    assert not all(decodes(blocks, number) for number in range(len(blocks))), "no lie was found"
    archive.close()
    verified = run_command("verify", path)
    assert verified.status == 13, verified


def test_a_name_of_nothing_new_is_what_only_verify_finds(
    tree: Path, packed: bytes, truth: dict[str, bytes], tmp_path: Path
) -> None:
    """Nothing but a look at every header tells that a further name of a file is in none of them.

    So this says what is not promised: the name is there, with the bytes of the file.
    """
    more = tmp_path / "more"
    shutil.copytree(tree, more, symlinks=True)
    for name in ("arch/same.h", "arch/zzz.h"):  # what the tree has, and what only the index has
        (more / name).unlink(missing_ok=True)
        (more / name).hardlink_to(more / "arch/header2.h")
    shutil.copystat(tree / "arch", more / "arch")
    plain, longer, lying = (tmp_path / name for name in ("plain", "longer.tar.xz", "lying.tar.xz"))
    subprocess.run(["tar", "--sort=name", "-cf", plain, "-C", more, "."], check=True)
    assert run_command("repack", plain, longer).status == 0
    blocks = Archive(BytesSource(longer.read_bytes())).blocks
    assert blocks is not None
    last = len(blocks) - 1
    table = embedded.decode(
        embedded.find(blocks.decode(last)), blocks.starts[: last + 1], "index", UNLIMITED
    ).table
    lying.write_bytes(with_index(packed, lambda index: index._replace(table=table)))
    archive = HeaderArchive(open_archive(str(lying)))
    assert archive.content.indexed
    assert archive.read("arch/zzz.h") == truth["arch/header2.h"]
    assert {name: archive.read(name) for name in truth} == truth
    archive.close()
    assert run_command("verify", lying).status == 13


@pytest.mark.parametrize("lie", NOT_USED)
def test_an_index_that_contradicts_itself_is_not_used(
    lie: str, packed: bytes, truth: dict[str, bytes]
) -> None:
    archive = HeaderArchive(Archive(BytesSource(with_index(packed, NOT_USED[lie]))))
    assert not archive.content.indexed
    assert "its index cannot be used" in archive.content.warning
    assert {name: archive.read(name) for name in truth} == truth


@pytest.mark.parametrize("lie", NOT_USED)
def test_who_has_nothing_but_the_index_gets_right_bytes_or_errors(
    lie: str, packed: bytes, truth: dict[str, bytes]
) -> None:
    """A server that has found one has no library to read the archive without it."""
    opened = Archive(BytesSource(with_index(packed, NOT_USED[lie])))
    assert isinstance(prepare_to_serve(opened), IndexReader)
    archive = HeaderArchive(opened, reader=IndexReader)
    outcomes = {name: read_or_fail(archive, name) for name in truth}
    assert [name for name, read in outcomes.items() if read not in (None, truth[name])] == []
    assert None in outcomes.values()


def test_a_mount_shows_errors_for_the_part_of_an_index_that_contradicts_itself(
    packed: bytes, mount: Mounting, truth: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "lying.tar.xz"
    path.write_bytes(with_index(packed, NOT_USED["names that are not sorted"]))
    mounted = mount(path)
    mounted.accept("ERROR: .*its index cannot be used: .*; write one anew: kheadersfs repack")
    assert count_errors(mounted, truth)


def test_an_index_that_vanishes_while_its_archive_is_being_mounted_is_an_error(
    packed: bytes, tmp_path: Path
) -> None:
    """A server that has seen one has given up what it takes to read an archive without."""
    path = tmp_path / "packed.tar.xz"
    path.write_bytes(packed)
    with closing(open_archive(str(path))) as archive:
        reader = prepare_to_serve(archive)
        assert reader.is_indexed
        with path.open("r+b") as changing:
            changing.seek(packed.rindex(FOOTER))
            changing.write(bytes(len(FOOTER)))
        with pytest.raises(DamagedArchive, match=f"{path}: was changed after it was opened"):
            reader.load()


def test_an_untouched_index_written_again_is_the_same(
    packed: bytes, truth: dict[str, bytes]
) -> None:
    archive = HeaderArchive(Archive(BytesSource(with_index(packed, lambda index: index))))
    assert archive.content.indexed
    assert {name: archive.read(name) for name in truth} == truth


@pytest.mark.parametrize("lie", ["files of the same size exchanged", "digests of zeros"])
def test_a_mount_with_a_lying_index_shows_errors_and_no_other_bytes(
    lie: str, packed: bytes, truth: dict[str, bytes], mount: Mounting, tmp_path: Path
) -> None:
    path = tmp_path / "lying.tar.xz"
    path.write_bytes(with_index(packed, USED[lie]))
    mounted = mount(path)
    mounted.accept("ERROR: .* is damaged: (the index does not describe|its SHA-256 is not)")
    assert count_errors(mounted, truth)
    assert mounted.status()["indexed"]


@pytest.mark.parametrize("reader", [WholeReader, IndexReader], ids=["command", "server"])
def test_every_altered_byte_of_an_index_yields_right_bytes_or_an_error(
    reader: type[Reader], packed: bytes, truth: dict[str, bytes]
) -> None:
    """With the checksums made right, as only an attacker would."""
    generator = random.Random(SEED)
    container = Archive(BytesSource(with_index(packed, lambda index: index)))
    assert isinstance(container.blocks, XzBlocks)
    body = embedded.find(container.blocks.decode(len(container.blocks) - 1))
    sections = [section.inflate() for section in embedded.split(body)]
    assert len(sections) > 2
    used = 0
    for _ in range(300):
        altered = [bytearray(section) for section in sections]
        section = generator.choice(altered)
        section[generator.randrange(len(section))] ^= 1 << generator.randrange(8)
        lying = with_sections(container.blocks, *map(bytes, altered))
        try:
            archive = HeaderArchive(Archive(BytesSource(lying)), reader=reader)
            used += archive.content.indexed
            for name, expected in truth.items():
                if archive.tree.resolve(name.encode()):
                    assert read_or_fail(archive, name) in (None, expected), name
        except KheadersfsError:
            continue
    assert used > 50, "hardly an index was good enough to be used"
