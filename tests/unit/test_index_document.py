"""tools/docs/index-format.md says what is written, to the byte, and is enough to read it."""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import stat
import struct
import tarfile
import zlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.compression import xz, xz_coding
from kheadersfs.archive.member import Member
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.names import outline
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.limits import UNLIMITED
from kheadersfs.pack.layout import Packed, Portion
from kheadersfs.pack.planning import Plan, plan_blocks
from kheadersfs.pack.repacking import repack
from kheadersfs.pack.writing import Description, Form, write_archive
from kheadersfs.reader import HeaderArchive, open_archive
from kheadersfs.tree import Tree
from kheadersfs.verification import verify
from tests.conftest import REPOSITORY
from tests.support import index_writer
from tests.support.index_reader import Found, Listed, read_index
from tests.support.members import divide, tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kheadersfs.archive.names.table import Table

DOCUMENT = (REPOSITORY / "tools/docs/index-format.md").read_text()
EXAMPLE = DOCUMENT.partition("## An example")[2]
SECOND = 10**9
TIME = 315_532_800 * SECOND
KINDS = {"directory": stat.S_IFDIR, "file": stat.S_IFREG, "symlink": stat.S_IFLNK}
SECOND_ENTRY = 2
"""How many entries of a page the example has, or more."""


def packed(
    name: bytes, mode: int, content: bytes = b"", target: bytes | None = None, hard: bool = False
) -> Packed:
    size = len(content)
    return Packed(Member(name, mode, TIME, size, target, hard), partial(bytes, content))


def example_members() -> Iterator[tuple[int, Packed]]:
    """Yield the block and the member of each line of the document's table."""
    rows = re.findall(r"^\| (\d) \| `(.+)` \| (.+) \| (\d+) \| (.*)\|$", EXAMPLE, re.MULTILINE)
    assert len(rows) == 6
    for block, shown, kind, permissions, rest in rows:
        name = b"" if shown == "." else shown.encode()
        text = "".join(re.findall(r"`(.+)`", rest)).encode()
        mode = KINDS.get(kind, stat.S_IFREG) | int(permissions, 8)
        if kind == "file":
            assert rest.endswith(" and a newline ")
            member = packed(name, mode, text + b"\n")
        else:
            member = packed(name, mode, target=text or None, hard=kind == "hard link")
        yield int(block), member


def example_plan() -> Plan:
    """Return the plan of the example, with the members in the order of the document."""
    blocks: dict[int, list[Packed]] = {}
    for block, member in example_members():
        blocks.setdefault(block, []).append(member)
    plan = plan_blocks([Portion(members, 1 << 20) for members in blocks.values()], "tar")
    written = [frame.member.name for block in plan.blocks for frame in block.frames]
    assert written == [member.member.name for members in blocks.values() for member in members]
    return plan


def example_archive() -> bytes:
    """Return the example, made by the code that packs, except that nothing is compressed."""
    plan = example_plan()
    blocks = [xz_coding.encode_plain_block(block.content()) for block in plan.blocks]
    described = embedded.Index(
        table=plan.table,
        release="6.1.0",
        arch="x86",
        digests=[hashlib.sha256(block.stored).digest() for block in blocks],
        hot_blocks=plan.hot_blocks,
        stream_size=plan.size,
    )
    index = embedded.encode(described, [block.start for block in plan.blocks], SECOND_ENTRY)
    sections = [section.inflate() for section in embedded.split(embedded.find(index))]
    footer = index[-embedded.FOOTER_SIZE :]
    body = b"".join(map(index_writer.section, sections))
    # Magic and version stay, but deflated differently the body has another checksum and size.
    index = body + footer[:12] + struct.pack("<IQ", zlib.crc32(body), len(body))
    blocks.append(xz_coding.encode_plain_block(bytes(-(plan.size + len(index)) % 512) + index))
    records = [(block.unpadded_size, block.decoded_size) for block in blocks]
    stored = b"".join(block.stored for block in blocks)
    return xz.stream_start() + stored + xz.stream_end(records)


