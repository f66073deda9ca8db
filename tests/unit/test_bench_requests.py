"""That tools/bench counts requests, replays a build, and publishes what its runs say."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import pytest
from benchmark import requests
from benchmark.chart import draw_builds
from benchmark.contenders import BASELINE
from benchmark.errors import BenchError
from benchmark.host import Host
from benchmark.publishing import DOCUMENTS, fill_in
from benchmark.replay import PLAYER, Step, read_trace, shortest_pauses
from benchmark.requests import Request
from benchmark.runs import Range, read_runs, summarise_columns, summarise_runs

if TYPE_CHECKING:
    from pathlib import Path

HOST = Host(
    "A processor", 2, "x86_64", "6.18.1", "haltpoll", "3.11.2", "5.4.1", 1.5, "2026-01-02 03:04"
)


def run_of(seconds: dict[str, list[float]], version: str = "abc") -> dict[str, Any]:
    """A run as it is kept, with the totals *seconds* of each contender."""
    return {
        "host": HOST._asdict(),
        "versions": {"kheadersfs": version},
        "rounds": 3,
        "build": [
            {
                "key": key,
                "title": f"the {key} way",
                "family": "baseline" if key == BASELINE else "ours",
                "samples": [{"total": each, "second": None, "requests": 7} for each in totals],
            }
            for key, totals in seconds.items()
        ],
    }


class TestRequests:
    MOUNTED = (Request(45, 26), Request(45, 1), Request(46, 1), Request(45, 14))

    def test_those_of_other_mounts_do_not_count(self) -> None:
        assert requests.count_on(self.MOUNTED, 45) == 3
        assert requests.count_of_only_mount(self.MOUNTED) == 3

    def test_which_mount_was_meant_cannot_be_told_when_there_were_two(self) -> None:
        assert requests.count_of_only_mount([*self.MOUNTED, Request(47, 26)]) is None
        assert requests.count_of_only_mount([]) is None

    def test_what_is_no_fuse_mount_has_no_connection(self) -> None:
        assert requests.connection_of("/proc") is None


class TestReplay:
    TRACE = (
        '7 10.0 execve("/usr/bin/clang", ["clang", "-I/h/include"], 0x7 /* 9 vars */) = 0 <0.5>',
        '7 10.6 openat(AT_FDCWD</>, "/lib/libc.so.6", O_RDONLY) = 3</lib/libc.so.6> <0.000010>',
        '7 10.7 newfstatat(AT_FDCWD</>, "/h/include", {st_mode=S_IFDIR|0755}, 0) = 0 <0.000100>',
        '7 10.701 openat(AT_FDCWD</>, "/h/include/a.h", O_RDONLY) = 3</h/include/a.h> <0.000500>',
        '7 10.702 newfstatat(3</h/include/a.h>, "", {st_size=9}, AT_EMPTY_PATH) = 0 <0.000001>',
        '7 10.703 pread64(3</h/include/a.h>, "#define A"..., 9, 0) = 9 <0.000002>',
        "7 10.704 close(3</h/include/a.h>) = 0 <0.000001>",
        '7 10.705 access("/h/include/b.h.gch", F_OK) = -1 ENOENT (No such file) <0.000004>',
        "7 10.706 mmap(NULL, 20480, PROT_READ, MAP_PRIVATE, 4</h/include/c.h>, 0) = 0x7 <0.00001>",
    )

    def test_of_what_the_compiler_did_the_headers_part_stays(self) -> None:
        steps = list(read_trace(self.TRACE, "/h"))
        assert [step[:3] for step in steps] == [
            ("stat", "include", 0),
            ("open", "include/a.h", 0),
            ("read", "include/a.h", 9),
            ("access", "include/b.h.gch", 0),
            ("read", "include/c.h", 20480),
        ]
        assert [step.pause for step in steps] == pytest.approx(
            [0.7, 0.0009, 0.0015, 0.001998, 0.000996], abs=1e-6
        )

    def test_an_interruption_of_one_recording_is_no_pause(self) -> None:
        first, second = Step("stat", "a", 0, 0.5), Step("stat", "a", 0, 0.125)
        assert shortest_pauses([[first], [second]]) == [second]

    @staticmethod
    def play(directory: Path, score: list[Step]) -> str:
        (directory / "score").write_text(json.dumps(score))
        words = ("score", "out", ".")
        subprocess.run([sys.executable, "-IS", PLAYER, *words], cwd=directory, check=True)
        return (directory / "out").read_text()

    def test_what_it_finds_depends_on_every_byte_and_name(self, tmp_path: Path) -> None:
        (tmp_path / "a.h").write_text("#define A")
        score = [
            Step("stat", "a.h", 0, 0.0),
            Step("open", "a.h", 0, 0.0),
            Step("read", "a.h", 9, 0.0),
            Step("access", "b.h", 0, 0.0),
            Step("open", "b.h", 0, 0.0),
        ]
        found = self.play(tmp_path, score)
        assert found.startswith("++++(2)")
        (tmp_path / "a.h").write_text("#define B")
        other = self.play(tmp_path, score)
        assert found != other
        (tmp_path / "b.h").write_text("")
        assert self.play(tmp_path, score)[:5] == "+++++"


class TestRuns:
    def test_the_median_of_the_runs_counts_and_their_range(self) -> None:
        assert summarise_columns([[1.0, 2.0, 9.0], [3.0, 3.5, 4.0], [1.0]]) == Range(2.0, 1.0, 3.5)

    def test_a_single_run_has_the_quartiles_of_its_rounds(self) -> None:
        assert summarise_columns([[1.0, 2.0, 3.0, 4.0, 5.0]]) == Range(3.0, 2.0, 4.0)

    def test_each_run_has_its_own_unit(self) -> None:
        results = summarise_runs(
            [
                run_of({BASELINE: [1.0], "x": [1.5]}, "old"),
                run_of({BASELINE: [2.0], "x": [5.0]}, "new"),
            ]
        )
        assert [row.key for row in results.rows] == [BASELINE, "x"]
        assert results.rows[1].figures["total"] == Range(2.0, 1.5, 2.5)
        assert results.rows[1].figures["requests"] == Range(7, 7, 7)
        assert "second" not in results.rows[1].figures
        assert results.versions == ["old", "new"]

    def test_a_sample_is_compared_with_its_own_unit(self) -> None:
        run = run_of({BASELINE: [1.0, 1.0, 1.0], "x": [3.0, 6.0, 9.0]})
        for row in run["build"]:
            for sample, unit in zip(row["samples"], (1.0, 2.0, 3.0), strict=True):
                sample["unit"] = unit
        results = summarise_runs([run])
        assert results.rows[-1].figures["total"] == Range(3.0, 3.0, 3.0)

    def test_runs_that_compare_in_another_way_are_not_mixed(self, tmp_path: Path) -> None:
        run = run_of({BASELINE: [1.0]})
        (tmp_path / "a.json").write_text(json.dumps(run))
        run["build"][0]["samples"][0]["unit"] = 2.0
        (tmp_path / "b.json").write_text(json.dumps(run))
        results = read_runs(str(tmp_path))
        assert sorted((each.paired, len(each.baselines)) for each in results) == [
            (False, 1),
            (True, 1),
        ]

    def test_runs_of_two_versions_are_not_mixed(self, tmp_path: Path) -> None:
        for version in ("old", "new"):
            run = run_of({BASELINE: [1.0]}, version)
            for number in range(2):
                (tmp_path / f"{version}{number}.json").write_text(json.dumps(run))
        results = read_runs(str(tmp_path))
        assert sorted((each.versions, len(each.baselines)) for each in results) == [
            (["new"], 2),
            (["old"], 2),
        ]

    def test_runs_on_two_hosts_are_not_mixed(self, tmp_path: Path) -> None:
        run = run_of({BASELINE: [1.0]})
        (tmp_path / "a.json").write_text(json.dumps(run))
        elsewhere = HOST._replace(idle_driver="none", when="2026-02-03 04:05")
        (tmp_path / "b.json").write_text(json.dumps(run | {"host": elsewhere._asdict()}))
        drivers = [results.host.idle_driver for results in read_runs(str(tmp_path))]
        assert drivers == ["none", "haltpoll"]

    def test_without_runs_nothing_is_published(self, tmp_path: Path) -> None:
        with pytest.raises(BenchError, match="has no runs"):
            read_runs(str(tmp_path / "absent"))


class TestPublishing:
    RESULTS = summarise_runs([run_of({BASELINE: [2.0], "kheadersfs:xz": [2.5]})])

    def test_only_what_is_between_the_marks_changes(self) -> None:
        text = "before\n<!-- builds: short -->\nold\n<!-- end of builds -->\nafter\n"
        filled = fill_in(text, [self.RESULTS], "a document")
        assert filled.startswith("before\n<!-- builds: short -->\n2 x A processor, Linux 6.18")
        assert "| **the kheadersfs:xz way** | 1.25 | 1.25 to 1.25 |" in filled
        assert filled.endswith("\n<!-- end of builds -->\nafter\n")
        assert fill_in(filled, [self.RESULTS], "a document") == filled

    def test_a_mark_without_its_end_is_named(self) -> None:
        with pytest.raises(BenchError, match="a document: has no"):
            fill_in("<!-- builds: all -->\nold\n", [self.RESULTS], "a document")

    def test_the_chart_has_the_rows_of_the_table(self) -> None:
        drawn = ElementTree.fromstring(draw_builds(self.RESULTS))
        texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
        assert {"the tmpfs way", "1.00", "the kheadersfs:xz way", "1.25"} <= set(texts)

    @pytest.mark.parametrize("path", DOCUMENTS)
    def test_documents_say_what_the_runs_do(self, path: str) -> None:
        with open(path) as document:
            text = document.read()
        assert fill_in(text, read_runs(), path) == text, "run: python tools/bench --publish"
