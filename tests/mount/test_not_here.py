"""Where nothing can be mounted, for want of a device, a right, or a locale."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import (
    Outcome,
    command_line,
    mounts_below,
    one_line,
    run_command,
    run_words,
)

if TYPE_CHECKING:
    from pathlib import Path


LOCALES = (
    {"LC_ALL": "C", "PYTHONUTF8": "0"},
    {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-16"},
)


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_a_suggested_line_can_be_pasted_whatever_the_locale(
    small_archive: Path, tmp_path: Path, fuse: None, locale: dict[str, str]
) -> None:
    for number, name in enumerate(("mé", "with space", "o'clock", "a\nb", "\udcff\\", "$HOME")):
        absent = tmp_path / str(number) / name
        outcome = run_command("mount", small_archive, absent, **locale)
        suggested = one_line(outcome).rstrip("\n").partition("make it: ")[2]
        assert suggested.startswith("mkdir -p ")
        assert suggested.isprintable()
        assert run_words("bash", "-c", suggested, LC_ALL="C") == Outcome(0, "", "")
        assert absent.is_dir()


def run_without_device(*command: str) -> Outcome:
    """Run *command* where /dev holds nothing but what every program needs."""
    script = (
        "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && "
        'mknod -m 666 /dev/urandom c 1 9 && exec "$@"'
    )
    return run_words(
        "unshare", "--mount", "--propagation=slave", "sh", "-c", script, "sh", *command
    )


def test_without_dev_fuse_it_says_how_to_get_it(
    root: None, small_archive: Path, tmp_path: Path
) -> None:
    for arguments in (
        ("mount", small_archive, tmp_path),
        ("run", "--archive", small_archive, "true"),
    ):
        outcome = run_without_device(*command_line(*arguments))
        assert outcome.status == 15
        assert "modprobe fuse" in one_line(outcome)
    assert mounts_below(tmp_path) == []


def test_root_without_the_right_to_mount_is_told_so(
    root: None, fuse: None, small_archive: Path, tmp_path: Path
) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("not installed: setpriv")
    drop = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    outcome = run_words(*drop, *command_line("mount", small_archive, tmp_path))
    assert outcome.status == 15
    assert "not permitted" in one_line(outcome)
    assert "a container needs --cap-add SYS_ADMIN" in outcome.errors
    assert mounts_below(tmp_path) == []


def run_without_libfuse(*command: str) -> Outcome:
    """Run *command* where the library that pyfuse3 was built with cannot be loaded."""
    loaded = "import pyfuse3; print(*{line.split()[-1] for line in open('/proc/self/maps')})"
    libraries = run_words(sys.executable, "-c", loaded).output.split()
    script = 'mount --bind /dev/null "$1" && shift && exec "$@"'
    library = next(path for path in libraries if "/libfuse3" in path)
    return run_words(
        *("unshare", "--mount", "--propagation=slave", "sh", "-c", script, "sh", library, *command)
    )


def test_where_pyfuse3_cannot_be_loaded_nothing_is_mounted_or_run(
    root: None, fuse: None, small_archive: Path, tmp_path: Path
) -> None:
    for arguments in (
        ("mount", small_archive, tmp_path),
        ("run", "--archive", small_archive, "echo", "run"),
    ):
        outcome = run_without_libfuse(*command_line(*arguments))
        assert (outcome.status, outcome.output) == (15, "")
        assert "pyfuse3 cannot be loaded: " in one_line(outcome)
        assert "; install libfuse3, or pyfuse3 anew" in outcome.errors
    assert mounts_below(tmp_path) == []
