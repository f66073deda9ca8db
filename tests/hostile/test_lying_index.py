"""Embedded indexes that lie, with every checksum right: right bytes or an error, never others."""

from __future__ import annotations

import os
import random
import stat
import subprocess
from array import array
from typing import TYPE_CHECKING

import pytest

from kheadersfs.api import HeaderArchive
from kheadersfs.archive import index as embedded
from kheadersfs.archive import xz, xz_coding
from kheadersfs.archive.blocks import XzBlocks
from kheadersfs.archive.index import Index
from kheadersfs.archive.opening import Archive, open_archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import KheadersfsError
from tests.support.mounting import run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Mounting

SEED = 5
SAME_SIZE = 3000


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


def with_index(packed: bytes, change: Callable[[Index], Index]) -> bytes:
    """Return the archive *packed* with its index changed, and all checksums made right."""
    container = Archive(BytesSource(packed))
    blocks = container.blocks
    assert isinstance(blocks, XzBlocks)
    last = len(blocks) - 1
    index = embedded.decode(blocks.decode(last))
    encoded = xz_coding.encode_block(embedded.encode(change(index), blocks.starts[:last]), 1)
    stored = [blocks.stored(number) for number in range(last)] + [encoded.stored]
    records = [(block.unpadded_size, block.decoded_size) for block in blocks.blocks[:last]]
    records.append((encoded.unpadded_size, encoded.decoded_size))
    return xz.stream_start() + b"".join(stored) + xz.stream_end(records)


def file_rows(index: Index) -> list[int]:
    table = index.table
    return [
        row
        for row, mode in enumerate(table.inode_mode)
        if stat.S_ISREG(mode) and table.inode_size[row]
    ]


def replaced(column: array[int], row: int, value: int) -> array[int]:
    changed = column[:]
    changed[row] = value
    return changed


def swap_extents(index: Index) -> Index:
    """Two files of the same size have each other's content."""
    table = index.table
    first, second = [row for row in file_rows(index) if table.inode_size[row] == SAME_SIZE][:2]
    starts = table.inode_start[:]
    starts[first], starts[second] = starts[second], starts[first]
    return index._replace(table=table._replace(inode_start=starts))


def move_extent(index: Index, by: int) -> Index:
    row = file_rows(index)[3]
    table = index.table
    starts = replaced(table.inode_start, row, table.inode_start[row] + by)
    return index._replace(table=table._replace(inode_start=starts))


def resize(index: Index, by: int) -> Index:
    row = file_rows(index)[2]
    table = index.table
    sizes = replaced(table.inode_size, row, table.inode_size[row] + by)
    return index._replace(table=table._replace(inode_size=sizes))


def rename(index: Index) -> Index:
    """Every header3.h is called header3.H, which sorts the same."""
    names = index.table.names.replace(b"header3.h", b"header3.H")
    return index._replace(table=index.table._replace(names=names))


def link_to_another(index: Index) -> Index:
    """A name stands for the inode of another file."""
    table = index.table
    first, second = file_rows(index)[:2]
    inodes = array(
        "I", [first + 1 if inode == second + 1 else inode for inode in table.entry_inode]
    )
    return index._replace(table=table._replace(entry_inode=inodes))


def forge_digests(index: Index) -> Index:
    return index._replace(digests=[bytes(32) for _ in index.digests])


USED = {
    "files of the same size exchanged": swap_extents,
    "a file moved by a block of tar": lambda index: move_extent(index, 512),
    "a file moved by one byte": lambda index: move_extent(index, 1),
    "a file moved far": lambda index: move_extent(index, 40_000),
    "a file longer by one byte": lambda index: resize(index, 1),
    "a file shorter by one byte": lambda index: resize(index, -1),
    "a file longer by a block of tar": lambda index: resize(index, 512),
    "other names": rename,
    "a name for another file": link_to_another,
    "digests of zeros": forge_digests,
}


