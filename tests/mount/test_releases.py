"""Several kernels in one archive: all of them mounted, or one as the root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support import golden
from tests.support.mounting import Outcome, command_line, one_line, run_command, run_words_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mounting

pytestmark = pytest.mark.usefixtures("fuse")

RUNNING = os.uname().release
RELEASES = ("6.1.0-1-test", "6.1.0-2-test", RUNNING)
SCRIPT = 'echo "$KHEADERS_NAME $KHEADERS_RELEASE $KHEADERS_ARCH"; cat "$KHEADERS/include/own.h"'


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kernels that have one header of their own each, and others in common; one is the running."""
    top = tmp_path_factory.mktemp("fleet")
    archives = []
    for release in RELEASES:
        tree = top / release
        (tree / "include/generated").mkdir(parents=True)
        (tree / "include/generated/autoconf.h").write_text("#define CONFIG_X86 1\n")
        text = f'#define UTS_RELEASE "{release}"\n'
        (tree / "include/generated/utsrelease.h").write_text(text)
        (tree / "include/linux").mkdir()
        (tree / "include/linux/kconfig.h").touch()
        (tree / "arch/x86/include").mkdir(parents=True)
        (tree / "include/own.h").write_text(f"{release}\n")
        for number in range(30):
            (tree / f"include/shared{number}.h").write_text(f"{number}\n" * 50)
        (tree / "include/link.h").symlink_to("own.h")
        archives.append(top / f"{release}.tar.xz")
        subprocess.run(
            ["tar", "-cJf", archives[-1], "--mtime=@1000000000", "-C", tree, "."], check=True
        )
    merged = top / "fleet.tar.zst"
    assert run_command("merge", *archives, "-o", merged) == Outcome(0, "", "")
    return merged


def one_of(fleet: Path, release: str) -> Path:
    """Return the archive of the kernel *release* that was merged."""
    return fleet.parent / f"{release}.tar.xz"


def test_all_kernels_look_as_tar_extracts_them(
    mount: Mounting, fleet: Path, tmp_path: Path
) -> None:
    extracted = tmp_path / "extracted"
    extracted.mkdir()
    # Else directories have the time of what was extracted into them last.
    options = ["--delay-directory-restore", "-p", "-C", str(extracted)]
    subprocess.run(["tar", "-xf", fleet, *options], check=True)
    shown = mount(fleet)
    actual = golden.describe(shown.path)
    assert not golden.differences(actual, golden.describe(extracted))


@pytest.mark.parametrize("release", RELEASES)
def test_one_kernel_looks_as_tar_extracts_it(
    mount: Mounting, fleet: Path, tmp_path: Path, release: str
) -> None:
    golden.extract_with_tar(fleet, tmp_path / "extracted")
    shown = mount(fleet, "-o", f"release={release}")
    # What is made for the running kernel is in no archive.
    options = ["-r", "--no-dereference", "--exclude=vmlinux.h"]
    one, other = shown.path, tmp_path / "extracted" / release
    subprocess.run(["diff", *options, str(one), str(other)], check=True)
    assert (shown / "include/shared0.h").stat().st_nlink == len(RELEASES)
    assert (shown / "include/own.h").stat().st_nlink == 1
    status = shown.status()
    assert (status["release"], status["arch"]) == (release, "x86")
    outcome = run_command("env", shown.path)
    assert (outcome.status, str(shown.path) in outcome.output) == (0, True)


def test_parents_of_what_is_shared_are_in_the_kernel_that_is_shown(
    mount: Mounting, fleet: Path
) -> None:
    shown = mount(fleet, "--release", RELEASES[1])
    directory = os.open(shown / "include/generated", os.O_RDONLY)
    try:
        os.chdir(directory)
        assert os.path.samefile("../..", shown.path)
        with open("../own.h") as own:
            assert own.read() == f"{RELEASES[1]}\n"
    finally:
        os.chdir("/")
        os.close(directory)


def test_the_running_kernels_is_auto(mount: Mounting, fleet: Path) -> None:
    shown = mount(fleet, "-o", "release=auto")
    assert (shown / "include/own.h").read_text() == f"{RUNNING}\n"


def test_a_kernel_that_is_not_there_is_answered_with_those_that_are(
    fleet: Path, tmp_path: Path
) -> None:
    (tmp_path / "mnt").mkdir()
    for command in (
        ("mount", "--release", "9.9", fleet, tmp_path / "mnt"),
        ("run", "--release", "9.9", "--archive", fleet, "--", "true"),
        ("run", "--each", "--release", "9.*", "--archive", fleet, "--", "true"),
        ("ls", "--release", "9.9", fleet),
        ("cat", "--release", "9.9", fleet, "include/own.h"),
        ("info", "--release", "9.9", fleet),
    ):
        outcome = run_command(*command)
        assert outcome.status == 16
        message = one_line(outcome)
        assert all(release in message for release in RELEASES)
    assert not os.path.ismount(tmp_path / "mnt")


