"""tools/gen_kheaders.sh as a kernel build runs it, in both generations."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.errors import KheadersfsError
from kheadersfs.pack.kbuild import Build, run
from tests.conftest import REPOSITORY
from tests.support import kernel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pack.conftest import SmallTree

SCRIPT = REPOSITORY / "tools/gen_kheaders.sh"
GENERATES = f"  GEN     {kernel.ARCHIVE}\n"
HEADER = "include/linux/sched.h"


@pytest.fixture
def tree(small_tree: SmallTree) -> Path:
    """A small kernel tree, whose headers are older than any clock tick."""
    made = small_tree()
    (made / "kernel").mkdir()
    for path in made.rglob("*.h"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return made


def read(tree: Path, path: str) -> bytes:
    with kheadersfs.open_archive(tree / kernel.ARCHIVE) as archive:
        return archive.read(path)


def test_the_archive_is_made_once(tree: Path) -> None:
    assert kernel.run_script(SCRIPT, tree, ".") == GENERATES
    before = (tree / kernel.ARCHIVE).stat()
    assert kernel.run_script(SCRIPT, tree, ".") == ""
    after = (tree / kernel.ARCHIVE).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert read(tree, "include/generated/utsrelease.h") == b'#define UTS_RELEASE "6.1.7-test"\n'


def test_a_change_of_the_same_size_at_the_same_time_is_noticed(tree: Path) -> None:
    """The kernel's own check goes by size and minute."""
    kernel.run_script(SCRIPT, tree, ".")
    text = (tree / HEADER).read_text().replace("task", "TASK")
    (tree / HEADER).write_text(text)
    os.utime(tree / HEADER, (1_600_000_000, 1_600_000_000))
    assert kernel.run_script(SCRIPT, tree, ".") == GENERATES
    assert read(tree, HEADER) == text.encode()


def test_a_header_that_is_only_written_again_changes_nothing(tree: Path) -> None:
    kernel.run_script(SCRIPT, tree, ".")
    (tree / HEADER).write_text((tree / HEADER).read_text())
    assert kernel.run_script(SCRIPT, tree, ".") == ""


def test_whatever_else_decides_makes_the_archive_again(tree: Path) -> None:
    kernel.run_script(SCRIPT, tree, ".")
    assert kernel.run_script(SCRIPT, tree, ".", KBUILD_BUILD_TIMESTAMP="@1") == GENERATES
    assert kernel.run_script(SCRIPT, tree, ".") == GENERATES
    (tree / "include/linux/new.h").touch()
    assert kernel.run_script(SCRIPT, tree, ".") == GENERATES
    (tree / kernel.ARCHIVE).write_bytes(b"cut off")
    assert kernel.run_script(SCRIPT, tree, ".") == GENERATES
    (tree / kernel.ARCHIVE).unlink()
    assert kernel.run_script(SCRIPT, tree, ".", quiet="silent_") == ""
    assert read(tree, "include/linux/new.h") == b""


def test_an_object_tree_of_its_own_is_packed_with_its_sources(tree: Path, tmp_path: Path) -> None:
    objtree = tmp_path / "objtree"
    (objtree / "kernel").mkdir(parents=True)
    (objtree / "include").mkdir()
    (tree / "include/generated").rename(objtree / "include/generated")
    assert kernel.run_script(SCRIPT, objtree, "../linux") == GENERATES
    assert b"Linux/x86" not in read(objtree, "include/generated/autoconf.h")
    assert b"struct task_struct" in read(objtree, HEADER)


@pytest.fixture
def on_full_disk(tmp_path: Path) -> Path:
    """The script where no file can be written, though it can be made and emptied."""
    script = tmp_path / "limited.sh"
    script.write_text(f'#!/bin/sh\nulimit -f 0\nexec {SCRIPT} "$@"\n')
    script.chmod(0o755)
    return script


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_what_is_remembered_is_replaced_whole_or_not_at_all(tree: Path, on_full_disk: Path) -> None:
    kernel.run_script(SCRIPT, tree, ".")
    before = contents(tree / "kernel")
    (tree / HEADER).write_text((tree / HEADER).read_text())
    with pytest.raises(subprocess.CalledProcessError):
        kernel.run_script(on_full_disk, tree, ".")
    assert contents(tree / "kernel") == before
    assert kernel.run_script(SCRIPT, tree, ".") == ""


def test_dependencies_are_replaced_whole_or_not_at_all(tree: Path, on_full_disk: Path) -> None:
    list_headers(tree)
    run_listed(tree)
    before = contents(tree / "kernel")
    with pytest.raises(subprocess.CalledProcessError):
        run_listed(tree, script=on_full_disk)
    assert contents(tree / "kernel") == before


