"""Archives on a disk that fails for a while: errors meanwhile, and afterwards what is there."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support import golden
from tests.support.mounting import drop_caches, one_line, run_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Mounting


class Disk:
    """A file system in a file, through a loop device: where that file ends, reading fails."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "disk"
        self.path.mkdir()
        self._image = directory / "image"
        self._content = b""

    def hold(self, name: str, content: bytes) -> Path:
        """Make the file system, with a file in it, and mount it. Returns the file's path."""
        with self._image.open("wb") as image:
            image.truncate(len(content) + (2 << 20))
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", self._image], check=True)
        subprocess.run(["mount", "-o", "loop", self._image, self.path], check=True)
        (self.path / name).write_bytes(content)
        subprocess.run(["umount", self.path], check=True)
        self._content = self._image.read_bytes()
        subprocess.run(["mount", "-o", "loop,ro", self._image, self.path], check=True)
        return self.path / name

    def fail(self) -> None:
        """From now on nothing can be read."""
        os.truncate(self._image, 0)
        drop_caches()

    def recover(self) -> None:
        """From now on everything can be read again."""
        with self._image.open("r+b") as image:
            image.write(self._content)

    def take_away(self) -> None:
        """Unmount, if it is mounted."""
        if os.path.ismount(self.path):
            subprocess.run(["umount", self.path], check=True)


@pytest.fixture
def disk(cold: None, tmp_path: Path) -> Iterator[Disk]:
    """A disk that can be made to fail; it must be asked for before what mounts from it."""
    if not os.path.exists("/dev/loop-control"):
        pytest.skip("kernel: it has no loop devices")
    made = Disk(tmp_path)
    yield made
    made.take_away()


@pytest.mark.parametrize(
    "blocks", [["--block-size=0"], ["--block-size=16KiB"]], ids=["one", "many"]
)
def test_names_that_could_not_be_read_for_a_while_are_read_by_the_next_who_looks(
    disk: Disk, mount: Mounting, synthetic_tree: Path, small_archive: Path, blocks: list[str]
) -> None:
    plain = subprocess.run(["xz", "-dc", small_archive], check=True, capture_output=True).stdout
    content = subprocess.run(["xz", *blocks], check=True, input=plain, capture_output=True).stdout
    mounted = mount(disk.hold("archive.tar.xz", content))
    mounted.accept("ERROR: .*cannot read .* bytes at offset .*: Input/output error")
    disk.fail()
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            os.listdir(mounted.path)
        assert caught.value.errno == errno.EIO
    assert "Input/output error" in mounted.status()["damage"]
    disk.recover()
    assert golden.describe(mounted.path) == golden.describe(synthetic_tree)
    assert mounted.status()["damage"] == ""


def test_an_archive_that_cannot_be_read_is_said_to_be_that_in_one_line(
    disk: Disk, small_archive: Path, tmp_path: Path
) -> None:
    archive, place = disk.hold("archive.tar.xz", small_archive.read_bytes()), tmp_path / "place"
    place.mkdir()
    with archive.open("rb"):  # so that it can still be opened
        disk.fail()
        for command, *more in (("mount", place), ("ls",), ("verify",)):
            outcome = run_command(command, archive, *more)
            assert outcome.status == 11, outcome
            assert "Input/output error; see to the disk or network" in one_line(outcome)
    assert not os.path.ismount(place)
