"""include/vmlinux.h in a mount: there for the right headers, made when somebody looks."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from kheadersfs.bpf.btf import RUNNING_KERNEL_BTF
from kheadersfs.bpf.vmlinux import Unavailable, prepare
from tests.support.libraries import has_libbpf
from tests.support.mounting import drop_caches, one_line, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mounting
    from tests.support.machine import Archives, Machine
    from tests.support.mounting import Mount

NAME = "include/vmlinux.h"
READERS = 8


@pytest.fixture(scope="module")
def expected() -> bytes:
    """What the header is to be, made in this process."""
    header = prepare()
    if isinstance(header, Unavailable):
        pytest.skip(f"kernel: {header.reason}" if has_libbpf() else header.reason)
    return header.text()


def resident(mount: Mount) -> int:
    size: int = mount.status()["resident"]
    return size


def test_headers_of_the_running_kernel_have_it(
    mount: Mounting, archives: Archives, expected: bytes
) -> None:
    mounted = mount(archives.own)
    assert (mounted / NAME).read_bytes() == expected


def test_its_size_is_right_for_whoever_asks_first(
    mount: Mounting, archives: Archives, expected: bytes
) -> None:
    mounted = mount(archives.own)
    status = os.stat(mounted / NAME)
    assert status.st_size == len(expected)
    assert status.st_blocks == -(-len(expected) // 512)
    assert stat.filemode(status.st_mode) == "-rw-r--r--"
    assert (status.st_uid, status.st_gid, status.st_nlink) == (0, 0, 1)


def test_a_listing_has_it_without_making_it(
    mount: Mounting, archives: Archives, expected: bytes
) -> None:
    mounted = mount(archives.own)
    before = resident(mounted)
    assert sorted(os.listdir(mounted / "include")) == ["generated", "linux", "vmlinux.h"]
    # It takes three megabytes, and several times as much to make.
    assert resident(mounted) - before < len(expected)
    # What a listing of names told the kernel is not what it believes of the size.
    with os.scandir(mounted / "include") as entries:
        sizes = {entry.name: entry.stat().st_size for entry in entries}
    assert sizes["vmlinux.h"] == len(expected)
    assert (mounted / NAME).read_bytes() == expected
    listed = subprocess.run(
        ["find", mounted.path, "-type", "f", "-printf", "%P %s\n"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"{NAME} {len(expected)}\n" in listed


def test_its_inode_is_its_own_and_stays(
    mount: Mounting, archives: Archives, expected: bytes
) -> None:
    numbers = set()
    for mounted in (mount(archives.own), mount(archives.own)):
        inodes = [
            os.lstat(os.path.join(directory, name)).st_ino
            for directory, directories, names in os.walk(mounted.path)
            for name in (*directories, *names)
        ]
        assert len(inodes) == len(set(inodes))
        numbers.add(os.stat(mounted / NAME).st_ino)
    assert len(numbers) == 1


def test_many_readers_at_once_read_the_same(
    mount: Mounting, archives: Archives, expected: bytes
) -> None:
    mounted = mount(archives.own)
    with ThreadPoolExecutor(READERS) as pool:
        contents = set(pool.map(lambda _: (mounted / NAME).read_bytes(), range(READERS)))
    assert contents == {expected}


def test_it_is_read_again_when_the_kernel_has_forgotten_it(
    mount: Mounting, cold: None, archives: Archives, expected: bytes
) -> None:
    mounted = mount(archives.own)
    for _ in range(2):
        assert (mounted / NAME).read_bytes() == expected
        drop_caches()
    with (mounted / NAME).open("rb") as stream:
        stream.seek(len(expected) - 100)
        assert stream.read() == expected[-100:]


def test_most_of_the_memory_is_given_back_when_it_is_made(
    mount: Mounting, archives: Archives, expected: bytes
) -> None:
    mounted = mount(archives.own)
    os.listdir(mounted.path)
    before = resident(mounted)
    os.stat(mounted / NAME)
    # Besides the text there are libbpf and its libraries, which are shared with others.
    assert resident(mounted) - before < len(expected) + (4 << 20)


def test_nobody_writes_to_it(mount: Mounting, archives: Archives, expected: bytes) -> None:
    mounted = mount(archives.own)
    with pytest.raises(OSError, match="Read-only file system"):
        (mounted / NAME).write_bytes(b"")
    with pytest.raises(OSError, match="Read-only file system"):
        (mounted / NAME).unlink()


@pytest.mark.usefixtures("expected")
def test_headers_of_another_kernel_do_not_have_it_and_the_log_says_why_once(
    mount: Mounting, archives: Archives
) -> None:
    mounted = mount(archives.others)
    mounted.accept(r"WARNING: no vmlinux\.h: the headers are of 2\.6\.32, .*--btf")
    assert sorted(os.listdir(mounted / "include")) == ["generated", "linux"]
    assert mounted.messages() == []
    for _ in range(2):
        assert not (mounted / NAME).exists()
    assert len(mounted.messages()) == 1


@pytest.mark.usefixtures("expected")
def test_headers_of_an_unknown_kernel_do_not_have_it(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    mounted.accept(r"WARNING: no vmlinux\.h: the headers are of an unnamed release, ")
    assert not (mounted / NAME).exists()


def test_with_btf_named_any_headers_have_it(
    mount: Mounting, archives: Archives, expected: bytes, tmp_path: Path
) -> None:
    types = tmp_path / "types"
    shutil.copyfile(RUNNING_KERNEL_BTF, types)
    mounted = mount(archives.others, "--btf", types)
    types.unlink()
    assert (mounted / NAME).read_bytes() == expected


def test_run_has_it_too(archives: Archives, expected: bytes) -> None:
    script = f'wc --bytes <"$KHEADERS/{NAME}"'
    for archive, options in ((archives.own, ()), (archives.others, ("--btf", RUNNING_KERNEL_BTF))):
        outcome = run_command("run", *options, "--archive", archive, "sh", "-c", script)
        assert (outcome.status, outcome.output) == (0, f"{len(expected)}\n")


def test_it_is_not_among_the_headers_that_record_lists(
    archives: Archives, expected: bytes, tmp_path: Path
) -> None:
    """A profile says how an archive is ordered, and it is in none."""
    record = tmp_path / "record"
    script = f'cat "$KHEADERS/{NAME}" "$KHEADERS/include/linux/kconfig.h" >/dev/null'
    words = ("--archive", archives.own, "--record", record, "sh", "-c", script)
    assert run_command("run", *words).status == 0
    assert record.read_text() == "include/linux/kconfig.h\n"


@pytest.mark.usefixtures("expected")
def test_an_archives_own_file_of_that_name_comes_first(
    mount: Mounting, archives: Archives, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    shutil.unpack_archive(archives.own, tree, filter="data")
    (tree / NAME).write_text("/* from the archive */\n")
    archive = tmp_path / "with-types.tar.xz"
    subprocess.run(["tar", "-cJf", archive, "-C", tree, "."], check=True)
    mounted = mount(archive, "--btf", RUNNING_KERNEL_BTF)
    assert (mounted / NAME).read_text() == "/* from the archive */\n"
    assert sorted(os.listdir(mounted / "include")) == ["generated", "linux", "vmlinux.h"]


@pytest.mark.usefixtures("expected")
def test_without_a_directory_include_there_is_none(mount: Mounting, tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    archive = tmp_path / "no-include.tar"
    subprocess.run(["tar", "-cf", archive, "-C", tmp_path, "something"], check=True)
    mounted = mount(archive, "--btf", RUNNING_KERNEL_BTF)
    assert os.listdir(mounted.path) == ["something"]
    assert not (mounted / NAME).exists()


def test_damaged_types_are_no_file_and_a_line_in_the_log(
    mount: Mounting, archives: Archives, expected: bytes, tmp_path: Path
) -> None:
    types = tmp_path / "types"
    types.write_bytes(b"\x9f\xeb\x01\x00" + b"\xff" * 4096)
    mounted = mount(archives.own, "--btf", types)
    mounted.accept(r"ERROR: no vmlinux\.h: .*types: its types cannot be read")
    for _ in range(2):
        assert not (mounted / NAME).exists()
    assert sorted(os.listdir(mounted / "include")) == ["generated", "linux"]
    assert len(mounted.messages()) == 1


def test_damaged_types_are_said_beside_what_the_command_of_a_run_says(
    archives: Archives, expected: bytes, tmp_path: Path
) -> None:
    types = tmp_path / "types"
    types.write_bytes(b"\x9f\xeb\x01\x00" + b"\xff" * 4096)
    script = f'test -e "$KHEADERS/{NAME}"'
    words = ("--btf", types, "--archive", archives.own, "--", "sh", "-c", script)
    outcome = run_command("run", *words)
    assert outcome.status == 1
    assert f"no vmlinux.h: {types}: its types cannot be read" in one_line(outcome)


@pytest.mark.parametrize("command", ["mount", "run"])
def test_a_file_without_types_is_refused_at_once(
    archives: Archives, tmp_path: Path, command: str
) -> None:
    for name, status, message in (
        (archives.own, 2, "describes no types"),
        (tmp_path / "absent", 1, "No such file"),
    ):
        words = ("--archive", archives.own, "true")
        if command == "mount":
            words = (archives.own, tmp_path, "--")  # type: ignore[assignment]
        outcome = run_command(command, "--btf", name, *words)
        assert (outcome.status, outcome.output) == (status, "")
        assert message in outcome.errors
        assert outcome.errors.count("\n") == 1


def test_without_libbpf_it_is_absent_and_the_log_says_why(machine: Machine) -> None:
    machine.install()
    machine.namespace.run(
        *("sh", "-c", 'for file in $(find /usr/lib -name "libbpf.so.1*"); do rm "$file"; done')
    )
    machine.mount()
    outcome = machine.namespace.outcome("cat", f"/lib/modules/{os.uname().release}/build/{NAME}")
    assert (outcome.status, "No such file" in outcome.errors) == (1, True)
    assert machine.umount().status == 0
    message = machine.log.read_text()
    assert "no vmlinux.h: libbpf.so.1: cannot open shared object file" in message
    assert message.count("\n") == 1
    machine.log.unlink()
