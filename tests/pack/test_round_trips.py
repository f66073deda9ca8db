"""What is packed is what is read: by us with the index, in one pass without, and by others."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from kheadersfs.archive.compression import zstd_coding
from kheadersfs.archive.compression.encoding import BLOCK_ENCODERS
from kheadersfs.archive.onepass import read_in_one_pass
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.pack.layout import arrange
from kheadersfs.pack.writing import Description, Form, write_archive
from kheadersfs.reader import HeaderArchive
from kheadersfs.store import Store
from kheadersfs.tree import Tree
from kheadersfs.verification import verify
from tests.support.made_trees import CPIO_TIMES, SECOND, TAR_TIMES, MadeTree, Node, trees
from tests.support.seen import one_kernels

if TYPE_CHECKING:
    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.names.table import Table

COMPRESSIONS = ("xz", "zstd", "gzip", "none")
EXAMPLES = 120
EXTRACTIONS = 40
FEW = settings(max_examples=EXAMPLES)


def packed(made: MadeTree, form: Form) -> bytes:
    file = io.BytesIO()
    write_archive(file, arrange([made.kernel]), form, Description("6.1", "x86"), lambda *_: None, 1)
    return file.getvalue()


def decompressed(content: bytes, compression: str) -> bytes:
    """Return *content* as the libraries see it, to which our blocks are nothing special."""
    if compression == "xz":
        return lzma.decompress(content)
    if compression == "gzip":
        return gzip.decompress(content)
    if compression == "zstd":
        plain: bytes = zstd_coding.import_library().decompress(content)
        return plain
    return content


def names_and_nodes(table: Table, blocks: BlockTable) -> dict[bytes, Node]:
    """Return all that *table* lists, content read from *blocks*."""
    tree, store = Tree(table), Store(blocks)
    found = [(b"", 1), *tree.walk()]
    smallest: dict[int, bytes] = {}
    for name, inode in sorted(found):
        smallest.setdefault(inode, name)
    nodes: dict[bytes, Node] = {}
    for name, inode in found:
        attributes = tree.attributes(inode)
        content = b""
        if stat.S_ISREG(attributes.mode):
            content = store.read(*tree.extent(inode))
        elif stat.S_ISLNK(attributes.mode):
            content = tree.target(inode)
        nodes[name] = Node(attributes.mode, attributes.mtime, content, smallest[inode])
    return nodes


def check_ours(made: MadeTree, form: Form) -> None:
    """Check what we find in an archive of *form*, with its index and without."""
    content = packed(made, form)
    with HeaderArchive(Archive(BytesSource(content))) as archive:
        loaded = archive.content
        assert loaded.indexed == (form.compression in BLOCK_ENCODERS)
        assert (loaded.warning, loaded.damage, loaded.refusals) == ("", "", [])
        assert names_and_nodes(one_kernels(loaded.table), loaded.blocks) == made.nodes
        verify(archive, lambda *_: None)
        read = read_in_one_pass(archive.archive)
        assert (read.format, read.damage, read.refusals) == (form.format, "", [])
        assert names_and_nodes(read.table, read.blocks) == made.nodes


@pytest.mark.parametrize("compression", COMPRESSIONS)
@FEW
@given(trees(TAR_TIMES))
def test_a_tar_is_read_as_it_was_packed(compression: str, made: MadeTree) -> None:
    check_ours(made, Form("tar", compression))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@FEW
@given(trees(CPIO_TIMES))
def test_a_cpio_is_read_as_it_was_packed(compression: str, made: MadeTree) -> None:
    check_ours(made, Form("cpio", compression))


def packed_names(made: MadeTree) -> set[bytes]:
    """Return the names that have a member; directories may be there by what is in them alone."""
    kernel = made.kernel
    groups = (kernel.directories, kernel.files, kernel.others, kernel.links)
    return {packed.member.name for group in groups for packed in group}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@FEW
@given(trees(TAR_TIMES))
def test_the_standard_library_reads_the_same_tar(compression: str, made: MadeTree) -> None:
    plain = io.BytesIO(decompressed(packed(made, Form("tar", compression)), compression))
    found: set[bytes] = set()
    with tarfile.open(fileobj=plain, encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            name = os.fsencode(member.name).removeprefix(b"./").rstrip(b"/")
            name = b"" if name == b"." else name
            found.add(name)
            node = made.nodes[name]
            if member.islnk():
                target = os.fsencode(member.linkname).removeprefix(b"./")
                assert made.nodes[target].same_as == node.same_as
                continue
            assert member.mode == stat.S_IMODE(node.mode)
            assert member.mtime == pytest.approx(node.mtime / SECOND, abs=0, rel=1e-15)
            assert (member.isdir(), member.issym()) == (
                stat.S_ISDIR(node.mode),
                stat.S_ISLNK(node.mode),
            )
            if member.issym():
                assert os.fsencode(member.linkname) == node.content
            elif member.isreg():
                file = archive.extractfile(member)
                assert file is not None
                assert file.read() == node.content
    assert found == packed_names(made)


@settings(max_examples=EXTRACTIONS)
@given(trees(CPIO_TIMES))
def test_gnu_cpio_extracts_the_same(made: MadeTree) -> None:
    if shutil.which("cpio") is None:
        pytest.skip("not installed: cpio")
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            ["cpio", "-idm", "--quiet"],
            check=True,
            cwd=directory,
            input=packed(made, Form("cpio", "none")),
            capture_output=True,
        )
        assert done.stderr == b""
        inodes: dict[int, bytes] = {}
        for name, node in sorted(made.nodes.items()):
            path = os.path.join(os.fsencode(directory), name)
            status = os.lstat(path)
            assert stat.S_IFMT(status.st_mode) == stat.S_IFMT(node.mode)
            if stat.S_ISDIR(node.mode):
                continue  # what is put into it later changes its time
            if stat.S_ISLNK(node.mode):  # it makes as many symlinks as there are names
                assert os.readlink(path) == node.content
            else:
                assert inodes.setdefault(status.st_ino, name) == node.same_as
                assert (status.st_mode, status.st_mtime_ns) == (node.mode, node.mtime)
                os.chmod(path, 0o600)
                assert Path(os.fsdecode(path)).read_bytes() == node.content
                os.chmod(path, stat.S_IMODE(node.mode))
