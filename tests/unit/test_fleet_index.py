"""The index of several kernels: what it says is read back, and what it cannot say is refused."""

from __future__ import annotations

import stat
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.fleet import index as fleet
from kheadersfs.archive.fleet.building import Version, unite
from kheadersfs.archive.fleet.kernels import Directory, FleetKernel
from kheadersfs.archive.fleet.lookup import FleetLookup
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.names.page import ROOT
from kheadersfs.errors import DamagedArchive, RefusedArchive
from kheadersfs.limits import UNLIMITED, Limits
from kheadersfs.tree import FleetTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kheadersfs.archive.fleet.table import FleetTable

FILE, SYMLINK, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755
TOP = Directory(DIRECTORY, -7)
STARTS = (0, 4096, 8192)
KERNELS = [FleetKernel(name, f"6.{n}", "x86", TOP) for n, name in enumerate((b"a", b"b", b"c"))]
VERSIONS = {
    b"include": [Version(0b111, DIRECTORY, 1)],
    b"include/a.h": [Version(0b101, FILE, 2, 100, 512), Version(0b010, FILE, 3, 200, 4608)],
    b"include/all.h": [Version(0b111, FILE, 4, 300, 5120)],
    b"odd": [Version(0b001, DIRECTORY, 5), Version(0b010, DIRECTORY, 6), Version(0b100, FILE, 7)],
    b"odd/link": [Version(0b010, SYMLINK, 8, target=b"../include")],
    b"odd/sub": [Version(0b011, DIRECTORY, 9)],
}


def encoded(versions: Mapping[bytes, Sequence[Version]] = VERSIONS, pages: int = 2) -> bytes:
    union = unite(TOP, KERNELS, versions, STARTS[:-1], pages)
    return fleet.encode(union, [bytes(32)] * 2, 1, STARTS[-1])


def decoded(content: bytes, limits: Limits = UNLIMITED) -> FleetTable:
    return fleet.decode(embedded.find(content), STARTS, "index", limits, completely=True).table


def walked(tree: FleetTree) -> dict[bytes, tuple[int, int, int]]:
    found = {}
    for path, inode in tree.walk():
        attributes = tree.attributes(inode)
        assert tree.resolve(path) == inode
        assert attributes.links > 1 or tree.path(inode) == path
        found[path] = (attributes.mode, attributes.links, attributes.mtime)
    return found


@pytest.mark.parametrize("pages", [1, 2, 100])
def test_what_was_united_is_read_back(pages: int) -> None:
    table = decoded(encoded(pages=pages))
    assert walked(FleetTree(table)) == {
        b"a": (DIRECTORY, 4, -7),
        b"a/include": (DIRECTORY, 2, 1),
        b"a/include/a.h": (FILE, 2, 2),
        b"a/include/all.h": (FILE, 3, 4),
        b"a/odd": (DIRECTORY, 3, 5),
        b"a/odd/sub": (DIRECTORY, 2, 9),
        b"b": (DIRECTORY, 4, -7),
        b"b/include": (DIRECTORY, 2, 1),
        b"b/include/a.h": (FILE, 1, 3),
        b"b/include/all.h": (FILE, 3, 4),
        b"b/odd": (DIRECTORY, 3, 6),
        b"b/odd/link": (SYMLINK, 1, 8),
        b"b/odd/sub": (DIRECTORY, 2, 9),
        b"c": (DIRECTORY, 3, -7),
        b"c/include": (DIRECTORY, 2, 1),
        b"c/include/a.h": (FILE, 2, 2),
        b"c/include/all.h": (FILE, 3, 4),
        b"c/odd": (FILE, 1, 7),
    }


def test_numbers_are_shared_where_kernels_have_the_same() -> None:
    lookup = FleetLookup(decoded(encoded()))
    assert lookup.inode_at(b"a/include/a.h") == lookup.inode_at(b"c/include/a.h") != 0
    assert lookup.inode_at(b"b/include/a.h") != lookup.inode_at(b"c/include/a.h")
    assert lookup.inode_at(b"a/include") != lookup.inode_at(b"b/include")
    for absent in (b"d", b"c/odd/sub", b"a/odd/link", b"a/include/a.h/x", b"include"):
        assert lookup.inode_at(absent) == 0


