"""The figures of the benchmark, and what it measures of memory and processes."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from benchmark import machine
from benchmark.errors import Failed
from benchmark.figures import percentile, summarise
from benchmark.processes import Command, timed_pipeline, timed_run

if TYPE_CHECKING:
    from pathlib import Path


def command(directory: Path, script: str) -> Command:
    """A shell script whose output is kept in *directory*."""
    return Command(["/bin/sh", "-c", script], os.environ, str(directory / "log"))


class TestFigures:
    def test_half_of_the_samples_lie_between_the_quartiles(self) -> None:
        summary = summarise([9.0, 1.0, 2.0, 4.0, 3.0, 5.0, 8.0, 7.0, 6.0])
        assert summary == (5.0, 3.0, 7.0, 9)

    def test_one_sample_has_no_spread(self) -> None:
        assert summarise([2.5]) == (2.5, 2.5, 2.5, 1)

    def test_one_wild_sample_does_not_move_the_median(self) -> None:
        assert summarise([1.0, 1.1, 1.2, 1.3, 100.0]).median == 1.2

    def test_scaling_scales_the_spread_too(self) -> None:
        assert summarise([1.0, 2.0, 3.0]).scaled(10.0) == (20.0, 15.0, 25.0, 3)

    def test_the_last_percentile_is_the_largest_sample(self) -> None:
        assert percentile(range(1, 101), 1.0) == 100
        assert percentile(range(1, 101), 0.5) == 51
        assert percentile([7.0], 0.99) == 7.0


class TestMemory:
    MEMINFO = (
        "MemTotal:       24618180 kB\nCached:           100 kB\nAnonPages:         50 kB\n"
        "Shmem:             20 kB\nSUnreclaim:         7 kB\nKernelStack:        2 kB\n"
        "PageTables:         1 kB\nHugePages_Total:       0\n"
    )

    def test_what_caches_hold_can_be_reclaimed(self) -> None:
        assert machine.unreclaimable(machine.parse_fields(self.MEMINFO)) == 80 * 1024

    def test_numbers_that_are_no_sizes_are_passed_over(self) -> None:
        assert "HugePages_Total" not in machine.parse_fields(self.MEMINFO)

    def test_this_machine_tells_what_is_needed(self) -> None:
        with open("/proc/meminfo") as meminfo:
            assert machine.unreclaimable(machine.parse_fields(meminfo.read())) > 0

    def test_the_name_of_a_process_may_look_like_the_fields_after_it(self) -> None:
        fields = "S 1 1 1 0 -1 4194560 9 0 0 0 30 12 0 0 20 0 1 0 100 0 0"
        assert machine.parse_ticks(f"42 (a) R 9 9 (b) {fields}") == 42

    def test_a_memfd_and_a_deleted_file_are_counted_apart(self, tmp_path: Path) -> None:
        before = machine.server_memory([os.getpid()])
        memfd = os.memfd_create("counted")
        deleted = os.open(tmp_path / "deleted", os.O_RDWR | os.O_CREAT)
        second = os.dup(memfd)
        try:
            os.unlink(tmp_path / "deleted")
            os.write(memfd, bytes(1 << 20))
            os.write(deleted, bytes(3 << 20))
            os.fsync(deleted)
            after = machine.server_memory([os.getpid()])
        finally:
            for descriptor in (memfd, deleted, second):
                os.close(descriptor)
        assert after.memfd - before.memfd == 1 << 20
        assert after.deleted - before.deleted >= 3 << 20
        assert after.peak >= after.resident > 0

    def test_a_process_that_has_ended_holds_nothing(self) -> None:
        with subprocess.Popen(["true"]) as ended:
            ended.wait()
        assert machine.server_memory([ended.pid]) == (0, 0, 0, 0)
        assert machine.proportional_memory([ended.pid]) == 0


class TestProcesses:
    def test_a_pipeline_passes_on_what_its_parts_write(self, tmp_path: Path) -> None:
        parts = ["echo abc", "tr a-z A-Z", f"cat >{tmp_path}/result"]
        timed_pipeline([command(tmp_path, part) for part in parts])
        assert (tmp_path / "result").read_text() == "ABC\n"

    def test_a_failure_tells_the_last_words(self, tmp_path: Path) -> None:
        with pytest.raises(Failed, match="sh ended with status 3: and this is why"):
            timed_run(command(tmp_path, "echo first; echo and this is why >&2; exit 3"))

    def test_a_failure_inside_a_pipeline_is_one(self, tmp_path: Path) -> None:
        with pytest.raises(Failed, match="status 5"):
            timed_pipeline([command(tmp_path, script) for script in ("exit 5", "cat")])
