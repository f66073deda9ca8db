"""The embedded index: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import random
import stat
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive import index as embedded
from kheadersfs.archive.index import Index
from kheadersfs.archive.table import Table
from kheadersfs.tree import Tree
from tests.support.members import build, directory, file, hard_link, symlink, tables

FOOTER = embedded.FOOTER_SIZE
BLOCK_STARTS = (0, 2048, 10_240)


def index_of(table: Table, blocks: int = 3) -> Index:
    digests = [bytes([number]) * embedded.DIGEST_SIZE for number in range(blocks)]
    return Index(table, "6.1.0-test", "x86", digests, 1, 1 << 20)


def encode(index: Index) -> bytes:
    return embedded.encode(index, BLOCK_STARTS)


indexes = st.builds(
    Index,
    tables,
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20),
    st.sampled_from(["", "x86", "arm64"]),
    st.lists(st.binary(min_size=32, max_size=32), max_size=4),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**63),
)


@given(indexes, st.binary(max_size=50))
def test_an_index_round_trips_whatever_comes_before_it(index: Index, before: bytes) -> None:
    content = before + encode(index)
    decoded = embedded.decode(embedded.find(content))
    assert decoded == index
    for got, put in zip(decoded.table, index.table, strict=True):
        assert getattr(got, "typecode", None) == getattr(put, "typecode", None)


def sample() -> Index:
    table, refusals = build(
        directory(b"include"),
        directory(b"include/linux"),
        file(b"include/linux/sched.h", 5000, mtime=1_700_000_000_123_456_789),
        file(b"include/linux/fs.h", 300),
        hard_link(b"include/same.h", b"include/linux/fs.h"),
        symlink(b"link", b"include/linux"),
        file(b"old", 1, mtime=-1),
    )
    assert refusals == []
    return index_of(table)


def test_every_altered_byte_is_noticed() -> None:
    content = encode(sample())
    for position in range(len(content)):
        for change in (0x01, 0x80, 0xFF):
            altered = bytearray(content)
            altered[position] ^= change
            try:
                found = embedded.find(bytes(altered))
            except ValueError:
                continue
            assert found == b"", f"byte {position} altered by {change}"


def test_every_truncation_is_noticed() -> None:
    content = encode(sample())
    for length in range(len(content)):
        assert embedded.find(content[:length]) == b""
    for length in range(FOOTER, len(content)):
        with pytest.raises(ValueError, match="wrong length"):
            embedded.find(content[-length:])


def test_content_that_is_no_index_is_not_taken_for_one() -> None:
    for content in (b"", b"x", bytes(FOOTER), bytes(10_000), b"KHDRend", b"KHDRend\n"):
        assert embedded.find(content) == b""


def test_an_unknown_version_is_refused_by_its_number() -> None:
    content = bytearray(encode(sample()))
    struct.pack_into("<I", content, len(content) - FOOTER + 8, 99)
    with pytest.raises(ValueError, match="version is 99"):
        embedded.find(bytes(content))


@pytest.mark.parametrize("size", [0, 1, 1000, embedded.LARGEST + 1, (1 << 64) - 1])
def test_an_index_of_another_size_than_it_says_is_refused(size: int) -> None:
    body = embedded.find(encode(sample()))
    with pytest.raises(ValueError, match=r"does not inflate to|is larger than"):
        embedded.decode(struct.pack("<Q", size) + body[8:])


@pytest.mark.parametrize("release", ["6.1\x1b[31m", "6.1\n", "6.1 or so", "6.1\u00e9", "6" * 256])
def test_a_release_that_is_no_word_is_refused(release: str) -> None:
    content = encode(sample()._replace(release=release))
    with pytest.raises(ValueError, match="cannot be"):
        embedded.decode(embedded.find(content))


def test_an_index_that_is_not_deflated_is_refused() -> None:
    body = embedded.find(encode(sample()))
    for bad in (body[:-1], body + b"x", body[:8] + b"x" * 100, body[:9]):
        with pytest.raises(ValueError, match="inflate"):
            embedded.decode(bad)


def test_whatever_a_well_formed_index_says_it_stays_within_itself() -> None:
    """Lies with a right checksum: an error, or a tree that can be walked to its end."""
    payload = embedded.unwrap(embedded.find(encode(sample())))
    generator = random.Random(6)
    accepted = 0
    for _ in range(4000):
        lie = bytearray(payload)
        for _ in range(generator.choice((1, 1, 2, 5))):
            lie[generator.randrange(len(lie))] = generator.choice((0, 1, 2, 127, 255))
        try:
            index = embedded.decode(embedded.find(embedded.wrap(bytes(lie))))
        except ValueError:
            continue
        accepted += 1
        walk_completely(index.table)
    assert accepted > 0


def walk_completely(table: Table) -> None:
    tree = Tree(table)
    seen = 0
    for path, inode in tree.walk():
        attributes = tree.attributes(inode)
        if stat.S_ISLNK(attributes.mode):
            assert len(tree.target(inode)) == attributes.size
        assert tree.resolve(path) != 0 or b"//" in path
        assert tree.path(inode)
        seen += 1
    assert seen == len(table.entry_inode)


LIES: dict[str, Callable[[Table], Table]] = {
    "an inode that is not there": lambda table: change(table, "entry_inode", 0, 0),
    "the root as an entry": lambda table: change(table, "entry_inode", 0, 1),
    "a directory below itself": lambda table: change(table, "entry_inode", 2, 2),
    "a directory with two names": lambda table: change(table, "entry_inode", 1, 2),
    "a root that is a file": lambda table: change(table, "inode_mode", 0, stat.S_IFREG | 0o644),
    "a device": lambda table: change(table, "inode_mode", -1, stat.S_IFCHR | 0o666),
    "a directory with too many entries": lambda table: change(table, "inode_size", 0, 99),
    "a directory with too few entries": lambda table: change(table, "inode_size", 0, 1),
    "a name with a slash": lambda table: table._replace(names=b"/" + table.names[1:]),
    "a name with a NUL": lambda table: table._replace(names=b"\0" + table.names[1:]),
    "names that are cut off": lambda table: table._replace(names=table.names[:-1]),
    "a target that is cut off": lambda table: table._replace(targets=table.targets[:-1]),
    "a target with a NUL": lambda table: table._replace(targets=b"\0" + table.targets[1:]),
}


def change(table: Table, column: str, position: int, value: int) -> Table:
    changed = getattr(table, column)[:]
    changed[position] = value
    return table._replace(**{column: changed})


@pytest.mark.parametrize("lie", LIES)
def test_a_table_that_lies_is_refused(lie: str) -> None:
    table = LIES[lie](sample().table)
    with pytest.raises(ValueError):
        embedded.decode(embedded.find(encode(index_of(table))))
