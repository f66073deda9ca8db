"""What stands in for the zstd module of Python 3.14, held against that module or its backport."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.compression import libzstd, zstd_coding
from tests.support.zstd_files import LEVEL, SAMPLE

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

WITHOUT_BACKPORT = """\
import os
import sys

tried = set()

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in tried:
            os._exit(99)  # nothing can be looked for without rights
        if name == "backports.zstd":
            tried.add(name)
        if name in ("backports.zstd", "compression.zstd"):  # shutil looks for the latter too
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from kheadersfs.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def genuine() -> ModuleType:
    library = zstd_coding.import_library()
    if library is libzstd:
        pytest.skip("not installed: backports.zstd")
    return library


def outcome(library: Any, frame: bytes, steps: list[int]) -> list[object]:
    """Return all that can be seen while *frame* is fed in two halves and read in *steps*."""
    decoder = library.ZstdDecompressor()
    seen: list[object] = []
    half = len(frame) // 2
    try:
        for data in (frame[:half], frame[half:]):
            for step in steps:
                seen += [decoder.decompress(data, step), decoder.eof, decoder.unused_data]
                data = b""
    except (EOFError, library.ZstdError) as error:
        seen.append(type(error).__name__)
    return seen


@given(st.binary(max_size=5000), st.lists(st.integers(1, 3000), min_size=1), st.binary(max_size=9))
def test_frames_are_decoded_as_pythons_own_module_does(
    genuine: ModuleType, content: bytes, steps: list[int], behind: bytes
) -> None:
    frame = zstd_coding.encode_frame(content, LEVEL) + behind
    assert outcome(libzstd, frame, steps) == outcome(genuine, frame, steps)


@pytest.mark.parametrize("steps", [[10_000], [100] * 9])
def test_damage_is_noticed_as_pythons_own_module_does(
    genuine: ModuleType, steps: list[int]
) -> None:
    frame = zstd_coding.encode_frame(b"".join(SAMPLE), LEVEL)
    damaged = [frame[:length] for length in range(len(frame))]
    damaged += [
        frame[:at] + bytes((frame[at] ^ 0x81,)) + frame[at + 1 :] for at in range(len(frame))
    ]
    for file in damaged:
        assert outcome(libzstd, file, steps) == outcome(genuine, file, steps)


@given(st.binary(max_size=5000), st.sampled_from([-5, 1, 3, 19]), st.booleans())
def test_frames_are_written_that_pythons_own_module_reads(
    genuine: ModuleType, content: bytes, level: int, checked: bool
) -> None:
    parameter = libzstd.CompressionParameter
    options = {parameter.compression_level: level, parameter.checksum_flag: int(checked)}
    frame = libzstd.compress(content, options)
    assert genuine.get_frame_info(frame).decompressed_size == len(content)
    assert genuine.decompress(frame) == content
    assert bool(frame[4] & 0x04) == checked  # RFC 8878, 3.1.1.1.1.5


def test_a_level_that_is_none_is_an_error() -> None:
    with pytest.raises(libzstd.ZstdError, match=r"[Pp]arameter"):
        libzstd.compress(b"", {12345: 1})


def test_archives_are_written_and_read_without_the_backport(
    small_archive: Path, tmp_path: Path
) -> None:
    def run(*words: str | Path) -> bytes:
        command: list[str | Path] = [sys.executable, "-c", WITHOUT_BACKPORT, *words]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout

    packed, streamed = tmp_path / "packed.tar.zst", tmp_path / "streamed.tar.zst"
    run("repack", small_archive, "-o", packed)
    # Read from a pipe, zstd does not know the size, and so does not say it.
    script = f"xz -dc '{small_archive}' | zstd -qc > '{streamed}'"
    subprocess.run(["sh", "-c", script], check=True)
    for archive in (packed, streamed):
        assert run("cat", archive, "modes/644") == b"mode\n"
        assert b": good: " in run("verify", archive)
