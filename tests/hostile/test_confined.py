"""Commands and functions in a child that has given up everything but computing."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import random
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kheadersfs.errors import DamagedArchive, KheadersfsError, RefusedArchive, UsageError
from kheadersfs.sandbox.confined import LARGEST_REPORT, Confined
from kheadersfs.sandbox.restrictions import Restrictions
from tests.conftest import REPOSITORY
from tests.support.mounting import command_line, is_running, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("kernel_restricts")

SEED = 3


@pytest.mark.parametrize("arguments", [("ls",), ("cat",), ("info",), ("verify",)])
def test_commands_report_what_a_confined_child_raises(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar.gz"
    archive.write_bytes(b"\x1f\x8b\x08" + bytes(100))
    paths = ["x"] if arguments == ("cat",) else []
    done = subprocess.run(
        [sys.executable, "-m", "kheadersfs", *arguments, archive, *paths],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert done.returncode == 13
    assert done.stdout == ""
    assert done.stderr.startswith(f"kheadersfs: {archive}: ")
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that takes a while to read."""
    top = tmp_path_factory.mktemp("slow")
    (top / "large").write_text(random.Random(SEED).randbytes(16 << 20).hex())
    subprocess.run(["tar", "-cf", top / "slow.tar", "-C", top, "large"], check=True)
    subprocess.run(["xz", "-0", top / "slow.tar"], check=True)
    return top / "slow.tar.xz"


def read_status(pid: int) -> dict[str, list[str]]:
    """Return the lines of /proc/PID/status; empty when there is no such process any more."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


def confined_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if read_status(int(child)).get("Seccomp") == ["2"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "{archive}"),
        ("cat", "{archive}", "large"),
        ("info", "{archive}"),
        ("verify", "{archive}"),
        ("repack", "{archive}", "{output}"),
        ("merge", "-o", "{output}", "one={archive}"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_reads_in_a_confined_child(
    arguments: tuple[str, ...], slow: Path, tmp_path: Path
) -> None:
    words = [word.format(archive=slow, output=tmp_path / "out.tar.zst") for word in arguments]
    with subprocess.Popen(command_line(*words), stdout=subprocess.DEVNULL) as command:
        try:
            wait_until(lambda: bool(confined_children(command.pid)), "a child was confined")
            [child] = confined_children(command.pid)
            status = read_status(child)
            own = Path(f"/proc/{command.pid}/maps").read_text()
        finally:
            command.kill()
    assert status["NoNewPrivs"] == ["1"]
    assert {status[f"Cap{name}"][0] for name in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    if os.geteuid() == 0:
        assert status["Uid"] == status["Gid"] == ["65534"] * 4
    assert "libarchive" not in own, "the command itself has loaded what parses the archive"
    wait_until(lambda: not is_running(child), "the child ended with the command")


def nothing() -> None:
    """Prepare nothing."""


def confined(function: Callable[[], bytes]) -> bytes:
    return Confined("archive", nothing, function, 0).result()


def test_a_confined_function_returns_bytes() -> None:
    content = bytes(range(256)) * 1000
    assert confined(lambda: content) == content


def test_a_confined_function_raises_its_own_kind_of_error() -> None:
    def fail() -> bytes:
        raise UsageError("not \udcff like that")

    with pytest.raises(UsageError, match="not \udcff like that"):
        confined(fail)


def test_a_confined_function_that_crashes_is_an_error() -> None:
    def crash() -> bytes:
        faulthandler.disable()  # pytest's own report of it is noise here
        return ctypes.string_at(0)

    with pytest.raises(KheadersfsError, match=r"archive: the process .* was killed by signal 11"):
        confined(crash)


@pytest.mark.parametrize(
    "report",
    [
        *(b"x\n", b"\n", b"-1\n", b"+13\n", b"1_3\n", b" 13\n", b"0013\n", b"77\n", b"256\n"),
        *(b"\xff\n", "\u0661\n".encode(), b"9" * 5000 + b"\n", b"0\n" + bytes(LARGEST_REPORT)),
    ],
    ids=lambda report: ascii(report[:8]),
)
def test_nonsense_that_a_child_reports_is_one_error(report: bytes) -> None:
    """Whoever has taken it over may write what he likes into the pipe."""
    others = {int(name) for name in os.listdir("/proc/self/fd")}

    def take_over() -> bytes:
        # A pipe gets the lowest numbers that are free.
        for descriptor in {*range(max(others) + 16)} - others:
            with suppress(OSError):
                os.write(descriptor, report)
        os._exit(0)

    with pytest.raises(DamagedArchive, match="archive: the process that read it gave an imposs"):
        confined(take_over)


def test_a_child_that_does_not_stop_reporting_is_not_listened_to_for_ever() -> None:
    with pytest.raises(DamagedArchive):
        confined(lambda: bytes(LARGEST_REPORT))


def test_a_child_is_ended_whose_result_nobody_waits_for() -> None:
    telling, told = os.pipe()

    def tell_and_wait() -> bytes:
        os.write(told, b"%d" % os.getpid())
        select.poll().poll()
        return b""

    child = Confined("archive", nothing, tell_and_wait, 0)
    os.close(told)
    pid = int(os.read(telling, 100))
    os.close(telling)
    child.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_confined_function_that_takes_too_much_memory_is_refused() -> None:
    with pytest.raises(RefusedArchive, match="archive: takes more memory"):
        confined(lambda: bytes(2 << 30))


def test_what_is_missing_to_read_an_archive_is_no_damage() -> None:
    def prepare() -> None:
        raise KheadersfsError("zstd needs the package backports.zstd")

    with pytest.raises(KheadersfsError, match="needs the package") as caught:
        Confined("archive", prepare, lambda: b"", 0).result()
    assert caught.value.exit_status == 1


def test_a_confined_function_that_is_wrong_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KheadersfsError, match="reading it failed; please report") as caught:
        confined(lambda: bytes(1 // 0))
    assert caught.value.exit_status == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_confined_function_cannot_open_files() -> None:
    def read() -> bytes:
        try:
            os.open("/etc/passwd", os.O_RDONLY)
        except PermissionError:
            return b"refused"
        return b"opened"

    assert confined(read) == b"refused"


def test_what_a_kernel_cannot_restrict_is_said_to_root(
    root: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lacking = Restrictions({}, ["landlock: not restricted: Function not implemented"])
    monkeypatch.setattr("kheadersfs.sandbox.confined.restrict", lambda *_, **__: lacking)
    assert confined(lambda: b"done") == b"done"
    assert capfd.readouterr().err == (
        "kheadersfs: reading without a restriction: "
        "landlock: not restricted: Function not implemented\n"
    )
