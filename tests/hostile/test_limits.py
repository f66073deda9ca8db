"""Every limit: it holds, it says which one it is, and it can be raised."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest

from kheadersfs.archive.compression import xz_coding, zstd_coding
from kheadersfs.archive.opening import open_archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.errors import RefusedArchive
from kheadersfs.limits import DEFAULT_LIMITS, Limits, Meter
from tests.support.mounting import Outcome, mounts_below, run_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.conftest import Mounting, Prepare


FILE_SIZE = 50_000


@pytest.fixture(scope="module", params=["one pass", "index"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in a directory with two files and a symlink, in an archive of three blocks."""
    top = tmp_path_factory.mktemp("limits")
    inner = top / "tree/outer/inner"
    inner.mkdir(parents=True)
    for number in range(2):
        text = b"".join(b"%d" % (number + n * n) for n in range(FILE_SIZE))
        (inner / f"file{number}").write_bytes(text[:FILE_SIZE])
    (inner / "link").symlink_to("file0")
    plain: Path = top / "plain.tar"
    subprocess.run(["tar", "-cf", plain, "-C", top / "tree", "."], check=True)
    if request.param == "one pass":
        subprocess.run(["xz", "--block-size=51200", plain], check=True)
        return top / "plain.tar.xz"
    packed = top / "packed.tar.xz"
    assert run_command("repack", plain, packed).status == 0
    return packed


# The largest value that is too small for the archive, and what the message says.
WHOLE = {
    "members": (5, "the number of names"),
    "total": (2 * FILE_SIZE - 1, "the content of all files"),
    "file": (FILE_SIZE - 1, "the size of a file"),
    "blocks": (1, "the number of blocks"),
}
BY_NAME = {"path": 15, "depth": 2, "target": 4}


@pytest.mark.parametrize("name", WHOLE)
def test_an_archive_beyond_a_limit_is_refused_and_the_limit_named(archive: Path, name: str) -> None:
    value, subject = WHOLE[name]
    outcome = run_command("verify", "--limit", f"{name}={value}", archive)
    assert outcome.status == 14, outcome
    assert f"{subject}" in outcome.errors
    assert f"is beyond {value}; if you trust it, allow more: --limit {name}=" in outcome.errors
    enough = {"members": 6, "blocks": 100}.get(name, value + 1)
    assert run_command("verify", "--limit", f"{name}={enough}", archive).status == 0


@pytest.mark.parametrize("name", BY_NAME)
def test_a_member_beyond_a_limit_is_left_out_or_the_archive_refused(
    archive: Path, name: str
) -> None:
    """Who made an index had larger limits, and what an index lists cannot be left out."""
    outcome = run_command("verify", "--limit", f"{name}={BY_NAME[name]}", archive)
    if archive.name == "packed.tar.xz":
        assert outcome.status == 14
        assert f"--limit {name}=" in outcome.errors
    else:
        assert outcome.status == 0
        assert "members refused" in outcome.output
    assert run_command("verify", "--limit", f"{name}=100", archive).status == 0


def test_a_limit_of_time_ends_reading(archive: Path) -> None:
    outcome = run_command("verify", "--limit", "seconds=0", archive)
    assert outcome.status == 14
    assert "the time to read it, in seconds of a processor, is beyond 0" in outcome.errors


def test_a_limit_of_time_counts_what_a_processor_does_and_not_the_clock() -> None:
    meter = Meter("archive", 1000, Limits(seconds=1))
    threading.Event().wait(1.5)
    meter.count(1)
    begun = process_time()
    while process_time() - begun < 1.5:
        pass
    with pytest.raises(RefusedArchive, match="in seconds of a processor, is beyond 1"):
        meter.count(1)