def with_modes(index: Index, change: Callable[[int], int]) -> Index:
    table = index.table
    row = file_rows(index)[0]
    modes = replaced(table.inode_mode, row, change(table.inode_mode[row]))
    return index._replace(table=table._replace(inode_mode=modes))


NOT_USED = {
    "a set-user-ID file": lambda index: with_modes(index, lambda mode: mode | stat.S_ISUID),
    "a device": lambda index: with_modes(index, lambda mode: stat.S_IFCHR | 0o666),
    "a mode of many bits": lambda index: with_modes(index, lambda mode: mode | 1 << 20),
    "a file behind the end": lambda index: move_extent(index, 1 << 30),
    "more hot blocks than blocks": lambda index: index._replace(hot_blocks=10_000),
    "another size of the stream": lambda index: index._replace(stream_size=512),
    "a digest too few": lambda index: index._replace(digests=index.digests[:-1]),
    "a name of two dots": lambda index: index._replace(
        table=index.table._replace(names=index.table.names.replace(b"header0.h", b"../././.."))
    ),
    "names that are not sorted": lambda index: index._replace(
        table=index.table._replace(names=index.table.names.replace(b"header0.h", b"zeader0.h"))
    ),
    "a name twice": lambda index: index._replace(
        table=index.table._replace(names=index.table.names.replace(b"header0.h", b"header1.h"))
    ),
}


def read_or_fail(archive: HeaderArchive, path: str) -> bytes | None:
    try:
        return archive.read(path)
    except KheadersfsError:
        return None


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
    wrong |= {name for name in invented if read_or_fail(archive, name) is not None}
    assert wrong == set()
    assert None in outcomes.values(), "the lie was not about anything"
    archive.close()
    verified = run_command("verify", path)
    assert verified.status == 13, verified


@pytest.mark.parametrize("lie", NOT_USED)
def test_an_index_that_contradicts_itself_is_not_used(
    lie: str, packed: bytes, truth: dict[str, bytes]
) -> None:
    archive = HeaderArchive(Archive(BytesSource(with_index(packed, NOT_USED[lie]))))
    assert not archive.content.indexed
    assert "its index is not used" in archive.content.warning
    assert {name: archive.read(name) for name in truth} == truth


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
    for name, content in truth.items():
        try:
            assert (mounted / name).read_bytes() == content
        except OSError as error:
            assert error.strerror == "Input/output error"
    assert mounted.status()["indexed"]


def test_every_altered_byte_of_an_index_yields_right_bytes_or_an_error(
    packed: bytes, truth: dict[str, bytes]
) -> None:
    """With the checksums made right, as only an attacker would."""
    generator = random.Random(SEED)
    container = Archive(BytesSource(packed))
    assert isinstance(container.blocks, XzBlocks)
    last = len(container.blocks) - 1
    content = container.blocks.decode(last)
    payload_end = len(content) - embedded.FOOTER_SIZE
    size = int.from_bytes(content[-8:], "little")
    used = 0
    for _ in range(300):
        altered = bytearray(content[payload_end - size : payload_end])
        altered[generator.randrange(len(altered))] ^= 1 << generator.randrange(8)
        lying = forged(container.blocks, bytes(altered))
        try:
            archive = HeaderArchive(Archive(BytesSource(lying)))
            used += archive.content.indexed
            for name, expected in truth.items():
                if archive.tree.resolve(name.encode()):
                    assert read_or_fail(archive, name) in (None, expected), name
        except KheadersfsError:
            continue
    assert used > 50, "hardly an index was good enough to be used"


def forged(blocks: XzBlocks, payload: bytes) -> bytes:
    """The archive of *blocks* with an index of *payload*, whose checksums are right."""
    last = len(blocks) - 1
    encoded = xz_coding.encode_block(payload + embedded.footer(payload), 1)
    records = [(block.unpadded_size, block.decoded_size) for block in blocks.blocks[:last]]
    records.append((encoded.unpadded_size, encoded.decoded_size))
    stored = [blocks.stored(number) for number in range(last)] + [encoded.stored]
    return xz.stream_start() + b"".join(stored) + xz.stream_end(records)
