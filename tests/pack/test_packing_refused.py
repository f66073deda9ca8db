"""Trees that cannot be packed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kheadersfs.errors import KheadersfsError
from kheadersfs.kernel.trees import find_kernel_tree
from kheadersfs.pack.comments import strip
from kheadersfs.pack.packing import Settings, pack
from kheadersfs.pack.selection import Header, select
from kheadersfs.pack.writing import Description, Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pack.conftest import SmallTree, Stranger

from tests.support.packing import ignore, run_pack

BAD_TREES: dict[str, tuple[Callable[[Path], None], int, str]] = {
    "not a kernel tree": (lambda tree: shutil.rmtree(tree / "include"), 2, "not a kernel tree"),
    "not there": (shutil.rmtree, 2, "no such directory; name a kernel tree with --srctree"),
    "not configured": (
        lambda tree: (tree / "include/generated/autoconf.h").unlink(),
        2,
        "is not configured (no include/generated/autoconf.h): run make defconfig prepare",
    ),
    "not prepared": (
        lambda tree: (tree / "include/generated/utsrelease.h").unlink(),
        2,
        "run make prepare",
    ),
    "a fifo": (
        lambda tree: os.mkfifo(tree / "include/linux/fifo.h"),
        1,
        "fifo.h: is neither a file nor a symlink",
    ),
}


@pytest.mark.parametrize("case", BAD_TREES)
def test_a_bad_tree_is_refused_in_one_line(
    case: str, small_tree: SmallTree, tmp_path: Path
) -> None:
    spoil, status, message = BAD_TREES[case]
    tree, archive = small_tree(), tmp_path / "kheaders.tar.xz"
    archive.write_bytes(b"what was there")
    spoil(tree)
    outcome = run_pack(tree, archive)
    assert (outcome.status, outcome.output) == (status, "")
    assert message in outcome.errors
    assert outcome.errors.count("\n") == 1
    assert archive.read_bytes() == b"what was there"


@pytest.mark.parametrize("arch", ["vax", "arm", "..", "."])
def test_an_unknown_architecture_is_refused(
    arch: str, small_tree: SmallTree, tmp_path: Path
) -> None:
    outcome = run_pack(small_tree(), tmp_path / "out.tar.xz", "--arch", arch)
    assert outcome.status == 2
    assert f"{arch}: is no architecture that" in outcome.errors
    assert "name one of arm64, x86" in outcome.errors


@pytest.mark.parametrize("what", ["include/linux/sched.h", "include/asm-generic"])
def test_what_cannot_be_read_is_named(what: str, stranger: Stranger, small_tree: SmallTree) -> None:
    tree = stranger.directory / "linux"
    shutil.copytree(small_tree(), tree)
    (tree / what).chmod(0)
    done = stranger.pack("--srctree", tree, "-o", "kheaders.tar.xz")
    assert done.returncode == 1
    assert f"{what}: cannot read the header: Permission denied" in done.stderr
    assert done.stderr.count("\n") == 1


def test_where_nothing_may_be_written_is_named(stranger: Stranger, small_tree: SmallTree) -> None:
    tree = stranger.directory / "linux"
    shutil.copytree(small_tree(), tree)
    done = stranger.pack("--srctree", tree, "-o", "kheaders.tar.xz")
    assert done.returncode == 1
    assert "kheaders.tar.xz: cannot be written: Permission denied" in done.stderr
    assert done.stderr.count("\n") == 1


CHANGES: dict[str, Callable[[Path], object]] = {
    "changes": lambda path: path.write_text("struct other_name;\n"),
    "goes": lambda path: path.unlink(),
    "comes": lambda path: path.with_name("new.h").touch(),
    "is replaced": lambda path: Path(shutil.copy2(path, f"{path}.new")).replace(path),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_tree_that_changes_while_it_is_read_is_an_error(
    change: str, small_tree: SmallTree, tmp_path: Path
) -> None:
    directory = small_tree()
    tree = find_kernel_tree(str(directory), None, None)
    selections: list[dict[bytes, Header]] = []

    def select_again() -> dict[bytes, Header]:
        if selections:
            CHANGES[change](directory / "include/linux/sched.h")
        selections.append(select(tree))
        return selections[-1]

    archive = tmp_path / "kheaders.tar.xz"
    settings = Settings(Form("tar", "xz"), strip, [], 0)
    with pytest.raises(KheadersfsError, match=r"\.h: changed while the tree was being packed"):
        pack(select_again, Description("", "x86"), str(archive), settings, ignore)
    assert not archive.exists()