def list_headers(tree: Path) -> None:
    """Write the two lists that the kernel's makefile writes since 6.17."""
    headers = sorted(str(path.relative_to(tree)) for path in tree.glob("include/**/*.h"))
    generated = [name for name in headers if name.startswith("include/generated/")]
    sources = [f"./{name}" for name in headers if name not in generated]
    generated.remove("include/generated/utsversion.h")
    (tree / "kernel/srclist").write_text("".join(f"{name}\n" for name in sources))
    (tree / "kernel/objlist").write_text("".join(f"{name}\n" for name in generated))


def run_listed(tree: Path, *timestamp: str, script: Path = SCRIPT) -> str:
    done = subprocess.run(
        [script, kernel.ARCHIVE, "kernel/srclist", "kernel/objlist", *timestamp],
        check=True,
        cwd=tree,
        env={**os.environ, "srctree": ".", "SRCARCH": "x86"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


@pytest.mark.parametrize("timestamp", [(), ("",), ("@1600000000",)])
def test_since_6_17_the_makefile_lists_the_headers(timestamp: tuple[str, ...], tree: Path) -> None:
    list_headers(tree)
    assert run_listed(tree, *timestamp) == ""
    with kheadersfs.open_archive(tree / kernel.ARCHIVE) as archive:
        files = {entry.path: entry.mtime for entry in archive if entry.is_file}
    listed = (tree / "kernel/srclist").read_text() + (tree / "kernel/objlist").read_text()
    assert files.keys() == {name.removeprefix("./") for name in listed.split()}
    expected = 1_600_000_000 if timestamp == ("@1600000000",) else 315_532_800
    assert set(files.values()) == {expected * 10**9}


def test_make_understands_the_dependencies(tree: Path) -> None:
    list_headers(tree)
    run_listed(tree)
    dependencies = tree / "kernel/.kheaders_data.tar.xz.d"
    rule = f"{kernel.ARCHIVE}:\n\tfalse\n"
    (tree / "Makefile").write_text(f"include {dependencies.relative_to(tree)}\n{rule}")

    def is_current() -> bool:
        make = ["make", "--question", kernel.ARCHIVE]
        return subprocess.run(make, check=False, cwd=tree, capture_output=True).returncode == 0

    assert is_current()
    later = time.time() + 100
    os.utime(tree / "include/generated/autoconf.h", (later, later))
    assert is_current()
    text = dependencies.read_text()
    assert f"  ./{HEADER} \\\n" in text
    os.utime(tree / HEADER)
    os.utime(tree / kernel.ARCHIVE, (1_600_000_000, 1_600_000_000))
    assert not is_current()
    run_listed(tree)
    assert is_current()


@pytest.mark.parametrize("words", [(), ("a", "b"), ("a", "b", "c", "d", "e")])
def test_wrong_arguments_are_refused(words: tuple[str, ...], tree: Path) -> None:
    done = subprocess.run(
        [SCRIPT, *words], check=False, cwd=tree, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.returncode == 2
    assert b"expected ARCHIVE" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_an_error_names_the_script_and_fails_the_build(tree: Path) -> None:
    os.mkfifo(tree / "include/linux/fifo.h")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        kernel.run_script(SCRIPT, tree, ".")
    assert failed.value.returncode == 1
    assert not (tree / kernel.ARCHIVE).exists()


def test_output_that_cannot_be_written_to_is_an_error_of_one_line(tree: Path) -> None:
    reader, closed = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full, open(closed, "wb") as unread:
        for output in (full, unread):
            done = subprocess.run(
                [SCRIPT, kernel.ARCHIVE],
                check=False,
                cwd=tree,
                env={**os.environ, "srctree": ".", "SRCARCH": "x86"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
            )
            assert done.returncode == 1
            assert done.stderr.startswith(b"gen_kheaders.sh: standard output cannot be written to")
            assert done.stderr.count(b"\n") == 1
    assert not (tree / kernel.ARCHIVE).exists()


def test_an_archive_that_is_current_but_another_users_is_an_error(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", path)

    list_headers(tree)
    monkeypatch.chdir(tree)
    build = Build(
        kernel.ARCHIVE, ".", "x86", ("kernel/srclist", "kernel/objlist"), time=0, silent=False
    )
    run(build, print)
    monkeypatch.setattr(os, "utime", refuse)
    with pytest.raises(KheadersfsError, match=r"kheaders_data.* Operation not permitted"):
        run(build, print)
