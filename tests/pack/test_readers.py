"""Other programs read what we pack: the same members and bytes, and nothing to complain of."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import golden
from tests.support.mounting import Outcome, run_command

if TYPE_CHECKING:
    from tests.pack.conftest import Packed

TAR_READERS = {
    "GNU tar": "tar -xpf {archive}",
    "GNU tar from a pipe": "xz -dc {archive} | tar -xpf -",
    "bsdtar": "bsdtar -xpf {archive}",
    "busybox tar": "busybox tar -xJpf {archive}",
    "busybox tar after xz": "xz -dc {archive} | busybox tar -xpf -",
    "bsdcpio": "xz -dc {archive} | bsdcpio -idm --quiet",
    "GNU cpio": "xz -dc {archive} | cpio -idm --quiet",
}
CPIO_READERS = {
    "GNU cpio": "xz -dc {archive} | cpio -idm --quiet",
    "bsdcpio": "xz -dc {archive} | bsdcpio -idm --quiet",
    "busybox cpio": "xz -dc {archive} | busybox cpio -idm",
    "bsdtar": "bsdtar -xpf {archive}",
}
# It reports how much it read, and has no option to be quiet.
BUSYBOX_REPORT = " blocks\n"

BCC_PROGRAM = r"""
from bcc import BPF
BPF(text='#include <linux/sched.h>\n#include <linux/fs.h>\nint f(void *ctx) { return 0; }\n')
"""


def shell(command: str, directory: Path) -> str:
    """Run *command* in *directory*; it must succeed. Returns what it writes to standard error."""
    for program in ("xz", *(part.split()[0] for part in command.split("|"))):
        if shutil.which(program) is None:
            pytest.skip(f"not installed: {program}")
    done = subprocess.run(
        ["bash", "-c", f"umask 022; {command}"],
        check=False,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def without_times(description: golden.Description) -> dict[bytes, golden.Described]:
    """Return *description* without what some readers leave to the clock or the umask."""
    return {
        name: described._replace(mtime=0, permissions=0 if described.kind == "l" else 0o7777)
        for name, described in description.items()
    }


@pytest.fixture(scope="module")
def expected(packed: Packed) -> golden.Description:
    return golden.describe(packed.tree)


@pytest.fixture(scope="module")
def packed_cpio(packed: Packed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("cpio") / "kheaders.cpio.xz"
    assert run_command("repack", packed.archive, archive) == Outcome(0, "", "")
    return archive


@pytest.mark.parametrize("reader", TAR_READERS)
def test_tar_is_extracted_by(
    reader: str, packed: Packed, expected: golden.Description, tmp_path: Path
) -> None:
    errors = shell(TAR_READERS[reader].format(archive=packed.archive), tmp_path)
    assert errors == ""
    actual = golden.describe(tmp_path)
    assert golden.differences(without_times(actual), without_times(expected)) == []


@pytest.mark.parametrize("reader", CPIO_READERS)
def test_cpio_is_extracted_by(
    reader: str, packed_cpio: Path, expected: golden.Description, tmp_path: Path
) -> None:
    errors = shell(CPIO_READERS[reader].format(archive=packed_cpio), tmp_path)
    assert errors == "" or (reader == "busybox cpio" and errors.endswith(BUSYBOX_REPORT))
    actual = golden.describe(tmp_path)
    assert golden.differences(without_times(actual), without_times(expected)) == []


def test_every_lister_lists_the_same(packed: Packed, tmp_path: Path) -> None:
    listed = {}
    for lister in ("tar -tf", "bsdtar -tf", "busybox tar -tJf"):
        assert shell(f"{lister} {packed.archive} > listed", tmp_path) == ""
        listed[lister] = sorted((tmp_path / "listed").read_text().splitlines())
    with tarfile.open(packed.archive) as tar:
        assert {member.mtime for member in tar} == {315_532_800}
        listed["tarfile"] = sorted(
            member.name + "/" * member.isdir() if member.name != "." else "./" for member in tar
        )
    first, *others = listed.values()
    assert len(first) > 5000
    assert all(other == first for other in others), {n: len(names) for n, names in listed.items()}


def test_pythons_tarfile_reads_every_byte(packed: Packed) -> None:
    with tarfile.open(packed.archive, errorlevel=2) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is not None:
                assert file.read() == (packed.tree / member.name).read_bytes()


def test_xz_sees_one_stream_of_several_blocks(packed: Packed, tmp_path: Path) -> None:
    assert (
        shell(f"xz -t {packed.archive} && xz -lv --robot {packed.archive} > list", tmp_path) == ""
    )
    rows = [line.split("\t") for line in (tmp_path / "list").read_text().splitlines()]
    [totals] = [row for row in rows if row[0] == "file"]
    assert totals[1] == "1"
    assert int(totals[2]) >= 10
    # Sizes are in the headers of the blocks, for decoders that start in the middle.
    assert shell(f"xz -lvv {packed.archive} > list", tmp_path) == ""
    blocks = [line for line in (tmp_path / "list").read_text().splitlines() if " cu " in line]
    assert len(blocks) == int(totals[2])


def test_zstd_sees_frames(packed: Packed, expected: golden.Description, tmp_path: Path) -> None:
    archive = tmp_path / "kheaders.tar.zst"
    assert run_command("repack", packed.archive, archive) == Outcome(0, "", "")
    assert shell(f"zstd -tq {archive}", tmp_path) == ""
    tree = tmp_path / "tree"
    tree.mkdir()
    assert shell(f"tar -xpf {archive}", tree) == ""
    actual = golden.describe(tree)
    assert golden.differences(without_times(actual), without_times(expected)) == []


@pytest.mark.parametrize("name", ["kheaders.tar", "kheaders.tar.gz", "kheaders.cpio.gz"])
def test_forms_without_blocks_are_ordinary_too(
    name: str, packed: Packed, expected: golden.Description, tmp_path: Path
) -> None:
    archive, tree = tmp_path / name, tmp_path / "tree"
    assert run_command("repack", packed.archive, archive) == Outcome(0, "", "")
    tree.mkdir()
    assert shell(f"bsdtar -xpf {archive}", tree) == ""
    actual = golden.describe(tree)
    assert golden.differences(without_times(actual), without_times(expected)) == []
    if name.endswith(".gz"):
        assert shell(f"gzip -t {archive}", tmp_path) == ""


def test_bcc_compiles_with_what_is_extracted(root: None, packed: Packed) -> None:
    python = Path("/usr/bin/python3")
    if (
        not python.exists()
        or subprocess.run([python, "-c", "import bcc"], check=False, capture_output=True).returncode
    ):
        pytest.skip("not installed: python3-bpfcc")
    done = subprocess.run(
        [python, "-c", BCC_PROGRAM],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "BCC_KERNEL_SOURCE": str(packed.tree)},
    )
    assert done.returncode == 0, done.stderr