def test_an_archive_of_one_kernel_is_of_its_release(fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "mnt").mkdir()
    one = one_of(fleet, RELEASES[0])
    script = ("--", "cat", "/dev/null")
    assert run_command("run", "--release", RELEASES[0], "--archive", one, *script).status == 0
    outcome = run_command("run", "--release", RELEASES[1], "--archive", one, *script)
    assert (outcome.status, RELEASES[0] in one_line(outcome)) == (16, True)


def test_a_command_runs_with_one(fleet: Path) -> None:
    options = ("--release", RELEASES[0], "--archive", fleet, "--", "sh", "-c", SCRIPT)
    told = f"{RELEASES[0]} {RELEASES[0]} x86\n{RELEASES[0]}\n"
    assert run_command("run", *options) == Outcome(0, told, "")


def test_a_command_runs_once_for_each(fleet: Path, tmp_path: Path) -> None:
    options = ("--each", "--archive", fleet, "--output", tmp_path / "out")
    script = SCRIPT + '; cat "$KHEADERS/include/own.h" >"$KHEADERS_OUTPUT/own"'
    outcome = run_command("run", *options, "--", "sh", "-c", script)
    assert outcome.status == 0
    for release in RELEASES:
        assert f"== {fleet}: {release}\n{release} {release} x86\n{release}\n" in outcome.output
        assert (tmp_path / "out" / release / "own").read_text() == f"{release}\n"
    assert "3 succeeded, 0 failed" in outcome.output


def test_a_pattern_picks_kernels(fleet: Path) -> None:
    options = ("--each", "--release", "6.1.0-*-test", "--archive", fleet)
    outcome = run_command("run", *options, "--", "sh", "-c", SCRIPT)
    assert outcome.status == 0
    assert "2 succeeded, 0 failed" in outcome.output
    assert RUNNING not in outcome.output


def test_commands_that_read_show_one_kernel_as_if_it_were_alone(fleet: Path) -> None:
    one = run_command("ls", one_of(fleet, RELEASES[1]))
    assert run_command("ls", "--release", RELEASES[1], fleet) == one
    read = run_command("cat", "--release", RELEASES[1], fleet, "include/own.h")
    assert read == Outcome(0, f"{RELEASES[1]}\n", "")
    assert run_command("cat", "--release", "auto", fleet, "include/own.h").output == f"{RUNNING}\n"
    told = json.loads(run_command("info", "--json", "--release", RELEASES[1], fleet).output)
    alone = json.loads(run_command("info", "--json", one_of(fleet, RELEASES[1])).output)
    counted = ("release", "arch", "files", "directories", "symlinks", "content_size")
    assert [told[name] for name in counted] == [alone[name] for name in counted]
    assert told["kernels"] == [{"name": RELEASES[1], "release": RELEASES[1], "arch": "x86"}]


def test_flags_are_those_of_one_kernel_in_a_mount(mount: Mounting, fleet: Path) -> None:
    shown = mount(fleet)
    for place in (shown.path, fleet):
        for command in ("env", "cflags"):
            named = run_command(command, "--release", RELEASES[1], place)
            assert named == run_command(command, shown / RELEASES[1])
            assert named.status == 0, named
    outcome = run_command("env", "--release", "9.9", fleet)
    assert (outcome.status, "has no kernel 9.9; there is" in one_line(outcome)) == (16, True)
    assert all(release in outcome.errors for release in RELEASES)


def test_flags_of_an_archive_are_those_of_where_it_is_mounted(
    mount: Mounting, fleet: Path, tmp_path: Path
) -> None:
    shown = mount(fleet, "--release", RELEASES[0])
    assert run_command("cflags", fleet) == run_command("cflags", shown.path)
    assert run_command("env", "--release", RELEASES[0], fleet) == run_command("env", shown.path)
    other = run_command("env", "--release", RELEASES[1], fleet)
    assert (other.status, f"there is {RELEASES[0]}" in one_line(other)) == (16, True)
    outcome = run_command("cflags", shutil.copy(fleet, tmp_path / "other.tar.zst"))
    assert (outcome.status, "is mounted nowhere" in one_line(outcome)) == (10, True)


def test_env_says_what_run_says_of_which_kernel_it_is(fleet: Path) -> None:
    script = 'unset KHEADERS_RELEASE KHEADERS_ARCH; eval "$("$@" "$KHEADERS")" && printenv '
    names = "KHEADERS_RELEASE KHEADERS_ARCH"
    env = command_line("env")
    outcome = run_command(
        *("run", "--archive", one_of(fleet, RELEASES[1]), "--", "sh", "-c", script + names, "sh"),
        *env,
    )
    assert outcome == Outcome(0, f"{RELEASES[1]}\nx86\n", "")


def test_what_a_command_runs_with_is_found_by_the_archives_name(fleet: Path) -> None:
    cflags = command_line("cflags")
    archive = one_of(fleet, RELEASES[1])
    run = command_line("run", "--archive", archive.name, "--", *cflags, archive.name)
    outcome = run_words_in(archive.parent, *run)
    assert (outcome.status, outcome.errors) == (0, "")
    assert "arch/x86/include" in outcome.output
