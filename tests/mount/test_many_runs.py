"""Fifty commands at the same time, each in a mount of its own, and half of them killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.mounting import HANGS, Outcome, command_line, wait_until
from tests.support.processes import processes_marked, read_or_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = 50
KILLED = 25
LATEST_KILL = 6.0
"""Seconds after its start until which a run is killed: among so many, that is at any stage."""
MARK = "KHEADERSFS_TEST_RUN"
COMMAND = 'cat "$KHEADERS"/include/linux/*.h | wc --bytes; cat'
"""Reads headers, prints how many bytes they were, and lasts as long as its input does."""


class Fleet(NamedTuple):
    """Where the runs of one test happen; everything that they start carries a mark."""

    archive: Path
    directory: Path
    mark: str

    def start(self) -> subprocess.Popen[str]:
        """Start one run."""
        directory = str(self.directory)
        return subprocess.Popen(
            command_line("run", "--archive", self.archive, "--", "sh", "-c", COMMAND),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, MARK: self.mark, "TMPDIR": directory, "XDG_RUNTIME_DIR": directory},
        )

    def run(self) -> Outcome:
        """Run the command to its end."""
        return end(self.start())

    def run_and_kill(self, generator: random.Random) -> Outcome:
        """Kill one of a run's processes at a moment; *generator* chooses both."""
        run = self.start()
        with suppress(subprocess.TimeoutExpired):
            run.wait(generator.uniform(0, LATEST_KILL))
        family = [run.pid, *(pid for pid in self.processes() if parent_of(pid) == run.pid)]
        with suppress(ProcessLookupError):
            os.kill(generator.choice(family), signal.SIGKILL)
        return end(run)

    def processes(self) -> list[int]:
        """Return all processes that carry the mark."""
        return processes_marked(MARK, self.mark)


def parent_of(process: int) -> int:
    fields = read_or_nothing(f"/proc/{process}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


@pytest.fixture
def fleet(small_archive: Path, tmp_path: Path, fuse: None) -> Iterator[Fleet]:
    """Runs of an archive of their own. At the end nothing of them may be left."""
    archive = tmp_path / "archive.tar.xz"
    shutil.copyfile(small_archive, archive)
    directory = tmp_path / "temporary"
    directory.mkdir()
    fleet = Fleet(archive, directory, str(tmp_path))
    yield fleet
    wait_until(lambda: fleet.processes() == [], "every process ended")
    assert str(archive) not in Path("/proc/self/mountinfo").read_text()
    assert list(directory.iterdir()) == []
    assert sorted(tmp_path.iterdir()) == [archive, directory]


def end(run: subprocess.Popen[str]) -> Outcome:
    """Give *run* no more input, and wait until it has ended."""
    with run:
        output, errors = run.communicate(timeout=HANGS)
    return Outcome(run.returncode, output, errors)


def check_successes(outcomes: set[Outcome]) -> None:
    assert len(outcomes) == 1, outcomes
    outcome = outcomes.pop()
    assert (outcome.status, outcome.errors) == (0, "")
    assert int(outcome.output) > 0


def test_all_succeed_and_nothing_is_left(fleet: Fleet) -> None:
    with ThreadPoolExecutor(RUNS) as pool:
        runs = [pool.submit(fleet.run) for _ in range(RUNS)]
    check_successes({run.result() for run in runs})


def test_when_half_of_them_are_killed_the_others_succeed_and_nothing_is_left(fleet: Fleet) -> None:
    """A run's wrapper is killed, or its server, or its command."""
    with ThreadPoolExecutor(RUNS) as pool:
        victims = [pool.submit(fleet.run_and_kill, random.Random(seed)) for seed in range(KILLED)]
        spared = [pool.submit(fleet.run) for _ in range(RUNS - KILLED)]
    check_successes({run.result() for run in spared})
    assert -signal.SIGKILL in {victim.result().status for victim in victims}
