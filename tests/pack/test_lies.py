"""An index that lies, but is well-formed and has right checksums: right bytes, or an error."""

from __future__ import annotations

import stat
from array import array
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.archive.compression import xz, xz_coding
from kheadersfs.archive.compression.xz_blocks import XzBlocks
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.names.table import Table
from kheadersfs.archive.opening import open_archive
from kheadersfs.errors import DamagedArchive, KheadersfsError
from kheadersfs.limits import UNLIMITED
from tests.pack.conftest import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kheadersfs.archive.names.index import Index
    from kheadersfs.archive.names.page import Page
    from tests.pack.conftest import SmallTree


def headers(letter: str) -> dict[str, str]:
    return {
        f"include/linux/{letter}{n}.h": f"#define {letter}{n}\n" * (n * 40 + 40) for n in range(30)
    }


@pytest.fixture
def archive(small_tree: SmallTree, tmp_path: Path) -> Path:
    path = tmp_path / "kheaders.tar.xz"
    pack("--srctree", small_tree(files=headers("a")), "-o", path)
    return path


def files(index: Index) -> list[int]:
    """Return the rows of the files that have content."""
    whole = index.table.whole()
    return [row for row in whole.rows(stat.S_IFREG) if whole.inode_size[row]]


def with_table(index: Index, page: Page) -> Index:
    return index._replace(table=Table.of(page))


def with_starts(index: Index, change: Callable[[array[int], list[int]], None]) -> Index:
    starts = array("Q", index.table.whole().inode_start)
    change(starts, files(index))
    return with_table(index, index.table.whole()._replace(inode_start=starts))


def with_sizes(index: Index, change: Callable[[array[int], list[int]], None]) -> Index:
    sizes = array("Q", index.table.whole().inode_size)
    change(sizes, files(index))
    return with_table(index, index.table.whole()._replace(inode_size=sizes))


def swap(values: array[int], rows: list[int]) -> None:
    values[rows[3]], values[rows[9]] = values[rows[9]], values[rows[3]]


def shift(values: array[int], rows: list[int]) -> None:
    for row in rows:
        values[row] += 512


def shorten(values: array[int], rows: list[int]) -> None:
    values[rows[5]] -= 1


def enlarge(values: array[int], rows: list[int]) -> None:
    values[rows[5]] += 700


def overlap(values: array[int], rows: list[int]) -> None:
    for row in rows:
        values[row] = values[rows[0]]


def outside(values: array[int], rows: list[int]) -> None:
    values[rows[5]] = 1 << 40


def rename(index: Index) -> Index:
    whole = index.table.whole()
    names = whole.names.replace(b"a10.ha11.h", b"a11.ha10.h")
    assert names != whole.names
    return with_table(index, whole._replace(names=names))


LIES: dict[str, Callable[[Index], Index]] = {
    "starts that are swapped": lambda index: with_starts(index, swap),
    "starts that are shifted": lambda index: with_starts(index, shift),
    "sizes that are swapped": lambda index: with_sizes(index, swap),
    "a size too small": lambda index: with_sizes(index, shorten),
    "a size too large": lambda index: with_sizes(index, enlarge),
    "extents that overlap": lambda index: with_starts(index, overlap),
    "an extent outside": lambda index: with_starts(index, outside),
    "names that are swapped": rename,
    "digests of other blocks": lambda index: index._replace(
        digests=[digest[::-1] for digest in index.digests]
    ),
    "one block too many": lambda index: index._replace(digests=[*index.digests, bytes(32)]),
    "another size of the stream": lambda index: index._replace(stream_size=index.stream_size + 512),
    "more hot blocks than there are": lambda index: index._replace(hot_blocks=100),
}


def rewrite(archive: Path, change: Callable[[Index], Index]) -> None:
    """Put another index into *archive*, with everything around it right."""
    opened = open_archive(str(archive))
    blocks = opened.blocks
    assert isinstance(blocks, XzBlocks)
    last = len(blocks) - 1
    index = embedded.decode(
        embedded.find(blocks.decode(last)), blocks.starts[: last + 1], "index", UNLIMITED
    )
    stored = [
        xz_coding.EncodedBlock(blocks.stored(number), block.unpadded_size, block.decoded_size)
        for number, block in enumerate(blocks.blocks[:last])
    ]
    starts = list(blocks.starts[:last])
    opened.close()
    stored.append(xz_coding.encode_plain_block(embedded.encode(change(index), starts)))
    end = xz.stream_end([(block.unpadded_size, block.decoded_size) for block in stored])
    content = [xz.stream_start(), *(block.stored for block in stored), end]
    archive.write_bytes(b"".join(content))


def read_all(archive: Path) -> dict[str, bytes | None]:
    """Return the content of every file, None for those that cannot be read."""
    contents: dict[str, bytes | None] = {}
    with kheadersfs.open_archive(archive) as opened:
        for entry in opened:
            if entry.is_file:
                try:
                    contents[entry.path] = opened.read(entry.path)
                except KheadersfsError:
                    contents[entry.path] = None
    return contents


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_yields_wrong_bytes(lie: str, archive: Path) -> None:
    true = read_all(archive)
    assert None not in true.values()
    rewrite(archive, LIES[lie])
    contents = read_all(archive)
    wrong = [path for path, content in contents.items() if content not in (None, true[path])]
    assert wrong == []
    assert contents.keys() == true.keys()


def test_an_index_that_is_written_again_is_believed(archive: Path) -> None:
    true = read_all(archive)
    rewrite(archive, lambda index: index)
    with kheadersfs.open_archive(archive) as opened:
        assert opened.content.indexed
        assert opened.content.warning == ""
    assert read_all(archive) == true


def test_the_index_of_another_archive_yields_no_wrong_bytes(
    archive: Path, small_tree: SmallTree, tmp_path: Path
) -> None:
    other = tmp_path / "other.tar.xz"
    pack("--srctree", small_tree("other", files=headers("b")), "-o", other)
    opened = open_archive(str(other))
    assert opened.blocks is not None
    last = len(opened.blocks) - 1
    index = embedded.decode(
        embedded.find(opened.blocks.decode(last)),
        opened.blocks.starts[: last + 1],
        "index",
        UNLIMITED,
    )
    opened.close()
    true = read_all(archive)
    rewrite(archive, lambda _index: index)
    for path, content in read_all(archive).items():
        assert content is None or content == true.get(path)


def test_an_archive_cut_off_in_its_index_is_an_error(archive: Path) -> None:
    content = archive.read_bytes()
    for missing in (1, 12, 100, 1000):
        archive.write_bytes(content[:-missing])
        with pytest.raises(DamagedArchive):
            read_all(archive)