def test_a_limit_of_memory_holds_where_content_is_held(tmp_path: Path) -> None:
    plain = tmp_path / "random.tar"
    (tmp_path / "random").write_bytes(bytes(3 << 20))
    with open("/dev/urandom", "rb") as random, (tmp_path / "random").open("wb") as file:
        file.write(random.read(4 << 20))
    subprocess.run(["tar", "-cf", plain, "-C", tmp_path, "random"], check=True)
    outcome = run_command("ls", "--limit", "memory=1M", plain)
    assert outcome.status == 14
    assert "--limit memory=" in outcome.errors
    assert run_command("ls", "--limit", "memory=5M", plain).status == 0


def test_a_limit_of_memory_holds_within_a_file(tmp_path: Path) -> None:
    """The archive is cut off far behind the limit, which who looks at whole files never reaches."""
    plain = tmp_path / "random.tar"
    (tmp_path / "random").write_bytes(os.urandom(8 << 20))
    subprocess.run(["tar", "-cf", plain, "-C", tmp_path, "random"], check=True)
    subprocess.run(["gzip", "-1", plain], check=True)
    archive = tmp_path / "random.tar.gz"
    os.truncate(archive, 7 << 20)
    outcome = run_command("ls", "--limit", "memory=1M", archive)
    assert outcome.status == 14
    assert "--limit memory=" in outcome.errors
    assert run_command("ls", archive).status == 13


@pytest.mark.parametrize("archive", ["index"], indirect=True)
def test_an_index_with_a_block_beyond_the_limit_is_refused(archive: Path) -> None:
    outcome = run_command("ls", "--limit", "block=10000", archive)
    assert outcome.status == 14
    assert "--limit block=NUMBER" in outcome.errors
    assert run_command("ls", "--limit", "block=1M", archive).status == 0


REFUSED_OUTPUTS = {
    "members": ("repack", "3"),
    "block": ("repack", "20K"),
    "depth": ("merge", "3"),
    "path": ("merge", "11"),
}


@pytest.mark.parametrize("limit", REFUSED_OUTPUTS)
def test_what_could_not_be_read_is_not_written(limit: str, tmp_path: Path) -> None:
    command, value = REFUSED_OUTPUTS[limit]
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file.h").write_text("#define A 1\n" * 3000)
    plain, output = tmp_path / "plain.tar", tmp_path / "output.tar.xz"
    subprocess.run(["tar", "-cf", plain, "-C", tmp_path, "a"], check=True)
    words = [plain, output] if command == "repack" else [f"k={plain}", "-o", output]
    outcome = run_command(command, "--limit", f"{limit}={value}", *words)
    assert outcome.status == 14
    assert f"--limit {limit}" in outcome.errors
    assert not output.exists()
    assert run_command(command, *words).status == 0


LARGE = 10 << 20
"""Bytes of a file whose block is not decoded in one call."""
GRACE = 0.3
"""Seconds in which another thread gets as far, unless something keeps it."""


