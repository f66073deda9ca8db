"""One program built for several kernels: the objects of each are its own, whatever builds them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tests.support.mounting import HANGS, Outcome, command_line, one_line, run_command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("fuse")

RATES = (250, 100)
"""What CONFIG_HZ is in the kernels. Their headers have the same names, sizes and times."""
RELEASE, TIME = "6.1.7-test", 1_700_000_000

MAKEFILE = """\
$(O)/rate.o: rate.c
\t$(WRAPPER) $(CC) -include $(KHEADERS)/include/generated/autoconf.h -c -o $@ $<
"""
NINJA = """\
rule compile
  command = gcc -include $headers/include/generated/autoconf.h -MMD -MF $out.d -c -o $out $in
  depfile = $out.d
  deps = gcc
"""
BUILDS = {
    "make": 'make -C {sources} CC=gcc O="$KHEADERS_OUTPUT"',
    "ccache": 'make -C {sources} CC=gcc WRAPPER=ccache O="$KHEADERS_OUTPUT"',
    "ninja": 'cd "$KHEADERS_OUTPUT" && { cat {sources}/rules.ninja; echo "headers = $KHEADERS"; '
    "echo build rate.o: compile {sources}/rate.c; } >build.ninja && ninja",
}


@pytest.fixture
def kernels(tmp_path: Path) -> list[Path]:
    """An archive for each of RATES."""
    return [make_kernel(tmp_path / f"hz{rate}.tar.gz", rate) for rate in RATES]


def make_kernel(archive: Path, rate: int) -> Path:
    """Make an archive of the headers that the test reads."""
    archive.parent.mkdir(exist_ok=True)
    tree = archive.with_suffix(".tree")
    generated = tree / "include/generated"
    generated.mkdir(parents=True)
    (generated / "autoconf.h").write_text(f"#define CONFIG_X86 1\n#define CONFIG_HZ {rate}\n")
    (generated / "utsrelease.h").write_text(f'#define UTS_RELEASE "{RELEASE}"\n')
    subprocess.run(["tar", "-czf", archive, f"--mtime=@{TIME}", "-C", tree, "include"], check=True)
    shutil.rmtree(tree)
    return archive


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The program, and how it is built."""
    directory = tmp_path / "sources"
    directory.mkdir()
    (directory / "rate.c").write_text("int rate = CONFIG_HZ;\n")
    (directory / "Makefile").write_text(MAKEFILE)
    (directory / "rules.ninja").write_text(NINJA)
    return directory


def each(kernels: list[Path], *words: str | Path, **environment: str) -> Outcome:
    archives = [word for kernel in kernels for word in ("--archive", kernel)]
    return run_command("run", "--each", "--jobs", "2", *archives, *words, **environment)


def headers_opened(outcome: Outcome) -> list[int]:
    """Return the numbers of headers in the table, in the order of the archives."""
    table = outcome.output[outcome.output.index("\nstatus ") :].splitlines()[2:]
    return [int(line.split()[2]) for line in table if line.startswith("     ")]


def rate_in(built: Path) -> int:
    """Return the number that the program in the object file *built* begins its data with."""
    data = built.with_suffix(".data")
    subprocess.run(["objcopy", "-O", "binary", "-j", ".data", built, data], check=True)
    return int.from_bytes(data.read_bytes()[:4], "little")


