"""The embedded index: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import random
import stat
import struct
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.names.index import Index
from kheadersfs.archive.names.page import Page
from kheadersfs.archive.names.table import Table
from kheadersfs.errors import DamagedArchive, RefusedArchive
from kheadersfs.limits import UNLIMITED, Limits
from kheadersfs.tree import Tree
from tests.support.members import built, directory, divide, file, hard_link, symlink, tables

FOOTER = embedded.FOOTER_SIZE
SHOWN = "6.1.0-test"


class Made(NamedTuple):
    """An index, where its archive's blocks begin and end, and the size of its pages."""

    described: Index
    block_starts: list[int]
    page_entries: int

    def encode(self) -> bytes:
        return embedded.encode(self.described, self.block_starts[:-1], self.page_entries)

    def decode(self, content: bytes) -> Index:
        return embedded.decode(embedded.find(content), self.block_starts, "index", UNLIMITED)

    def with_index(self, index: Index) -> Made:
        return self._replace(described=index)


def make(
    table: Table, every: int = 2, page_entries: int = 2, release: str = SHOWN, arch: str = "x86"
) -> Made:
    """Return an index of *table* in blocks of *every* so many files."""
    starts = divide(table, every)
    digests = [bytes([number]) * embedded.DIGEST_SIZE for number in range(len(starts) - 1)]
    index = Index(table, release, arch, digests, len(digests) // 2, starts[-1])
    return Made(index, starts, page_entries)


made_indexes = st.builds(
    make,
    tables,
    st.integers(1, 5),
    st.integers(1, 5),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20),
    st.sampled_from(["", "x86", "arm64"]),
)


@given(made_indexes, st.binary(max_size=50))
def test_an_index_round_trips_whatever_comes_before_it(made: Made, before: bytes) -> None:
    decoded = made.decode(before + made.encode())
    assert decoded[1:6] == made.described[1:6]
    decoded.table.check()
    assert decoded.table.content_size == made.described.table.content_size
    got, put = decoded.table.whole(), made.described.table.whole()
    assert got == put
    for got_column, put_column in zip(got, put, strict=True):
        assert getattr(got_column, "typecode", None) == getattr(put_column, "typecode", None)


@given(made_indexes)
def test_a_page_is_made_when_something_in_it_is_asked_for(made: Made) -> None:
    whole = Tree(made.described.table)
    for path, inode in whole.walk():
        pages = Tree(made.decode(made.encode()).table)
        assert pages.path(inode) == whole.path(inode)
        assert pages.attributes(inode) == whole.attributes(inode)
        assert pages.resolve(path) == inode
        if stat.S_ISLNK(whole.attributes(inode).mode):
            assert pages.target(inode) == whole.target(inode)
        elif not whole.is_directory(inode):
            assert pages.extent(inode) == whole.extent(inode)


def sample() -> Made:
    table = built(
        directory(b"include"),
        directory(b"include/linux"),
        file(b"include/linux/sched.h", 5000, mtime=1_700_000_000_123_456_789),
        file(b"include/linux/fs.h", 300),
        hard_link(b"include/same.h", b"include/linux/fs.h"),
        symlink(b"link", b"include/linux"),
        file(b"old", 1, mtime=-1),
    )
    return make(table)


def test_every_altered_byte_is_noticed() -> None:
    content = sample().encode()
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
    content = sample().encode()
    for length in range(len(content)):
        assert embedded.find(content[:length]) == b""
    for length in range(FOOTER, len(content)):
        with pytest.raises(ValueError, match="wrong length"):
            embedded.find(content[-length:])


def test_content_that_is_no_index_is_not_taken_for_one() -> None:
    for content in (b"", b"x", bytes(FOOTER), bytes(10_000), b"KHDRend", b"KHDRend\n"):
        assert embedded.find(content) == b""


def test_an_unknown_version_is_refused_by_its_number() -> None:
    content = bytearray(sample().encode())
    struct.pack_into("<I", content, len(content) - FOOTER + 8, 99)
    with pytest.raises(ValueError, match="version is 99"):
        embedded.find(bytes(content))


@pytest.mark.parametrize("size", [0, 1, 1000, embedded.LARGEST + 1, (1 << 32) - 1])
def test_an_index_of_another_size_than_it_says_is_refused(size: int) -> None:
    body = embedded.find(sample().encode())
    with pytest.raises(ValueError, match=r"does not inflate to|is larger than"):
        embedded.decode(
            struct.pack("<I", size) + body[4:], sample().block_starts, "index", UNLIMITED
        )


@pytest.mark.parametrize("release", ["6.1\x1b[31m", "6.1\n", "6.1 or so", "6.1\u00e9", "6" * 256])
def test_a_release_that_is_no_word_is_refused(release: str) -> None:
    made = sample()
    content = made.with_index(made.described._replace(release=release)).encode()
    with pytest.raises(ValueError, match="cannot be"):
        made.decode(content)


def test_a_section_that_is_not_deflated_is_refused() -> None:
    made = sample()
    body = embedded.find(made.encode())
    for bad in (body[:-1], body + b"x", body[:8] + b"x" * 100, body[:9], b"x" * 7):
        with pytest.raises(ValueError, match=r"inflate|cut off"):
            embedded.decode(bad, made.block_starts, "index", UNLIMITED)


def test_an_index_of_very_many_sections_is_refused_before_they_take_memory() -> None:
    with pytest.raises(ValueError, match="more than 16384 pages"):
        embedded.decode(
            embedded.find(embedded.wrap(embedded.VERSION, *[b""] * 20_000)), [0], "index", UNLIMITED
        )