class Line(NamedTuple):
    """A line of hexadecimal digits in the document."""

    offset: int
    content: bytes


def lines() -> list[Line]:
    """Return all bytes that the document shows."""
    found: list[Line] = []
    for listing in re.findall(r"^```\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL):
        for line in listing.splitlines():
            match = re.match(r"([0-9a-f]{4})  (?:00 x (\d+)|((?:[0-9a-f]{2} ?)+))(?:  |$)", line)
            assert match or line in ("", "..."), line
            if match:
                content = bytes(int(match[2])) if match[2] else bytes.fromhex(match[3])
                found.append(Line(int(match[1], 16), content))
    return found


def test_each_line_of_the_example_is_what_the_code_writes() -> None:
    archive = example_archive()
    assert len(lines()) > 100
    for line in lines():
        shown = archive[line.offset : line.offset + len(line.content)]
        assert shown.hex(" ") == line.content.hex(" "), f"at {line.offset:04x}"
    assert f"{len(archive):,} bytes" in EXAMPLE


def test_the_example_shows_every_byte_but_those_of_members() -> None:
    archive = example_archive()
    covered = bytearray(len(archive))
    for line in lines():
        end = line.offset + len(line.content)
        assert not any(covered[line.offset : end]), f"twice at {line.offset:04x}"
        covered[line.offset : end] = b"\1" * len(line.content)
    gaps = [match.span() for match in re.finditer(rb"\0+", covered)]
    assert gaps == [(0x01F, 0x41F), (0x838, 0x283B)]


def test_the_example_is_read_by_tar_and_by_this_program() -> None:
    archive = example_archive()
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(archive))) as tar:
        names = [member.name.removeprefix("./") for member in tar]
    assert names == [member.member.name.decode() or "." for _, member in example_members()]
    opened = HeaderArchive(Archive(BytesSource(archive)))
    assert verify(opened, lambda *_: None).indexed
    assert (opened.release, opened.arch) == ("6.1.0", "x86")
    assert opened.read("same.h") == b"int a;\n"


def test_the_entries_of_the_example_are_those_of_its_table() -> None:
    rows = re.findall(r"^\| \d \| (\d) \| `(.+)` \| \d \| (\d), .+\| \d \|$", EXAMPLE, re.MULTILINE)
    assert len(rows) == 5
    entries = read_index(example_archive()).entries
    assert [(b"%s" % name.encode(), int(inode)) for _, name, inode in rows] == entries


def test_the_limits_in_the_document_are_those_of_the_code() -> None:
    assert f"version {embedded.VERSION}." in DOCUMENT
    assert f"Footer, {embedded.FOOTER_SIZE} bytes" in DOCUMENT
    assert f"{embedded.LARGEST >> 20} MiB" in DOCUMENT
    assert f"at most {outline.MOST_PAGES:,} pages" in DOCUMENT
    assert f"page's {outline.PAGE_ENTRIES:,}th entry" in DOCUMENT


def listing(archive: HeaderArchive) -> dict[bytes, Listed]:
    """Return what this program's own reader finds in *archive*."""
    tree = archive.tree
    found: dict[bytes, Listed] = {}
    for path, inode in tree.walk():
        attributes = tree.attributes(inode)
        mode, size, target, start = attributes.mode, attributes.size, b"", 0
        if stat.S_ISDIR(mode):
            size = sum(1 for _ in tree.entries(inode))
        elif stat.S_ISLNK(mode):
            target = tree.target(inode)
        else:
            start = tree.extent(inode)[0]
        found[path] = Listed(mode, attributes.links, attributes.mtime, size, start, target)
    return found


