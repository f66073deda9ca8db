"""A sample of each part of torture, and that a part notices what it is there to notice."""

from __future__ import annotations

import lzma
import os
import random
import re
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.attacks import forging as forge
from tests.attacks.damage import (
    Alteration,
    Examiner,
    Tally,
    all_cuts,
    alterations,
    examine_in_processes,
)
from tests.attacks.place import Place
from tests.support.mounting import Outcome, run_command
from tests.torture.cycling import cycles
from tests.torture.killing import kill
from tests.torture.pace import RunningTime, growth
from tests.torture.soaking import soak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEED = 3
CUTS = 60
ONE_BLOCK_ALTERATIONS = 15
PACKED_ALTERATIONS = 200
KILLS = 6
CYCLES = 10
SOAK_SECONDS = 8.0
SERVER_INTERVAL = 1.5


@pytest.fixture(scope="module")
def packed_reference(reference_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference archive, repacked in blocks and with an index."""
    packed: Path = tmp_path_factory.mktemp("packed") / "packed.tar.xz"
    assert run_command("repack", reference_archive, packed) == Outcome(0, "", "")
    return packed


@pytest.fixture
def place(fuse: None, cold: None, packed_reference: Path, tmp_path: Path) -> Iterator[Place]:
    place = Place(packed_reference, tmp_path)
    yield place
    place.clean_up()


class Replacement(NamedTuple):
    """Damage that makes another archive of an archive."""

    altered: bytes

    def apply(self, _content: bytes, /) -> bytes:
        return self.altered


def plain(files: dict[bytes, bytes]) -> bytes:
    """Return an archive without an index."""
    members = b"".join(forge.tar_file(name, content) for name, content in files.items())
    return lzma.compress(members + forge.END)


@pytest.fixture(params=[False, True], ids=["plain", "packed"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict[bytes, bytes]], bytes]:
    """Make an archive of these files, once without and once with an index."""

    def make(files: dict[bytes, bytes]) -> bytes:
        if not request.param:
            return plain(files)
        (tmp_path / "plain").write_bytes(plain(files))
        assert run_command("repack", tmp_path / "plain", tmp_path / "packed.tar.xz").status == 0
        return (tmp_path / "packed.tar.xz").read_bytes()

    return make


def test_the_reference_archive_with_damage_is_an_error_or_right(reference_archive: Path) -> None:
    examiner = Examiner(reference_archive.read_bytes())
    cuts = random.Random(SEED).sample(all_cuts(len(examiner.good)), CUTS)
    tally = examiner.examine_all(cuts + alterations(0, ONE_BLOCK_ALTERATIONS))
    assert tally.faults == ()
    assert tally.unopened >= CUTS


def test_the_packed_archive_with_damage_is_an_error_or_right(packed_reference: Path) -> None:
    examiner = Examiner(packed_reference.read_bytes())
    cuts = random.Random(SEED).sample(all_cuts(len(examiner.good)), CUTS)
    said: list[str] = []
    cases = cuts + alterations(0, PACKED_ALTERATIONS)
    tally = examine_in_processes(examiner, cases, os.cpu_count() or 1, said.append)
    assert (tally.faults, said) == ((), [])
    assert tally.errors + tally.right == len(cases)
    assert tally.errors > PACKED_ALTERATIONS // 2


def test_many_processes_find_what_one_finds(small_archive: Path) -> None:
    examiner = Examiner(small_archive.read_bytes())
    cases = alterations(0, 100)
    alone = examiner.examine_all(cases)
    together = examine_in_processes(examiner, cases, 3, print)
    assert alone._replace(longest=0) == together._replace(longest=0)


def test_a_case_is_known_by_its_number() -> None:
    content = bytes(1000)
    altered = {Alteration(number).apply(content) for number in range(100)}
    assert altered == {Alteration(number).apply(content) for number in range(100)}
    assert len(altered) > 90
    assert all(len(each) == 1000 and each.count(0) == 999 for each in altered)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({b"a.h": b"one", b"b.h": b"two"}, ""),
        ({b"a.h": b"one", b"b.h": b"TWO"}, "other content|something else"),
        ({b"a.h": b"one", b"c.h": b"two"}, "should not be there"),
        ({b"a.h": b"one"}, "without an error"),
        ({b"a.h": b"one", b"b.h": b"longer"}, "other content"),
    ],
)
def test_another_archive_is_no_right_outcome(
    make: Callable[[dict[bytes, bytes]], bytes], files: dict[bytes, bytes], says: str
) -> None:
    """Nothing is wrong inside it, so that every checksum agrees, but it is not the original."""
    examiner = Examiner(make({b"a.h": b"one", b"b.h": b"two"}))
    tally = examiner.examine(Replacement(make(files)))
    if says:
        assert re.search(says, tally.faults[0])
    else:
        assert tally == Tally(right=1)


def test_time_in_which_a_run_was_stopped_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((10.0, 10.5, 11.25, 500.0, 500.25))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    running = RunningTime()
    assert [running.elapsed() for _ in range(4)] == [0.5, 1.25, 2.25, 2.5]


def test_growth_is_what_the_smallest_samples_differ_by() -> None:
    assert growth([]) == 0
    assert growth([7]) == 0
    assert growth([5, 90, 5, 90, 6, 6, 90, 8]) == 3


def test_whatever_is_killed_the_next_command_works(place: Place, tmp_path: Path) -> None:
    assert kill(place, tmp_path, 0, KILLS, print) == []


def test_mounting_again_and_again_leaves_nothing_and_nothing_grows(place: Place) -> None:
    assert cycles(place, CYCLES, print) == []


def test_many_readers_see_right_bytes_whatever_is_killed(place: Place) -> None:
    said: list[str] = []
    assert soak(place, SOAK_SECONDS, SERVER_INTERVAL, said.append) == []
    assert "0 servers killed" not in said[-1]


def test_the_readers_notice_wrong_bytes(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.digests.update(dict.fromkeys(place.digests, b"another"))
    assert soak(place, 1, SERVER_INTERVAL, print) != []
    assert "wrong bytes" in capfd.readouterr().err


def test_the_readers_notice_an_error_that_nothing_excuses(
    packed_reference: Path, place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    """A file that they expect is not there, though the server is."""
    place.archive = packed_reference.with_name("smaller.tar.xz")
    place.archive.write_bytes(plain({b"a.h": b"one"}))
    assert soak(place, 1, SERVER_INTERVAL, print) != []
    assert "No such file" in capfd.readouterr().err
