"""Members in any order, with duplicates, conflicts and links: what is seen is what tar extracts."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.seen import Seen, seen_by_us, seen_on_disk

EXAMPLES = 250
NAMES = ("a", "b", "./b", "d", "./d", "d/a", "d/b", "d//b", "d/e", "d/e/f/g", "h", "h/./c", "h/a")
TARGETS = ("a", "nowhere", "d/e")
BY_A_LINK = "is not a directory"
"""tar goes through a symlink that the archive has made; we never leave the way that names say."""


def _member(
    kind: bytes, name: str, target: str, mode: int, mtime: int, content: bytes
) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member's header, and its content if it can have one."""
    header = tarfile.TarInfo(name)
    header.type, header.mode, header.mtime = kind, mode, mtime
    if kind == tarfile.REGTYPE:
        header.size = len(content)
        return header, content
    if kind != tarfile.DIRTYPE:
        header.linkname = target
    return header, b""


_members = st.builds(
    _member,
    st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]),
    st.sampled_from(NAMES),
    st.sampled_from(TARGETS + NAMES),
    st.sampled_from([0o644, 0o700, 0o755]),
    st.integers(0, 1 << 30),
    st.sampled_from([b"", b"1", b"2" * 511, b"3" * 512, b"4" * 1025]),
)


def _archive(members: list[tuple[tarfile.TarInfo, bytes]], form: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for header, content in members:
            archive.addfile(header, io.BytesIO(content))
    return file.getvalue()


def _extracted(content: bytes, directory: Path) -> tuple[dict[bytes, Seen], str]:
    """Return what tar makes of *content* in *directory*, and what it says."""
    done = subprocess.run(
        ["tar", "-x", "-p", "--no-same-owner", "-C", directory],
        input=content,
        capture_output=True,
        check=False,
        umask=0o022,
    )
    return seen_on_disk(directory), done.stderr.decode()


@settings(max_examples=EXAMPLES)
@given(
    st.lists(_members, min_size=1, max_size=9),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]),
)
def test_whatever_tar_extracts_without_complaint_is_seen_as_it_extracts_it(
    members: list[tuple[tarfile.TarInfo, bytes]], form: int
) -> None:
    if shutil.which("tar") is None:
        pytest.skip("not installed: tar")
    content = _archive(members, form)
    seen, refusals = seen_by_us(content)
    assume(not any(BY_A_LINK in refusal for refusal in refusals))
    with tempfile.TemporaryDirectory() as directory:
        extracted, complaints = _extracted(content, Path(directory))
    if not complaints:
        # A hard link to itself is one that tar takes for done.
        assert [text for text in refusals if "a hard link to a directory" not in text] == []
        assert seen == extracted
