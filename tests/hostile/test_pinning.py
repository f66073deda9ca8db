"""Archives that must be the right ones: by digest, by signature, and for as long as they serve."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.source import BytesSource, open_source
from kheadersfs.errors import DamagedArchive, KheadersfsError, RefusedArchive, UsageError
from kheadersfs.limits import DEFAULT_LIMITS
from kheadersfs.trust.pinned import CHUNK_SIZE, PinnedSource
from kheadersfs.trust.pinning import Pins, open_pinned
from tests.support.mounting import mounts_below, run_command
from tests.support.signing import Signer

if TYPE_CHECKING:
    from tests.conftest import Mounting, Prepare


def digest_of(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def archive(small_archive: Path, tmp_path: Path) -> Path:
    """An archive that the test may change."""
    copy = tmp_path / "headers.tar.xz"
    shutil.copy(small_archive, copy)
    return copy


def check(archive: Path, pins: Pins) -> None:
    open_pinned(open_source(str(archive)), pins, DEFAULT_LIMITS).close()


def test_the_right_digest_is_mounted(mount: Mounting, archive: Path) -> None:
    mounted = mount(archive, "--digest", digest_of(archive))
    assert (mounted / "modes/644").read_bytes() == b"mode\n"


def test_info_prints_the_digest_that_mount_takes(archive: Path) -> None:
    assert digest_of(archive) in run_command("info", archive).output


def test_a_wrong_digest_is_refused_and_named(prepared_mount: Prepare, archive: Path) -> None:
    mount = prepared_mount(archive)
    wrong = f"sha256:{'0' * 64}"
    outcome = run_command("mount", "--digest", wrong, archive, mount.path)
    assert outcome.status == 14
    assert digest_of(archive) in outcome.errors
    assert not mounts_below(mount.path)


@pytest.mark.parametrize("digest", ["", "0" * 64, "md5:0", "sha256:", f"sha256:{'g' * 64}"])
def test_what_is_no_digest_is_a_matter_of_usage(digest: str, archive: Path) -> None:
    with pytest.raises(UsageError, match="as kheadersfs info prints it"):
        check(archive, Pins(digest=digest))


def test_every_read_of_a_pinned_source_returns_what_was_pinned() -> None:
    content = random.Random(1).randbytes(3 * CHUNK_SIZE + 1000)
    seen: list[bytes] = []
    source = PinnedSource(BytesSource(content), seen.append)
    assert b"".join(seen) == content
    assert source.digest == hashlib.sha256(content).hexdigest()
    borders = (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, len(content))
    for start in borders:
        for end in borders:
            if start <= end:
                assert source.read_at(start, end - start) == content[start:end]
    with pytest.raises(DamagedArchive):
        source.read_at(len(content) - 1, 2)


@pytest.mark.parametrize("change", [0, CHUNK_SIZE - 1, CHUNK_SIZE, 3 * CHUNK_SIZE])
def test_a_byte_that_changes_in_place_is_never_returned(tmp_path: Path, change: int) -> None:
    content = bytearray(random.Random(2).randbytes(3 * CHUNK_SIZE + 10))
    path = tmp_path / "archive"
    path.write_bytes(content)
    source = PinnedSource(open_source(str(path)), len)
    content[change] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedArchive, match="was changed since it was checked"):
        source.read_at(change, 1)
    elsewhere = (change + 2 * CHUNK_SIZE) % len(content)
    assert source.read_at(elsewhere, 1) == content[elsewhere : elsewhere + 1]
    source.close()


def test_a_mounted_archive_that_is_rewritten_yields_errors_and_no_other_bytes(
    mount: Mounting, archive: Path, tmp_path: Path
) -> None:
    """Another good archive is written over it, before anything was read."""
    other = tmp_path / "other.tar.xz"
    (tmp_path / "modes").mkdir()
    (tmp_path / "modes/644").write_text("other\n")
    subprocess.run(["tar", "-cJf", other, "-C", tmp_path, "modes"], check=True)
    mounted = mount(archive, "--digest", digest_of(archive))
    mounted.accept("ERROR: .*was changed since it was checked")
    with archive.open("r+b") as file:
        file.write(other.read_bytes())
    with pytest.raises(OSError, match="Input/output error"):
        (mounted / "modes/644").read_bytes()


def test_a_signed_archive_is_mounted(mount: Mounting, archive: Path, signer: Signer) -> None:
    signer.sign(archive)
    mounted = mount(archive, "--verify-key", str(signer.public))
    assert (mounted / "modes/644").read_bytes() == b"mode\n"


def test_an_altered_archive_does_not_match_its_signature(archive: Path, signer: Signer) -> None:
    signer.sign(archive)
    check(archive, Pins(key=str(signer.public)))
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    with pytest.raises(RefusedArchive, match="is not its signature"):
        check(archive, Pins(key=str(signer.public)))


def test_an_archive_larger_than_a_pipe_is_checked_to_its_end(
    tmp_path: Path, signer: Signer
) -> None:
    path = tmp_path / "large.tar"
    content = bytearray(random.Random(3).randbytes(1 << 20)) + bytearray(1024)
    header = bytearray(512)
    path.write_bytes(header + content)
    signer.sign(path)
    source = open_source(str(path))
    with pytest.raises(KheadersfsError, match="neither tar nor cpio"):
        open_pinned(source, Pins(key=str(signer.public)), DEFAULT_LIMITS)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\1")
    with pytest.raises(RefusedArchive, match="is not its signature"):
        check(path, Pins(key=str(signer.public)))


def test_a_signature_by_another_key_is_refused(
    archive: Path, signer: Signer, tmp_path: Path
) -> None:
    signer.sign(archive)
    other = Signer(signer._tool, tmp_path / "other")
    with pytest.raises(RefusedArchive, match="is not its signature"):
        check(archive, Pins(key=str(other.public)))


def test_a_missing_signature_is_refused_and_named(archive: Path, signer: Signer) -> None:
    with pytest.raises(RefusedArchive, match=r"there is no .*headers\.tar\.xz\."):
        check(archive, Pins(key=str(signer.public)))


def test_a_signature_that_is_none_is_refused(archive: Path, signer: Signer) -> None:
    signer.sign(archive).write_text("nonsense\n")
    with pytest.raises(RefusedArchive):
        check(archive, Pins(key=str(signer.public)))


def test_a_file_that_is_no_public_key_is_a_matter_of_usage(archive: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    with pytest.raises(UsageError, match="neither a public key of minisign nor one of ssh-keygen"):
        check(archive, Pins(key=str(key)))
    with pytest.raises(UsageError, match="cannot read the public key"):
        check(archive, Pins(key=str(tmp_path / "absent")))


def test_without_the_tool_its_package_is_named(
    archive: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer.sign(archive)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(KheadersfsError, match="is not installed; install"):
        check(archive, Pins(key=str(signer.public)))
