"""Archives that are cut off or altered: right bytes or an error, never other bytes."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, NamedTuple

import pytest

import kheadersfs
from kheadersfs.errors import DamagedArchive, RefusedArchive, UnsupportedArchive
from tests.support import synthetic
from tests.support.mounting import Outcome as Ended
from tests.support.mounting import run_command

if TYPE_CHECKING:
    from pathlib import Path

FLIPS = 100
TRUNCATIONS = 40
WHEN = 1_700_000_000
FORMS = ("pax", "gnu-padded", "newc")
COMPRESSIONS = {**synthetic.COMPRESSIONS, **synthetic.VARIANTS}
# Of these nothing but the headers is protected by anything.
WITHOUT_CHECKSUMS = ("none", "zstd-unchecked")

Content = dict[str, tuple[int, int, int, str | None, bytes]]


class Sample(NamedTuple):
    """A small archive, uncompressed, by its form."""

    form: str
    plain: bytes


@pytest.fixture(scope="module", params=FORMS)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    if missing := synthetic.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    directory = tmp_path_factory.mktemp("sample")
    tree, archive = directory / "tree", directory / "archive"
    (tree / "linux").mkdir(parents=True)
    generator = random.Random(1)
    for number in range(8):
        text = b"".join(b"#define X%d %d\n" % (n, generator.randrange(99999)) for n in range(200))
        header = tree / "linux" / f"header{number}.h"
        header.write_bytes(text)
        # Whole seconds, which every form can hold.
        os.utime(header, (WHEN, WHEN))
    (tree / "link").symlink_to("linux/header1.h")
    for name in ("link", "linux", "."):
        os.utime(tree / name, (WHEN, WHEN), follow_symlinks=False)
    form = next(form for form in synthetic.FORMS if form.name == request.param)
    synthetic.write_archive(form, tree, archive)
    return Sample(form.name, archive.read_bytes())


class Outcome(NamedTuple):
    """What was read before an error, if there was one: then that may be a part of the whole."""

    content: Content
    complete: bool


def outcome_of(path: Path, content: bytes) -> Outcome:
    """Return what *content* yields as an archive."""
    path.write_bytes(content)
    found: Content = {}
    try:
        with kheadersfs.open_archive(path) as archive:
            for entry in archive:
                found[entry.path] = (
                    entry.mode,
                    entry.size,
                    entry.mtime,
                    entry.target,
                    archive.read(entry.path) if entry.is_file else b"",
                )
            archive.require_complete()
            # A tar without its end marker may be complete, and says that it need not be.
            return Outcome(found, not archive.content.ending)
    except (DamagedArchive, UnsupportedArchive, RefusedArchive):  # a size may be beyond a limit
        return Outcome(found, False)


def check(outcome: Outcome, expected: Content, what: str) -> None:
    """Check that *outcome* is right as far as it goes, and says so when that is not to the end."""
    wrong = [name for name in outcome.content if outcome.content[name] != expected.get(name)]
    assert not wrong, f"{what}: other content of {wrong}"
    missing = sorted(expected.keys() - outcome.content.keys())
    assert not (outcome.complete and missing), f"{what}: no error, but without {missing}"


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_archive_that_is_cut_off_anywhere_is_an_error_or_complete(
    sample: Sample, compression: str, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    content = COMPRESSIONS[compression](sample.plain)
    expected = outcome_of(archive, content)
    assert expected.complete
    generator = random.Random(compression)
    lengths = {1, 2, 5, 11, 12, 511, 512, len(content) - 1, len(content) - 12, len(content) // 2}
    lengths |= set(generator.sample(range(1, len(content)), TRUNCATIONS))
    complete = 0
    for length in sorted(lengths):
        outcome = outcome_of(archive, content[:length])
        check(outcome, expected.content, f"cut off at {length}")
        complete += outcome.complete
    assert complete < len(lengths)


@pytest.mark.parametrize(
    "compression", [name for name in COMPRESSIONS if name not in WITHOUT_CHECKSUMS]
)
def test_a_single_altered_byte_is_an_error_or_without_effect(
    sample: Sample, compression: str, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    content = COMPRESSIONS[compression](sample.plain)
    expected = outcome_of(archive, content)
    assert expected.complete
    generator = random.Random(compression)
    for _ in range(FLIPS):
        altered = bytearray(content)
        position = generator.randrange(len(content))
        altered[position] ^= 1 << generator.randrange(8)
        outcome = outcome_of(archive, bytes(altered))
        check(outcome, expected.content, f"altered at {position} of {len(content)}")


@pytest.fixture(scope="module", params=[("tar", "xz"), ("tar", "zstd"), ("cpio", "xz")])
def packed(
    request: pytest.FixtureRequest, sample: Sample, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """The sample, repacked in blocks and with an index."""
    directory = tmp_path_factory.mktemp("packed")
    (directory / "plain").write_bytes(sample.plain)
    form, compression = request.param
    options = (f"--format={form}", f"--compress={compression}")
    outcome = run_command("repack", *options, directory / "plain", directory / "packed")
    assert outcome == Ended(0, "", "")
    return (directory / "packed").read_bytes()


def test_a_single_altered_byte_of_a_packed_archive_is_an_error_or_without_effect(
    packed: bytes, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    expected = outcome_of(archive, packed)
    assert expected.complete
    generator = random.Random(5)
    for _ in range(5 * FLIPS):
        altered = bytearray(packed)
        position = generator.randrange(len(packed))
        altered[position] ^= 1 << generator.randrange(8)
        outcome = outcome_of(archive, bytes(altered))
        check(outcome, expected.content, f"altered at {position} of {len(packed)}")


def test_a_packed_archive_that_is_cut_off_is_an_error(packed: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    expected = outcome_of(archive, packed)
    for length in random.Random(5).sample(range(1, len(packed)), TRUNCATIONS):
        outcome = outcome_of(archive, packed[:length])
        check(outcome, expected.content, f"cut off at {length}")
        assert not outcome.complete, f"cut off at {length}: no error"


def test_an_archive_that_carries_no_checksums_says_so(sample: Sample, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    for compression, compress in COMPRESSIONS.items():
        archive.write_bytes(compress(sample.plain))
        with kheadersfs.open_archive(archive) as opened:
            assert opened.archive.checked is (compression not in WITHOUT_CHECKSUMS), compression
