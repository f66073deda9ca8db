"""Everything that can be wrong with what a user names: one line that says so, and nothing left."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support import synthetic
from tests.support.mounting import (
    Mount,
    Outcome,
    command_line,
    mounts_below,
    one_line,
    run_command,
    run_words,
)
from tests.support.synthetic import altered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Mounting, Prepare


def refusal(mount: Mount, *options: str) -> tuple[int, str]:
    """Return status and message of a mount command that fails, after checking what it left."""
    outcome = run_command("mount", *options, mount.archive, mount.path)
    message = one_line(outcome)
    assert not mounts_below(mount.path)
    return outcome.status, message


class Bad(NamedTuple):
    """A file that is no archive to mount: how it is made of a good one, and what is said of it."""

    make: Callable[[bytes], bytes]
    status: int
    message: str


BAD_FILES = {
    "empty": Bad(lambda good: b"", 12, "empty"),
    "one byte": Bad(lambda good: good[:1], 12, "neither tar nor cpio"),
    "text": Bad(lambda good: b"#define X 1\n" * 100, 12, "neither tar nor cpio"),
    "zip": Bad(lambda good: b"PK\3\4" + bytes(600), 12, "is compressed with zip"),
    "squashfs": Bad(lambda good: b"hsqs" + bytes(600), 12, "neither tar nor cpio"),
    "zeros": Bad(lambda good: bytes(10240), 13, "has no members"),
    "xz magic only": Bad(lambda good: good[:6], 13, "truncated"),
    "xz without its last byte": Bad(lambda good: good[:-1], 13, "truncated"),
    "xz without its footer": Bad(lambda good: good[:-12], 13, "truncated"),
    "half an xz": Bad(lambda good: good[: len(good) // 2], 13, "truncated"),
    "xz with a stray byte behind": Bad(lambda good: good + b"x", 13, "truncated or damaged"),
    "xz with a damaged footer": Bad(lambda good: altered(good, -8), 13, "checksum"),
    "xz with a damaged index": Bad(lambda good: altered(good, -20), 13, "damaged"),
    "xz with a damaged header": Bad(lambda good: altered(good, 9), 13, "damaged"),
}


@pytest.mark.parametrize("bad", BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_no_whole_archive_is_refused_at_once(
    prepared_mount: Prepare, small_archive: Path, tmp_path: Path, bad: Bad
) -> None:
    archive = tmp_path / "archive.tar.xz"
    content = bad.make(small_archive.read_bytes())
    archive.write_bytes(content)
    before = os.stat(archive)
    status, message = refusal(prepared_mount(archive))
    assert (status, bad.message in message) == (bad.status, True), message
    assert str(archive) in message
    assert archive.read_bytes() == content
    assert os.stat(archive).st_mtime_ns == before.st_mtime_ns
    # The commands that need no FUSE say the same.
    for command in ("ls", "info", "verify"):
        outcome = run_command(command, archive)
        assert (outcome.status, one_line(outcome)) == (status, message)


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_truncated_archive_is_refused_when_its_end_can_be_checked(
    prepared_mount: Prepare, small_archive: Path, tmp_path: Path, compression: str
) -> None:
    plain = subprocess.run(["xz", "-dc", small_archive], check=True, capture_output=True).stdout
    content = synthetic.COMPRESSIONS[compression](plain)
    archive = tmp_path / "archive"
    for length in (len(content) - 15_000, len(content) // 2 + 1, 1000):
        archive.write_bytes(content[:length])
        assert refusal(prepared_mount(archive))[0] == 13


def test_names_that_are_no_file_cannot_be_opened(prepared_mount: Prepare, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, message in (
        ("absent", "No such file"),
        (".", "is a directory"),
        ("fifo", "is a pipe; "),
    ):
        status, said = refusal(prepared_mount(tmp_path / name))
        assert (status, message in said) == (11, True), said


def test_what_stands_before_the_archive_is_asked_for(
    prepared_mount: Prepare, small_archive: Path, tmp_path: Path
) -> None:
    mount = prepared_mount(small_archive)
    for words in (
        ("mount", mount.path, small_archive),
        ("mount", tmp_path / "absent", small_archive),
        ("ls", "modes", small_archive),
        ("cat", "modes/644", small_archive),
    ):
        outcome = run_command(*words)
        assert outcome.status == 11
        assert f"; ARCHIVE comes first: is it {small_archive}?" in one_line(outcome)
    # There may be nothing to suggest.
    assert "comes first" not in run_command("mount", mount.path, mount.path).errors


ADDRESSES = {
    "ftp://example.org/k.tar.xz": "download it: curl -O ftp://example.org/k.tar.xz",
    "ftp://example.org/k.tar.xz?a&b": "download it: curl -O 'ftp://example.org/k.tar.xz?a&b'",
    "file:///boot/k.tar.xz": "name the file: /boot/k.tar.xz",
    "file://localhost/boot/k.tar.xz": "name the file: /boot/k.tar.xz",
}


@pytest.mark.parametrize(("address", "advice"), ADDRESSES.items())
def test_an_address_is_named_as_it_was_typed(
    tmp_path: Path, fuse: None, address: str, advice: str
) -> None:
    said = f"kheadersfs: {address}: is an address of a kind that is not fetched; {advice}\n"
    for words in (
        ("mount", address, tmp_path),
        ("info", address),
        ("verify", address),
        ("repack", address, "-o", tmp_path / "out.tar.xz"),
        ("merge", f"a={address}", "-o", tmp_path / "out.tar.xz"),
        ("run", "--archive", address, "--", "true"),
    ):
        outcome = run_command(*words)
        assert (outcome.status, one_line(outcome)) == (11, said)


def test_a_pipe_is_no_archive(small_archive: Path, tmp_path: Path, fuse: None) -> None:
    rests: dict[str, tuple[str | Path, ...]] = {"mount": (tmp_path,), "run": ("true",)}
    for words in (("info",), ("ls",), ("mount",), ("run", "--archive")):
        rest = rests.get(words[0], ())
        for name, message in (("-", "standard input is not read"), ("/dev/stdin", "is a pipe")):
            command = command_line(*words, name, *rest)
            outcome = run_words("sh", "-c", 'cat "$0" | "$@"', str(small_archive), *command)
            assert f"{name}: {message}; " in one_line(outcome)
            assert "save it to a file" in outcome.errors
            assert outcome.status == 11


def test_standard_input_that_is_a_file_is_read(small_archive: Path) -> None:
    command = command_line("ls", "/dev/stdin", "modes/644")
    outcome = run_words("sh", "-c", '"$@" <"$0"', str(small_archive), *command)
    assert outcome == Outcome(0, "modes/644\n", "")


@pytest.mark.parametrize("command", ["env", "cflags", "pack"])
def test_a_directory_that_is_not_there_is_named(tmp_path: Path, command: str) -> None:
    options = ("-o", tmp_path / "out.tar.xz", "--srctree") if command == "pack" else ()
    outcome = run_command(command, *options, tmp_path / "nodir")
    assert outcome.status == 2
    assert f"{tmp_path}/nodir: no such directory; name " in one_line(outcome)


def test_a_device_is_not_opened_as_an_archive(prepared_mount: Prepare, tmp_path: Path) -> None:
    mount = prepared_mount(tmp_path)
    outcome = run_command("mount", "/dev/null", mount.path)
    assert outcome.status == 11
    assert "not a regular file" in one_line(outcome)


def test_where_nothing_can_be_mounted_it_says_what_to_do(
    small_archive: Path, tmp_path: Path, fuse: None
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/something").touch()
    for name, message in (
        ("absent", "mkdir -p"),
        ("file", "is not a directory"),
        ("full", "-o nonempty"),
        ("file/below", "is not a directory"),
    ):
        outcome = run_command("mount", small_archive, tmp_path / name)
        assert (outcome.status, message in one_line(outcome)) == (10, True), outcome
    assert mounts_below(tmp_path) == []


def test_a_directory_with_content_is_hidden_when_that_is_asked_for(
    prepared_mount: Prepare, small_archive: Path
) -> None:
    mount = prepared_mount(small_archive)
    (mount / "something").touch()
    mount.mount("-o", "nonempty")
    assert not (mount / "something").exists()
    assert (mount / "modes/644").is_file()
    mount.unmount()
    assert (mount / "something").exists()


def test_a_second_mount_at_the_same_place_is_refused(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    for options in ((), ("-o", "nonempty")):
        outcome = run_command("mount", *options, small_archive, mounted.path)
        assert (outcome.status, "umount" in one_line(outcome)) == (10, True)
    assert len(mounts_below(mounted.path)) == 1


def test_what_is_not_ours_is_neither_unmounted_nor_described(root: None, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", other], check=True)
    try:
        for command in ("umount", "status"):
            outcome = run_command(command, other)
            assert (outcome.status, "tmpfs" in one_line(outcome)) == (10, True)
        assert mounts_below(other) == [str(other)]
    finally:
        subprocess.run(["umount", other], check=True)
    for command in ("umount", "status"):
        assert run_command(command, other).status == 10
        assert run_command(command, tmp_path / "absent").status == 10


USAGE = (
    (),
    ("frobnicate",),
    ("mount", "--frobnicate"),
    ("mount", "-o", "frobnicate", "ARCHIVE", "MOUNTPOINT"),
    ("mount", "-o", "rw", "ARCHIVE", "MOUNTPOINT"),
    ("mount", "-o", "uid=root", "ARCHIVE", "MOUNTPOINT"),
    ("mount", "-o", "cache=big", "ARCHIVE", "MOUNTPOINT"),
    ("mount", "--idle-timeout", "soon", "ARCHIVE", "MOUNTPOINT"),
    ("mount", "--idle-timeout", "-1", "ARCHIVE", "MOUNTPOINT"),
    ("mount", "ARCHIVE", "MOUNTPOINT", "more"),
    ("ls",),
    ("cat", "ARCHIVE"),
    ("verify",),
    ("run", "--archive", "ARCHIVE"),
)


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_arguments_that_make_no_sense_are_a_matter_of_usage(
    small_archive: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    places = {"ARCHIVE": str(small_archive), "MOUNTPOINT": str(tmp_path)}
    outcome = run_command(*(places.get(word, word) for word in arguments))
    assert outcome.status == 2
    assert outcome.output == ""
    if arguments:
        assert "--help" in one_line(outcome) or "-o" in outcome.errors
    assert mounts_below(tmp_path) == []