def test_one_kernel_is_the_root() -> None:
    tree = FleetTree(decoded(encoded()), kernel=1)
    assert set(walked(tree)) == {
        *(b"include", b"include/a.h", b"include/all.h"),
        *(b"odd", b"odd/link", b"odd/sub"),
    }
    shared = tree.resolve(b"include/all.h")
    assert tree.path(shared) == b"include/all.h", "not where the first kernel has it"
    assert tree.parent(tree.resolve(b"include")) == ROOT
    assert tree.parent(shared) == tree.resolve(b"include")
    assert tree.attributes(ROOT).links == 4
    assert tree.target(tree.resolve(b"odd/link")) == b"../include"


def test_limits_count_what_a_reader_holds() -> None:
    """Not a name for each kernel: there are 9 versions, and 4 directories of 3 kernels."""
    decoded(encoded(), Limits(members=12))
    with pytest.raises(RefusedArchive, match="number of names"):
        decoded(encoded(), Limits(members=11))
    with pytest.raises(RefusedArchive, match="number of names in a path"):
        decoded(encoded(), Limits(depth=2))
    with pytest.raises(RefusedArchive, match="length of a path"):
        decoded(encoded(), Limits(path=8))


@pytest.mark.parametrize(
    ("path", "lies", "message"),
    [
        (b"odd", [Version(3, DIRECTORY, 1), Version(2, FILE, 1)], "two versions of a name"),
        (b"odd", [Version(0b001, DIRECTORY, 1)], "a directory that it does not have"),
        (b"odd", [Version(0b1011, DIRECTORY, 1)], "a set of kernels that cannot be"),
        (b"odd", [Version(0, DIRECTORY, 1)], "a set of kernels that cannot be"),
        (b"odd/sub", [Version(3, stat.S_IFIFO, 1)], "neither file, directory nor symlink"),
        (b"odd/sub", [Version(3, FILE | stat.S_ISUID, 1)], "set-user-ID"),
        (b"odd/sub", [Version(3, DIRECTORY, 1, size=1)], "a directory has content"),
        (b"odd/sub", [Version(3, FILE, 1, 5000, 512)], "outside its block"),
        (b"odd/..", [Version(3, FILE, 1)], "a name that cannot be"),
        (b"odd/sub", [], "a name has no version"),
        (b"odd/sub", [Version(3, SYMLINK, 1, target=b"a\0b")], "a target that cannot be"),
    ],
)
def test_what_cannot_be_is_refused(path: bytes, lies: list[Version], message: str) -> None:
    with pytest.raises((ValueError, DamagedArchive), match=message):
        decoded(encoded({**VERSIONS, path: lies}))


@pytest.mark.parametrize(
    ("name", "release"), [(b".", "6"), (b"a/b", "6"), (b"", "6"), (b"ok", "6 1"), (b"ok", "6\n")]
)
def test_kernels_that_cannot_be_are_refused(name: bytes, release: str) -> None:
    union = unite(TOP, [FleetKernel(name, release, "", TOP)], {}, STARTS[:-1])
    content = fleet.encode(union, [bytes(32)] * 2, 1, STARTS[-1])
    with pytest.raises(ValueError, match="cannot be"):
        decoded(content)


def test_no_byte_that_lies_leads_anywhere_else() -> None:
    """Each byte of each section changed, with a right checksum: an error, or a tree to walk."""
    sections = [section.inflate() for section in embedded.split(embedded.find(encoded()))]
    refused = 0
    for number, section in enumerate(sections):
        for place in range(len(section)):
            for value in {0, 1, section[place] ^ 1, section[place] + 1 & 0xFF, 0x7F, 0xFF}:
                lie = section[:place] + bytes([value]) + section[place + 1 :]
                lies = [*sections[:number], lie, *sections[number + 1 :]]
                refused += is_refused(embedded.wrap(embedded.FLEET_VERSION, *lies))
    assert refused > 200


def is_refused(content: bytes) -> bool:
    """Tell whether *content* is refused, at once or when it is looked into, and not otherwise."""
    refused = True
    with suppress(ValueError, RefusedArchive):
        table = fleet.decode(embedded.find(content), STARTS, "index", Limits()).table
        for kernel in (None, *range(min(3, len(table.kernels)))):
            with suppress(DamagedArchive):
                walked(FleetTree(table, kernel))
        with suppress(DamagedArchive):
            table.check()
            refused = False
    return refused
