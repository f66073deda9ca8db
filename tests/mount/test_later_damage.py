"""What only reading shows, and what happens to an archive while it is mounted."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.support import golden, synthetic
from tests.support.mounting import Outcome, drop_caches, one_line, run_command
from tests.support.synthetic import altered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mounting


def test_damage_that_only_reading_shows_is_an_input_output_error_and_a_line_in_the_log(
    mount: Mounting, small_archive: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar.xz"
    content = small_archive.read_bytes()
    archive.write_bytes(altered(content, len(content) // 2))
    mounted = mount(archive)
    mounted.accept("ERROR: .*archive.tar.xz.*damaged")
    for _ in range(3):
        for name in ("modes/644", "absent"):
            with pytest.raises(OSError) as caught:
                os.stat(mounted / name)
            assert caught.value.errno == errno.EIO
    with pytest.raises(OSError) as caught:
        os.listdir(mounted.path)
    assert caught.value.errno == errno.EIO
    assert len(mounted.messages()) == 1
    status = mounted.status()
    assert status["loaded"] is False
    assert "archive.tar.xz" in status["damage"]
    told = run_command("status", mounted.path).output
    assert f"  unreadable {status['damage']}\n" in told
    assert "nobody has looked" not in told


def test_the_system_log_takes_names_that_are_no_text(
    fuse: None, small_archive: Path, tmp_path: Path
) -> None:
    content = small_archive.read_bytes()
    archive, place = os.fsencode(tmp_path / "archive") + b"\xff.tar.xz", tmp_path / "place"
    place.mkdir()
    with open(archive, "wb") as stream:
        stream.write(altered(content, len(content) // 2))
    assert run_command("mount", os.fsdecode(archive), place) == Outcome(0, "", "")
    try:
        for _ in range(2):
            with pytest.raises(OSError) as caught:
                os.stat(place / "modes")
            assert caught.value.errno == errno.EIO
    finally:
        assert run_command("umount", place) == Outcome(0, "", "")


def test_what_comes_before_damage_stays_readable(
    mount: Mounting, synthetic_tree: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar.xz"
    form = next(form for form in synthetic.FORMS if form.name == "pax")
    synthetic.write_archive(form, synthetic_tree, archive)
    content = synthetic.VARIANTS["xz-blocks"](archive.read_bytes())
    archive.write_bytes(altered(content, len(content) * 3 // 4))
    mounted = mount(archive)
    mounted.accept("ERROR: .*block [0-9]+ of [0-9]+ is damaged")
    first = sorted(entry.name for entry in (synthetic_tree / "include/linux").iterdir())
    for name in first:
        expected = (synthetic_tree / "include/linux" / name).read_bytes()
        assert (mounted / "include/linux" / name).read_bytes() == expected
    # What might have come after it is not said to be absent.
    with pytest.raises(OSError) as caught:
        os.stat(mounted / "sparse")
    assert caught.value.errno == errno.EIO


def test_an_archive_that_shrinks_while_mounted_is_an_error_and_no_crash(
    mount: Mounting, small_archive: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar.xz"
    archive.write_bytes(small_archive.read_bytes())
    mounted = mount(archive)
    os.truncate(archive, 1000)
    mounted.accept("ERROR: .*the file ends before")
    with pytest.raises(OSError) as caught:
        os.stat(mounted / "modes/644")
    assert caught.value.errno == errno.EIO
    assert mounted.status()["pid"] == mounted.pid


def test_a_gzip_of_no_archive_is_found_out_when_somebody_looks(
    mount: Mounting, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar.gz"
    archive.write_bytes(gzip.compress(b"no archive, but text\n" * 1000))
    mounted = mount(archive)
    mounted.accept("ERROR: .*neither tar nor cpio")
    with pytest.raises(OSError) as caught:
        os.listdir(mounted.path)
    assert caught.value.errno == errno.EIO
    assert run_command("ls", archive).status == 12


def test_an_archive_that_is_compressed_twice_is_not_supported(
    small_archive: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar.xz.gz"
    archive.write_bytes(gzip.compress(small_archive.read_bytes()))
    outcome = run_command("ls", archive)
    assert outcome.status == 12
    one_line(outcome)


def test_the_archive_is_only_ever_read(
    mount: Mounting, small_archive: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar.xz"
    content = small_archive.read_bytes()
    archive.write_bytes(content)
    archive.chmod(0o444)
    before = os.stat(archive)
    mounted = mount(archive)
    generator = random.Random(2)
    for path in generator.sample(sorted((mounted / "sizes").iterdir()), 5):
        path.read_bytes()
    after = os.stat(archive)
    assert hashlib.sha256(archive.read_bytes()).digest() == hashlib.sha256(content).digest()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)


def test_an_archive_that_is_replaced_or_deleted_while_mounted_stays_what_it_was(
    cold: None, mount: Mounting, small_archive: Path, synthetic_tree: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar.xz"
    archive.write_bytes(small_archive.read_bytes())
    mounted = mount(archive)
    archive.unlink()
    archive.write_bytes(b"something else\n")
    expected = hashlib.sha256((synthetic_tree / "sizes/300000").read_bytes()).hexdigest()
    drop_caches()
    assert golden.digest_of(mounted / "sizes/300000") == expected
