"""The wheel and the source distribution: what is in them, and that nothing stays behind."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import REPOSITORY

SHARED = {
    "man/man1/kheadersfs.1": "man",
    "man/man8/mount.fuse.kheadersfs.8": "man8",
    "bash-completion/completions/kheadersfs": "bash",
    "zsh/site-functions/_kheadersfs": "zsh",
    "fish/vendor_completions.d/kheadersfs.fish": "fish",
}
"""What is below share/, and what ``kheadersfs reference`` calls it."""
UNITS = {"kheadersfs.service", "run-kheaders.automount", "run-kheaders.mount"}
COMMANDS = {"kheadersfs", "mount.fuse.kheadersfs"}
NOT_SOURCES = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info")


class Built(NamedTuple):
    """What ``python -m build`` makes: the wheel is made from the source distribution."""

    sources: Path
    wheel: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """See Built."""
    pytest.importorskip("build", reason="not installed: build")
    directory = tmp_path_factory.mktemp("package")
    # A build writes beside the sources.
    shutil.copytree(REPOSITORY, directory / "sources", ignore=NOT_SOURCES)
    out = directory / "dist"
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", out, directory / "sources"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [sources] = out.glob("*.tar.gz")
    [wheel] = out.glob("*.whl")
    return Built(sources, wheel)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that was empty before the wheel was installed."""
    environment = tmp_path_factory.mktemp("installed")
    venv.create(environment, with_pip=True)
    pip(environment, "install", built.wheel)
    return environment


def pip(environment: Path, *words: str | Path) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    subprocess.run([environment / "bin/python", "-m", "pip", *quiet, *words], check=True)


def run(environment: Path, *words: str | Path) -> str:
    """Return what the installed command prints."""
    command: list[str | Path] = [environment / "bin/kheadersfs", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_an_index_would_take_both(built: Built) -> None:
    pytest.importorskip("twine", reason="not installed: twine")
    words: list[str | Path] = [sys.executable, "-m", "twine", "check", "--strict", *built]
    assert subprocess.run(words, check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_what_the_package_says_of_itself_has_no_relative_links(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        [name] = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        text = wheel.read(name).decode()
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert "License-Expression: MIT\n" in text


def test_the_sources_are_enough_to_test_and_to_build(built: Built) -> None:
    with tarfile.open(built.sources) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tools/test", "tools/packaging/backend.py", "tests/conftest.py"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


def test_manuals_completions_and_units_are_where_others_look(installed: Path) -> None:
    share = installed / "share"
    for place, kind in SHARED.items():
        printed = run(installed, "reference", kind)
        assert (share / place).read_text() == printed
    assert {unit.name for unit in (share / "kheadersfs/systemd").iterdir()} == UNITS


def test_what_was_installed_mounts_and_runs(
    installed: Path, small_archive: Path, fuse: None
) -> None:
    script = 'cat "$KHEADERS/modes/644"'
    assert run(installed, "run", "--archive", small_archive, "--", "sh", "-c", script) == "mode\n"


def test_nothing_is_left_once_it_is_uninstalled(
    built: Built, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = tmp_path_factory.mktemp("uninstalled")
    venv.create(environment, with_pip=True)
    before = set(environment.rglob("*"))
    pip(environment, "install", "--no-deps", built.wheel)
    assert {path.name for path in (environment / "bin").iterdir()} >= COMMANDS
    pip(environment, "uninstall", "--yes", "kheadersfs")
    left = set(environment.rglob("*")) - before
    assert [path for path in left if not path.is_dir() and "__pycache__" not in path.parts] == []