def without_hard_links() -> Made:
    """Return an index of several pages, each of which can be looked at alone."""
    directories = [directory(b"%d" % number) for number in range(5)]
    files = [file(b"%d/%d" % divmod(number, 3), 100 * number) for number in range(15)]
    table = built(*directories, *files)
    return make(table, page_entries=3)


def with_damaged_page(made: Made, number: int) -> Table:
    """Return the table of *made* with page *number* damaged, which who looks at it finds out."""
    body = bytearray(embedded.find(made.encode()))
    damaged = embedded.split(bytes(body))[number + 1].deflated
    body[bytes(body).index(damaged) + len(damaged) // 2] ^= 0xFF
    return embedded.decode(bytes(body), made.block_starts, "index", UNLIMITED).table


def test_a_damaged_page_is_an_error_for_who_needs_it_and_nobody_else() -> None:
    made = without_hard_links()
    whole = made.described.table
    pages = len(made.decode(made.encode()).table)
    assert pages > 3
    for number in range(1, pages):
        failed = set()
        for path, inode in Tree(whole).walk():
            tree = Tree(with_damaged_page(made, number))
            for _ in range(2):  # the second time it is not looked at again
                try:
                    assert tree.resolve(path) == inode
                    assert tree.attributes(inode) == Tree(whole).attributes(inode)
                except DamagedArchive as error:
                    assert "its index cannot be used" in str(error)
                    failed.add(path)
        assert 0 < len(failed) <= 3
    with pytest.raises(DamagedArchive, match="its index cannot be used"):
        with_damaged_page(made, 2).check()


def test_another_number_of_pages_than_the_outline_has_is_refused() -> None:
    made = sample()
    sections = [section.inflate() for section in embedded.split(embedded.find(made.encode()))]
    assert len(sections) > 2
    for wrong in (sections[:-1], [*sections, sections[-1]], sections[:1]):
        with pytest.raises(ValueError, match="number of pages"):
            made.decode(embedded.wrap(embedded.VERSION, *wrong))


def test_whatever_a_well_formed_index_says_it_stays_within_itself() -> None:
    """Lies with a right checksum: an error, or a tree that can be walked to its end."""
    made = sample()
    sections = [section.inflate() for section in embedded.split(embedded.find(made.encode()))]
    generator = random.Random(6)
    accepted = contradicted = 0
    for _ in range(6000):
        lies = [bytearray(section) for section in sections]
        for _ in range(generator.choice((1, 1, 2, 5))):
            lie = generator.choice(lies)
            lie[generator.randrange(len(lie))] = generator.choice((0, 1, 2, 127, 255))
        try:
            table = made.decode(embedded.wrap(embedded.VERSION, *map(bytes, lies))).table
            walk_completely(table)
            table.check()
        except ValueError:
            continue
        except DamagedArchive:
            contradicted += 1
        else:
            accepted += 1
    assert accepted > 100
    assert contradicted > 100


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
    assert seen == table.entries


BELOW_ITSELF = "a directory below itself"
LIES: dict[str, Callable[[Page], Page]] = {
    "an inode that is not there": lambda page: change(page, "entry_inode", 0, 0),
    "the root as an entry": lambda page: change(page, "entry_inode", 0, 1),
    BELOW_ITSELF: lambda page: change(page, "entry_inode", 2, 2),
    "a directory with two names": lambda page: change(page, "entry_inode", 1, 2),
    "a root that is a file": lambda page: change(page, "inode_mode", 0, stat.S_IFREG | 0o644),
    "a device": lambda page: change(page, "inode_mode", -1, stat.S_IFCHR | 0o666),
    "a directory with too few entries": lambda page: change(page, "inode_size", 0, 1),
    "a name with a slash": lambda page: page._replace(names=b"/" + page.names[1:]),
    "a name with a NUL": lambda page: page._replace(names=b"\0" + page.names[1:]),
    "names that are cut off": lambda page: page._replace(names=page.names[:-1]),
    "a target that is cut off": lambda page: page._replace(targets=page.targets[:-1]),
    "a target with a NUL": lambda page: page._replace(targets=b"\0" + page.targets[1:]),
    "a file with more names than it has": lambda page: change(page, "inode_links", -1, 2),
}


def change(page: Page, column: str, position: int, value: int) -> Page:
    changed = getattr(page, column)[:]
    changed[position] = value
    return page._replace(**{column: changed})


# Numbers cannot lag behind by less than nothing, which is what this would take in several pages.
_CASES = [(lie, size) for lie in LIES for size in (3, 1000) if (lie, size) != (BELOW_ITSELF, 3)]


@pytest.mark.parametrize(("lie", "page_entries"), _CASES)
def test_a_table_that_lies_is_refused(lie: str, page_entries: int) -> None:
    made = sample()
    lying = Table.of(LIES[lie](made.described.table.whole()))
    content = made._replace(
        described=made.described._replace(table=lying), page_entries=page_entries
    ).encode()
    with pytest.raises((ValueError, DamagedArchive)):
        made.decode(content).table.check()


def test_an_index_is_never_read_without_limits_and_keeps_those_that_are_given() -> None:
    made = make(built(file(b"a", 10), file(b"b", 10)))
    body = embedded.find(made.encode())
    with pytest.raises(TypeError, match="limits"):
        embedded.decode(body, made.block_starts, "index")  # type: ignore[call-arg]
    assert embedded.decode(body, made.block_starts, "index", Limits(members=3)).table.entries == 2
    with pytest.raises(RefusedArchive, match="the number of names is beyond 2"):
        embedded.decode(body, made.block_starts, "index", Limits(members=2))
