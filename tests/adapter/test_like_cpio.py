"""Files of several names in cpio, content with any of them: what is seen is what cpio extracts."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attacks.forging import Newc, newc
from tests.support.seen import Seen, seen_by_us, seen_on_disk

EXAMPLES = 150
FILE, DIRECTORY = 0o100644, 0o040755
PLACES = (b"", b"./", b"d/", b"d/e/")


class Group(NamedTuple):
    """A file of so many *names*, of which those of *carriers* come with the content."""

    names: int
    carriers: frozenset[int]
    content: bytes


_groups = st.builds(
    Group,
    st.integers(1, 4),
    st.frozensets(st.integers(0, 3)),
    st.sampled_from([b"", b"1", b"2" * 511, b"3" * 70_000]),
)


@st.composite
def _archives(draw: st.DrawFn) -> bytes:
    """Archives with a few such files, their names in any order and at several places."""
    members: list[Newc] = []
    for number, group in enumerate(draw(st.lists(_groups, min_size=1, max_size=4)), 1):
        # Somebody has the content, as with every program that writes such archives.
        carriers = {carrier % group.names for carrier in group.carriers or {0}}
        for name in range(group.names):
            place = draw(st.sampled_from(PLACES))
            content = group.content if name in carriers else b""
            path = b"%s%d-%d" % (place, number, name)
            members.append(Newc(path, content, FILE, number, group.names))
    # Directories have a number too, and as many links as subdirectories, so more than one.
    directories = [Newc(name, b"", DIRECTORY, 1, 2) for name in (b"d", b"d/e")]
    return newc(*directories, *draw(st.permutations(members)))


def _extracted(archive: bytes, directory: Path) -> dict[bytes, Seen]:
    done = subprocess.run(
        ["cpio", "-idmu", "--quiet"],
        input=archive,
        capture_output=True,
        check=True,
        cwd=directory,
        umask=0o022,
    )
    assert done.stderr == b""
    return seen_on_disk(directory)


@settings(max_examples=EXAMPLES)
@given(_archives())
def test_files_with_several_names_are_seen_as_cpio_extracts_them(archive: bytes) -> None:
    if shutil.which("cpio") is None:
        pytest.skip("not installed: cpio")
    seen, refusals = seen_by_us(archive)
    assert refusals == []
    with tempfile.TemporaryDirectory() as directory:
        assert seen == _extracted(archive, Path(directory))
