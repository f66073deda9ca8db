"""What tools/bench calculates, and that it leaves nothing behind. No test here looks at a clock."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from benchmark import build, reading, scale
from benchmark.contenders import BASELINE, Candidate, Choice, Contender, Runner, prepare
from benchmark.errors import BenchError, Failed, Unavailable
from benchmark.implementations import REPOSITORY, find_implementation
from benchmark.inputs import Inputs, list_names
from benchmark.rounds import Outcome, measure_rounds
from benchmark.ways import Extracted, Extraction, Way

if TYPE_CHECKING:
    from collections.abc import Iterator


class Player(NamedTuple):
    """A participant that does nothing."""

    key: str
    title: str = ""

    def abandon(self) -> None:
        """Nothing to do."""


class TestRounds:
    def test_everybody_is_measured_once_in_every_round(self) -> None:
        seen: list[str] = []
        players = [Player("a"), Player("b"), Player("c")]
        outcomes, failures = measure_rounds(players, 4, lambda player: seen.append(player.key))
        rounds = [sorted(seen[start : start + 3]) for start in range(0, len(seen), 3)]
        assert rounds == [["a", "b", "c"]] * 5
        assert [len(outcome.samples) for outcome in outcomes] == [4, 4, 4]
        assert not failures

    def test_the_order_changes_from_round_to_round(self) -> None:
        seen: list[str] = []
        players = [Player(key) for key in "abcdef"]
        measure_rounds(players, 5, lambda player: seen.append(player.key))
        assert len({tuple(seen[start : start + 6]) for start in range(0, len(seen), 6)}) > 1

    def test_the_warm_up_does_not_count(self) -> None:
        counter = iter(range(100))
        outcomes, _ = measure_rounds([Player("a")], 3, lambda _: next(counter))
        assert outcomes[0].samples == [1, 2, 3]

    def test_who_fails_is_left_out_and_the_others_go_on(self) -> None:
        def measure(player: Player) -> str:
            if player.key == "bad":
                raise Failed("it broke")
            return player.key

        outcomes, failures = measure_rounds([Player("bad"), Player("good")], 2, measure)
        assert [(outcome.participant.key, outcome.samples) for outcome in outcomes] == [
            ("good", ["good", "good"])
        ]
        assert failures == [("bad", "it broke")]

    def test_without_its_baseline_a_comparison_fails(self) -> None:
        def measure(_player: Player) -> None:
            raise Failed("it broke")

        with pytest.raises(Failed):
            measure_rounds([Player(BASELINE)], 2, measure)

    def test_who_has_used_up_the_budget_keeps_at_least_one_sample(self) -> None:
        outcomes, _ = measure_rounds([Player("slow")], 9, lambda _: 1, budget=0.0)
        assert outcomes[0].samples == [1]


class TestContenders:
    @staticmethod
    def prepared(only: list[str], skip: list[str]) -> tuple[list[str], list[str]]:
        def missing() -> Way:
            raise Unavailable("not installed")

        candidates = [
            Candidate(BASELINE, "", "baseline", lambda: Extracted("/")),
            Candidate("ours:xz", "", "ours", lambda: Extracted("/")),
            Candidate("ours:zstd", "", "ours", lambda: Extracted("/")),
            Candidate("absent", "", "fuse", missing),
        ]
        present, absent = prepare(candidates, Choice(only, skip))
        return [each.key for each in present], [each.key for each in absent]

    def test_who_is_not_installed_is_named(self) -> None:
        assert self.prepared([], []) == ([BASELINE, "ours:xz", "ours:zstd"], ["absent"])

    def test_the_baseline_always_takes_part(self) -> None:
        assert self.prepared(["*:zstd"], ["*"]) == ([BASELINE], [])
        assert self.prepared(["*:zstd"], []) == ([BASELINE, "ours:zstd"], [])

    def test_an_extraction_comes_and_goes(self, tmp_path: Path) -> None:
        (tmp_path / "header.h").write_text("#define A 1\n")
        with tarfile.open(tmp_path / "archive.tar", "w") as archive:
            archive.add(tmp_path / "header.h", "include/header.h")
        way = Extraction(
            str(tmp_path / "archive.tar"), str(tmp_path / "extracted"), str(tmp_path / "log")
        )
        way.show()
        assert (tmp_path / "extracted/include/header.h").read_text() == "#define A 1\n"
        way.hide()
        assert not (tmp_path / "extracted").exists()


class Timed:
    """Work whose builds take 1, 2, 3, ... seconds, by what it says."""

    def __init__(self) -> None:
        self._seconds = itertools.count(1)

    def build(self, headers: str, output: str) -> float:
        """Make *output* of all files in *headers*."""
        Path(output).write_bytes(b"".join(path.read_bytes() for path in Path(headers).iterdir()))
        return next(self._seconds)

    def shell_command(self, output: str) -> list[str]:
        """Nobody runs it."""
        raise AssertionError(output)


@pytest.fixture
def measurement(tmp_path: Path) -> build.BuildMeasurement:
    """One of Timed work, with an archive of one header. Nothing is dropped, nothing counted."""
    (tmp_path / "header.h").write_text("#define A 1\n")
    with tarfile.open(tmp_path / "archive.tar", "w") as archive:
        archive.add(tmp_path / "header.h", "header.h")
    (tmp_path / "memory").mkdir()
    inputs = Inputs(str(tmp_path / "archive.tar"), str(tmp_path / "cache"), str(tmp_path))
    inputs.extract_tree()
    return build.BuildMeasurement(inputs, Timed(), cold=False, counter=None)


def extracted(tmp_path: Path, content: str) -> Contender:
    """A contender that shows one header with *content*."""
    directory = Path(tempfile.mkdtemp(dir=tmp_path))
    (directory / "header.h").write_text(content)
    return Contender("way", "", "fuse", Extracted(str(directory)))


class TestBuilds:
    def test_each_is_compared_with_the_baseline_just_before_and_just_after(
        self, measurement: build.BuildMeasurement, tmp_path: Path
    ) -> None:
        same = extracted(tmp_path, "#define A 1\n")
        # The first build says what is right. The second is the baseline's, then come a way's two.
        assert measurement.measure(same)[:4] == (3, (2 + 5) / 2, 0, 3)
        assert measurement.measure(same)[:4] == (6, (5 + 8) / 2, 0, 6)

    def test_after_a_failure_the_baseline_builds_again(
        self, measurement: build.BuildMeasurement, tmp_path: Path
    ) -> None:
        same = extracted(tmp_path, "#define A 1\n")
        measurement.measure(same)
        with pytest.raises(Failed, match="is not what the baseline's make"):
            measurement.measure(extracted(tmp_path, "#define A 2\n"))
        assert measurement.measure(same)[:4] == (8, (7 + 10) / 2, 0, 8)

    def test_totals_are_relative_to_the_baseline_s_and_sorted(self) -> None:
        base = Contender(BASELINE, "base", "baseline", Extracted("/"))
        slow = Contender("slow", "slow", "fuse", Extracted("/"))
        outcomes: list[build.BuildOutcome] = [
            Outcome[Contender | Runner, build.BuildSample](
                slow,
                [
                    build.BuildSample(3.0, 2.0, 1.0, 1.5, 1.2, 0.5),
                    build.BuildSample(6.0, 4.0, 2.0, 3.0, 2.4, 1.0),
                    build.BuildSample(1.5, 1.0, 0.5, 0.75, 0.6, 0.25),
                ],
            ),
            Outcome[Contender | Runner, build.BuildSample](
                base, [build.BuildSample(2.0, 2.0, 0.0, 2.0, 2.0, 0.0)] * 3
            ),
        ]
        first, second = build.summarise_builds(outcomes)
        assert (first.contender.key, first.ratio.median) == (BASELINE, 1.0)
        assert (second.contender.key, second.ratio.median) == ("slow", 1.5)
        assert second.ratio.low == second.ratio.high == 1.5
        assert second.second_ratio is not None
        assert second.second_ratio.median == pytest.approx(0.6)

    def test_what_was_not_measured_stays_unknown(self) -> None:
        base = Contender(BASELINE, "base", "baseline", Extracted("/"))
        sample = build.BuildSample(2.0, 2.0, None, None, None, None)
        outcome = Outcome[Contender | Runner, build.BuildSample](base, [sample])
        (figures,) = build.summarise_builds([outcome])
        assert figures.second_ratio is None
        assert "visible" not in figures.parts


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """Twelve headers and a symlink."""
    root = tmp_path / "tree"
    (root / "include/linux").mkdir(parents=True)
    (root / "include/linux/kconfig.h").write_text("#define CONFIG_X86 1\n")
    for number in range(11):
        (root / f"include/linux/{number}.h").write_text(f"#define N {number}\n" * number)
    (root / "include/linux/link.h").symlink_to("1.h")
    yield root


class TestReading:
    @pytest.mark.parametrize("readers", [1, 4, 16])
    def test_every_file_is_read_once_by_somebody(self, tree: Path, readers: int) -> None:
        _, files = list_names(str(tree))
        sample = reading.read_in_parallel([f"{tree}/{name}" for name in files], readers)
        assert 0 < sample.high <= sample.worst <= sample.wall
        assert 0 < sample.earliest <= 1

    def test_a_file_that_cannot_be_read_is_a_failure(self, tree: Path) -> None:
        with pytest.raises(Failed, match="1 of 2 readers"):
            reading.read_in_parallel([f"{tree}/include/linux/1.h", f"{tree}/missing"], 2)


class TestScale:
    def test_names_are_counted_and_regular_files_listed(self, tree: Path) -> None:
        names, files = list_names(str(tree))
        assert names == 2 + 12 + 1
        assert len(files) == 12
        assert "include/linux/link.h" not in files

    def test_no_two_copies_can_share_a_file(self, tree: Path, tmp_path: Path) -> None:
        scale.write_copies(str(tree), 3, str(tmp_path / "copies.tar.xz"))
        with tarfile.open(tmp_path / "copies.tar.xz") as archive:
            members = {
                member.name: stream.read()
                for member in archive
                if (stream := archive.extractfile(member)) is not None
            }
        assert len(members) == 3 * 12
        for name in list_names(str(tree))[1]:
            assert len({members[f"copy-{number}/{name}"] for number in range(3)}) == 3


class TestImplementations:
    def test_a_checkout_is_run_as_an_ordinary_installation_would_be(self, tmp_path: Path) -> None:
        implementation = find_implementation(f"here={REPOSITORY}", str(tmp_path))
        printed = subprocess.run(
            [implementation.executable, "--version"], capture_output=True, text=True, check=True
        )
        assert printed.stdout.startswith("kheadersfs ")
        assert implementation.label == "here"
        assert implementation.format_version() is not None

    def test_an_executable_is_taken_as_it_is(self, tmp_path: Path) -> None:
        implementation = find_implementation("/bin/true", str(tmp_path))
        assert implementation == ("true", "/bin/true", None, "")

    def test_what_is_neither_checkout_nor_commit_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BenchError, match="no commit"):
            find_implementation("x=no-such-commit", str(tmp_path))
        with pytest.raises(BenchError, match="name a checkout"):
            find_implementation(f"y={tmp_path}", str(tmp_path))


def test_a_run_measures_and_leaves_only_its_cache_even_of_runs_that_were_killed(
    fuse: None, tree: Path, tmp_path: Path
) -> None:
    archive, cache, result = (tmp_path / name for name in ("a.tar.xz", "cache", "result.json"))
    with tarfile.open(archive, "w:xz") as writer:
        writer.add(tree, ".")
    (cache / "kheadersfs-bench-killed/mounted").mkdir(parents=True)
    done = subprocess.run(
        [
            *(sys.executable, f"{REPOSITORY}/tools/bench", "stat", "load", "--rounds", "2"),
            *("--archive", archive, "--cache", cache, "--json", result),
            *("--only", "tar-tmpfs", "--only", "kheadersfs:kernel-xz"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if "no private namespaces" in done.stderr:
        pytest.skip(f"kernel: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    figures = json.loads(result.read_text())
    wanted = {BASELINE, "tar-tmpfs", "kheadersfs:kernel-xz"}
    assert {row["key"] for row in figures["stat"]} == wanted
    assert {(row["key"], row["readers"]) for row in figures["load"]} == {
        (key, readers) for key in wanted for readers in (1, 4, 16, 64)
    }
    assert not list(cache.glob("kheadersfs-bench-*"))
    with open("/proc/self/mounts") as mounts:
        assert str(cache) not in mounts.read()