@pytest.fixture(scope="module", params=["xz", "zstd"])
def large_block(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with an index, with one small block and one large one."""
    top = tmp_path_factory.mktemp("large")
    (top / "tree").mkdir()
    # The reach of a header decides what comes first.
    (top / "tree/a.h").write_bytes(b"#define A 1\n")
    (top / "tree/b").write_bytes(bytes(LARGE))
    plain, packed = top / "plain.tar", top / "packed.tar"
    subprocess.run(["tar", "-cf", plain, "-C", top / "tree", "a.h", "b"], check=True)
    packed = packed.with_suffix(f".tar.{request.param}")
    assert run_command("repack", plain, packed).status == 0
    return packed


def test_a_block_that_takes_too_long_is_an_error_for_what_lies_in_it(
    large_block: Path, mount: Mounting
) -> None:
    """Any time is too long here, and only blocks that may take some are looked at."""
    mounted = mount(large_block, "--limit", "decode=0")
    subject = "the time to decode a block, in seconds of a processor, is beyond 0"
    mounted.accept(f"ERROR: .*{subject}; .* allow more: --limit decode=NUMBER")
    assert (mounted / "a.h").read_bytes() == b"#define A 1\n"
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output error"):
            (mounted / "b").read_bytes()
    assert mounted.status()["blocks_damaged"] == 1
    assert (mounted / "a.h").read_bytes() == b"#define A 1\n"
    assert sum(subject in line for line in mounted.messages()) == 1


def test_large_blocks_are_decoded_one_at_a_time(
    large_block: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes twice its size meanwhile."""
    under_way = most = 0
    another = threading.Event()

    def count(content: Iterable[bytes], *arguments: Any) -> Iterator[bytes]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way > 1:
            another.set()
        another.wait(GRACE)
        yield from decode(content, *arguments)
        under_way -= 1

    framing = zstd_coding if large_block.suffix == ".zstd" else xz_coding
    decode = framing.decode_pieces
    monkeypatch.setattr(framing, "decode_pieces", count)
    archive = open_archive(str(large_block))
    blocks = WholeReader(archive).load().blocks
    large = [n for n in range(len(blocks)) if blocks.starts[n + 1] - blocks.starts[n] > LARGE]
    assert large
    with closing(archive), ThreadPoolExecutor(2) as threads:
        first, second = threads.map(blocks.decode, large[:1] * 2)
    assert first == second
    assert most == 1


def test_a_command_says_which_limit_a_block_is_beyond(large_block: Path) -> None:
    outcome = run_command("cat", "--limit", "decode=0", large_block, "b")
    assert outcome.status == 14
    assert "--limit decode=NUMBER" in outcome.errors
    assert run_command("cat", large_block, "b") == Outcome(0, "\0" * LARGE, "")


def test_a_mount_beyond_a_limit_shows_errors_and_says_why(archive: Path, mount: Mounting) -> None:
    mounted = mount(archive, "-o", "limit=members=5")
    mounted.accept("ERROR: .*--limit members=NUMBER")
    with pytest.raises(OSError, match="Input/output error"):
        list(mounted.path.iterdir())
    assert any("--limit members=NUMBER" in line for line in mounted.messages())


def test_a_strict_mount_beyond_a_limit_is_refused(archive: Path, prepared_mount: Prepare) -> None:
    mount = prepared_mount(archive)
    outcome = run_command("mount", "--strict", "--limit", "members=5", archive, mount.path)
    assert outcome.status == 14
    assert not mounts_below(mount.path)


def test_a_run_has_limits_too(fuse: None, archive: Path) -> None:
    outcome = run_command("run", "--archive", archive, "--limit", "members=5", "--", "ls", "/")
    assert outcome.status == 0
    blind = run_command(
        *("run", "--archive", archive, "--limit", "members=5", "--"),
        *("sh", "-c", 'ls "$KHEADERS"'),
    )
    assert blind.status != 0
    assert "Input/output error" in blind.errors


@pytest.mark.parametrize("setting", ["", "members", "members=", "members=many", "other=1", "=1"])
def test_what_is_no_limit_is_a_matter_of_usage(archive: Path, setting: str) -> None:
    assert run_command("ls", "--limit", setting, archive).status == 2


def test_help_names_every_limit_and_its_default() -> None:
    assert "kheadersfs help limits" in " ".join(run_command("mount", "--help").output.split())
    text = " ".join(run_command("help", "limits").output.split())
    for name, value in DEFAULT_LIMITS._asdict().items():
        assert re.search(rf" {name} [^;]+; {value} ", text)


def test_a_ratio_counts_beyond_what_is_harmless() -> None:
    meter = Meter("archive", 1000, Limits(ratio=10))
    meter.count(64 << 20)
    with pytest.raises(RefusedArchive, match="the ratio of compression is beyond 10"):
        meter.count(1)


def test_a_real_archive_is_far_from_every_limit_of_size(reference_archive: Path) -> None:
    """How far it is from those of time is a matter of the machine."""
    sizes = {
        name: value
        for name, value in DEFAULT_LIMITS._asdict().items()
        if name not in ("seconds", "decode")
    }
    quarter = [f"--limit={name}={value // 4}" for name, value in sizes.items()]
    assert run_command("verify", *quarter, reference_archive) == Outcome(
        0, run_command("verify", reference_archive).output, ""
    )