@pytest.mark.parametrize("tool", BUILDS)
def test_each_kernel_gets_an_object_of_its_own(
    kernels: list[Path], sources: Path, tmp_path: Path, tool: str
) -> None:
    """In parallel, once more, from a cache that the first build filled, and in another order."""
    if missing := [name for name in (tool, "gcc", "objcopy") if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    script = BUILDS[tool].replace("{sources}", str(sources))
    cache = {"CCACHE_DIR": str(tmp_path / "cache")}
    for parent, order in (("first", kernels), ("first", kernels), ("second", kernels[::-1])):
        output = tmp_path / parent
        outcome = each(order, "--output", output, "--", "sh", "-c", script, **cache)
        assert outcome.status == 0, outcome
        assert "2 succeeded, 0 failed" in outcome.output
        built = [rate_in(output / f"hz{rate}" / "rate.o") for rate in RATES]
        assert built == list(RATES)


def test_a_command_that_opened_no_header_shows_in_the_table(
    kernels: list[Path], sources: Path, tmp_path: Path
) -> None:
    """All in one directory: what make does then is to build for one kernel, and be done."""
    script = f'make -C {sources} CC=gcc O="{tmp_path}"'
    first = each(kernels, "--jobs", "1", "--", "sh", "-c", script)
    assert first.status == 0
    assert headers_opened(first) == [1, 0]
    assert "1 opened no header, so nothing was compiled for that kernel now" in first.output


def test_the_command_is_told_which_kernel_it_is(kernels: list[Path], tmp_path: Path) -> None:
    script = 'printf "%s %s %s\\n" "$KHEADERS_NAME" "$KHEADERS_RELEASE" "$KHEADERS_ARCH"'
    told = f"hz250 {RELEASE} x86\n"
    record = tmp_path / "record"
    options = ("--archive", kernels[0], "--record", record, "--", "sh", "-c", script)
    assert run_command("run", *options) == Outcome(0, told, "")
    assert record.read_text() == "", "to know it no header was opened for the command"
    outcome = each(kernels, "--", "sh", "-c", script)
    assert told in outcome.output
    assert told.replace("250", "100") in outcome.output


def test_headers_that_do_not_say_of_which_kernel_they_are_tell_nothing(
    small_archive: Path,
) -> None:
    inherited = {"KHEADERS_RELEASE": "another", "KHEADERS_ARCH": "another"}
    script = 'echo "[$KHEADERS_RELEASE$KHEADERS_ARCH]"'
    options = ("--archive", small_archive, "--", "sh", "-c", script)
    assert run_command("run", *options, **inherited) == Outcome(0, "[]\n", "")


def test_archives_of_one_name_are_told_apart_by_their_directories(tmp_path: Path) -> None:
    kernels = [make_kernel(tmp_path / f"a b{rate}" / "headers.tar.gz", rate) for rate in RATES]
    outcome = each(kernels, "--output", tmp_path / "out", "--", "touch", "/dev/null")
    assert outcome.status == 0
    names = ["a_b100-headers", "a_b250-headers"]
    assert sorted(os.listdir(tmp_path / "out")) == names


def test_an_archive_named_twice_cannot_have_two_directories(
    kernels: list[Path], tmp_path: Path
) -> None:
    outcome = each([kernels[0]] * 2, "--output", tmp_path / "out", "--", "true")
    assert outcome.status == 2
    assert f"{kernels[0]}: is there twice" in one_line(outcome)
    assert each([kernels[0]] * 2, "--", "true").status == 0


def test_what_was_made_with_another_archive_is_not_taken_for_this_ones(
    kernels: list[Path], tmp_path: Path
) -> None:
    options = ("--output", tmp_path / "out", "--", "sh", "-c", 'touch "$KHEADERS_OUTPUT/object"')
    assert each(kernels, *options).status == 0
    os.utime(kernels[0])
    assert each(kernels, *options).status == 0, "its content is the same"
    make_kernel(kernels[0], 300)
    outcome = each(kernels, *options)
    assert outcome.status == 1
    assert f"{tmp_path}/out/hz250: what is in there was not made with {kernels[0]}" in one_line(
        outcome
    )
    shutil.rmtree(tmp_path / "out/hz250")
    assert each(kernels, *options).status == 0


def test_a_directory_that_cannot_be_made_is_named_before_anything_runs(
    kernels: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "out").touch()
    outcome = each(kernels, "--output", tmp_path / "out", "--", "touch", tmp_path / "ran")
    assert outcome.status == 1
    assert f"{tmp_path}/out/hz250: cannot be written to: " in one_line(outcome)
    assert not (tmp_path / "ran").exists()


def test_an_output_belongs_to_each(kernels: list[Path], tmp_path: Path) -> None:
    outcome = run_command("run", "--archive", kernels[0], "--output", tmp_path / "out", "true")
    assert outcome.status == 2
    assert "--output needs --each" in one_line(outcome)


def test_json_is_all_that_is_printed_for_programs(kernels: list[Path]) -> None:
    script = 'echo "out $KHEADERS_NAME"; grep -q 250 "$KHEADERS/include/generated/autoconf.h"'
    outcome = each(kernels, "--json", "--", "sh", "-c", script)
    assert outcome.status == 1
    first, second = json.loads(outcome.output)
    assert [first["archive"], second["archive"]] == [str(kernel) for kernel in kernels]
    assert (first["name"], first["status"], first["headers"]) == ("hz250", 0, 1)
    assert second["status"] == 1
    assert first["seconds"] > 0
    for name in (first["name"], second["name"]):
        assert f"out {name}\n" in outcome.errors


def test_a_junit_report_has_a_case_for_each_kernel(kernels: list[Path], tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    # What no XML can hold, and what would end its parts.
    noise = r"""printf '\001 \377 ]]> <&"\033[1m '"""
    script = f'{noise}; grep -q 250 "$KHEADERS/include/generated/autoconf.h"'
    outcome = each(kernels, "--junit", report, "--", "sh", "-c", script)
    assert outcome.status == 1
    assert "1 succeeded, 1 failed" in outcome.output
    root = ElementTree.parse(report).getroot()
    [suite] = root
    for element in (root, suite):
        assert (element.get("tests"), element.get("failures")) == ("2", "1")
    good, bad = suite
    assert [case.get("name") for case in suite] == ["hz250", "hz100"]
    assert good.find("failure") is None
    failure = bad.find("failure")
    assert failure is not None
    assert failure.get("message") == "exit status 1"
    for case, kernel in zip(suite, kernels, strict=True):
        text = case.findtext("system-out")
        assert text == f'{kernel}: 1 headers opened\n\\x01 \\xff ]]> <&"\\x1b[1m '


def test_a_report_that_cannot_be_written_is_named_before_anything_runs(
    kernels: list[Path], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    for place, message in ((tmp_path / "absent/report.xml", "no such directory"), ("", "empty")):
        outcome = each(kernels, "--junit", place, "--", "touch", mark)
        assert outcome.status in (1, 2)
        assert message in one_line(outcome)
    assert not mark.exists()


@pytest.mark.parametrize("option", ["--json", "--junit=r.xml"])
def test_reports_are_of_many(kernels: list[Path], option: str) -> None:
    outcome = run_command("run", option, "--archive", kernels[0], "--", "true")
    assert (outcome.status, "needs --each" in one_line(outcome)) == (2, True)


def test_no_report_is_left_by_what_was_interrupted(kernels: list[Path], tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    script = "kill -INT 0; exec sleep 60"  # as a terminal does: to all in the group
    before = sorted(tmp_path.iterdir())
    words = [word for kernel in kernels for word in ("--archive", str(kernel))]
    with subprocess.Popen(
        command_line("run", "--each", *words, "--junit", report, "--", "sh", "-c", script),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        _, errors = process.communicate(timeout=HANGS)
    assert (process.returncode, errors) == (130, b"")
    assert sorted(tmp_path.iterdir()) == before
