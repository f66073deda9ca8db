"""Every archive of the corpus, read by command and by mount: the right outcome, soon, in bounds."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.attacks.case import DONE, ESCAPED, Case
from tests.attacks.corpus import cases
from tests.support.mounting import HANGS, command_line, is_running, mounts_below, run_command

if TYPE_CHECKING:
    from tests.conftest import Prepare


LONGEST = 10.0
"""Seconds of processor time that reading any archive may take."""
LARGEST = 200 << 10
"""KiB of memory that any process may have while it reads."""


class Ended(NamedTuple):
    """How a command ended, after how many seconds, at how many KiB of memory at the most."""

    status: int
    errors: str
    seconds: float
    memory: int


MEASURE = """
import os, resource, subprocess, sys
with subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL) as process:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w") as report:
    print(process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=report)
"""


def run_measured(directory: Path, *arguments: str | Path) -> Ended:
    """Run a kheadersfs command; memory is that of its largest process.

    A small process starts it: what a child's memory is said to have been begins with its parent's.
    """
    report = directory / "report"
    done = subprocess.run(
        [sys.executable, "-IS", "-c", MEASURE, report, *command_line(*arguments)],
        check=True,
        timeout=HANGS,
        stderr=subprocess.PIPE,
    )
    status, seconds, memory = report.read_text().split()
    errors = done.stderr.decode(errors="surrogateescape")
    return Ended(int(status), errors, float(seconds), int(memory))


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that process *pid* has used."""
    with open(f"/proc/{pid}/stat") as status:
        user, system = status.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    """Return the largest resident size so far of process *pid* in KiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


@pytest.fixture(scope="module", params=cases(), ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def archive(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "archive"
    made = case.make()
    with path.open("wb") as file:
        file.writelines((made,) if isinstance(made, bytes) else made)
        if case.size:
            file.truncate(case.size)
    return path


def escaped(tmp_path: Path) -> list[Path]:
    """Return what appeared where paths out of the tree lead."""
    places = [Path(place) for place in ("/tmp", "/", tmp_path, tmp_path / "mount-0")]
    return [place for place in places if os.path.lexists(place / ESCAPED.decode())]


def test_verify_says_what_is_wrong(case: Case, archive: Path, tmp_path: Path) -> None:
    ended = run_measured(tmp_path, "verify", archive)
    assert ended.status == case.status, ended
    if case.status != DONE:
        assert re.search(case.says, ended.errors), ended
        assert ended.errors.startswith(f"kheadersfs: {archive}: "), ended
        assert ended.errors.count("\n") == 1, ended
    assert ended.seconds < LONGEST, ended
    assert ended.memory < LARGEST, ended
    assert escaped(tmp_path) == []


def read_tree(root: Path) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Return the content of all files and the targets of all symlinks below *root*."""
    files: dict[bytes, bytes] = {}
    links: dict[bytes, bytes] = {}
    top = os.fsencode(root)
    for directory, _, names in os.walk(top, onerror=_fail):
        for name in names:
            path = os.path.join(directory, name)
            kind = os.lstat(path).st_mode
            if stat.S_ISLNK(kind):
                links[os.path.relpath(path, top)] = os.readlink(path)
            else:
                assert stat.S_ISREG(kind), path
                with open(path, "rb") as file:
                    files[os.path.relpath(path, top)] = file.read()
        links.update(
            (os.path.relpath(path, top), os.readlink(path))
            for path in (os.path.join(directory, name) for name in os.listdir(directory))
            if os.path.islink(path)
        )
    return files, links


def _fail(error: OSError) -> None:
    raise error


def test_a_mount_shows_what_is_good_and_an_error_for_the_rest(
    case: Case, archive: Path, prepared_mount: Prepare, tmp_path: Path
) -> None:
    if case.behind_end:
        case = case._replace(status=DONE, says="")
    mount = prepared_mount(archive)
    ended = run_measured(tmp_path, "mount", "--log", mount.log, archive, mount.path)
    assert ended.status in (DONE, case.status), ended
    assert ended.memory < LARGEST
    if ended.status != DONE:
        assert not mounts_below(mount.path)
        return
    status = mount.status()
    mount.pid = status["pid"]
    try:
        if case.status == DONE:
            assert read_tree(mount.path) == (case.files, case.links)
        else:
            with pytest.raises(OSError, match="Input/output error"):
                os.listdir(mount.path)
        log = mount.log.read_text(errors="surrogateescape")
        assert re.search(case.says, log), log
        assert "please report" not in log
        assert peak_memory(mount.pid) < LARGEST
        assert processor_time(mount.pid) < LONGEST
        assert mount.status()["pid"] == mount.pid, "the server was replaced"
    finally:
        assert run_command("umount", mount.path).status == DONE
    assert not is_running(mount.pid)
    assert escaped(tmp_path) == []


def test_the_corpus_has_what_it_should() -> None:
    """A generator that yields nothing would pass for good."""
    names = [case.name for case in cases()]
    assert len(names) == len(set(names)) >= 100