def check_reader(file: bytes) -> Found:
    """Check that the reader from the document finds in *file* what our own does."""
    found = read_index(file)
    archive = HeaderArchive(Archive(BytesSource(file)))
    assert archive.content.indexed
    assert found.paths() == listing(archive)
    assert (found.release, found.arch) == (archive.content.release, archive.content.arch)
    return found


def many_members() -> list[Portion]:
    """Return members of every kind in several blocks, more than there are in a page."""
    directory, file = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644
    members = [packed(b"", directory)]
    for number in range(5):
        top = b"%d" % number
        members.append(packed(top, directory))
        members.append(packed(top + b"/link", stat.S_IFLNK | 0o777, target=b"../%d/0" % number))
        for name in range(1100):
            content = b"%d\n" % name * (name % 7 * 10)
            members.append(packed(b"%s/%d" % (top, name), file, content))
    links = [packed(b"%d/same" % n, file, target=b"%d/7" % (n + 1), hard=True) for n in range(4)]
    return [Portion(members, 64 << 10, 16 << 10), Portion(links, 64 << 10)]


FORMS = [Form(kind, compression) for kind in ("tar", "cpio") for compression in ("xz", "zstd")]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.format}.{form.compression}")
def test_a_reader_made_from_the_document_finds_what_ours_does(form: Form) -> None:
    portions = many_members()
    if form.format == "tar":  # cpio has no times before 1970
        early = packed(b"early", stat.S_IFREG | 0o644)
        portions[0].members.append(early._replace(member=early.member._replace(mtime=-SECOND)))
    file = io.BytesIO()
    write_archive(file, portions, form, Description("6.1", "x86"), lambda *_: None, 1)
    found = check_reader(file.getvalue())
    assert len(found.digests) > 10
    assert len(found.paths()) == sum(len(portion.members) for portion in portions) - 1


@pytest.mark.parametrize("compression", ["xz", "zstd"])
def test_it_also_does_where_everything_is_awkward(compression: str, small_archive: Path) -> None:
    file = io.BytesIO()
    with open_archive(small_archive) as archive:
        repack(archive, file, Form("tar", compression), lambda *_: None)
    assert len(check_reader(file.getvalue()).paths()) > 50


def as_files(table: Table) -> dict[bytes, index_writer.File]:
    """Return what *table* lists as the writer from the document takes it."""
    tree = Tree(table)
    inodes: dict[int, index_writer.File] = {}
    found: dict[bytes, index_writer.File] = {}
    for path, inode in ((b"", 1), *tree.walk()):
        if inode not in inodes:
            attributes = tree.attributes(inode)
            file = index_writer.File(attributes.mode, attributes.mtime, attributes.size)
            if stat.S_ISLNK(file.mode):
                file.target = tree.target(inode)
            elif stat.S_ISREG(file.mode):
                file.start = tree.extent(inode)[0]
            inodes[inode] = file
        found[path] = inodes[inode]
    return found


def test_a_writer_made_from_the_document_writes_the_example() -> None:
    plan = example_plan()
    starts = [*(block.start for block in plan.blocks), plan.size]
    digests = read_index(example_archive()).digests
    described = index_writer.Archive("6.1.0", "x86", digests, plan.hot_blocks, starts)
    index = index_writer.write_index(as_files(plan.table), described, SECOND_ENTRY)
    assert index in example_archive()


@given(tables, st.integers(1, 5), st.integers(1, 5))
def test_what_a_writer_made_from_the_document_writes_is_read_here(
    table: Table, every: int, page_entries: int
) -> None:
    starts = divide(table, every)
    digests = [bytes([number]) * 32 for number in range(len(starts) - 1)]
    described = index_writer.Archive("6.1", "arm64", digests, 0, starts)
    index = index_writer.write_index(as_files(table), described, page_entries)
    read = embedded.decode(embedded.find(index), starts, "index", UNLIMITED)
    read.table.check()
    assert read.table.whole() == table.whole()
    assert (read.release, read.arch, read.digests) == ("6.1", "arm64", digests)
