"""Packages for rpm and for pacman: built by their own tools, installed and removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kheadersfs._version import __version__
from tests.conftest import REPOSITORY
from tests.support.packages import require

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = REPOSITORY / "tools"
NOT_SOURCES = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info")
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
SITE = f"/usr/lib/python3.{sys.version_info.minor}/site-packages"
# What Fedora's python3-devel and systemd-rpm-macros define, which are for building there.
MACROS = {
    "python3_sitelib": SITE,
    "_unitdir": "/usr/lib/systemd/system",
    "systemd_post()": "%{nil}",
    "systemd_preun()": "%{nil}",
    "systemd_postun()": "%{nil}",
    "dist": "%{nil}",
    "_build_id_links": "none",
}
FILES = {
    "/usr/bin/kheadersfs",
    f"{SITE}/kheadersfs/py.typed",
    f"{SITE}/kheadersfs/bpf/bpf_target.h",
    "/usr/lib/systemd/system/kheadersfs.service",
    "/usr/lib/systemd/system/run-kheaders.automount",
    "/usr/lib/systemd/system/run-kheaders.mount",
    "/usr/share/bash-completion/completions/kheadersfs",
    "/usr/share/fish/vendor_completions.d/kheadersfs.fish",
    "/usr/share/zsh/site-functions/_kheadersfs",
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the sources, named and laid out as "python3 -m build --sdist" does."""
    directory = tmp_path_factory.mktemp("sources")
    name = f"kheadersfs-{__version__}"
    shutil.copytree(REPOSITORY, directory / name, ignore=NOT_SOURCES)
    return Path(shutil.make_archive(str(directory / name), "gztar", directory, name))


@pytest.fixture(scope="module")
def rpm(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("rpmbuild")
    top = tmp_path_factory.mktemp("rpm")
    defined = {"_topdir": str(top), "_sourcedir": str(sources.parent), **MACROS}
    macros = [word for name, text in defined.items() for word in ("--define", f"{name} {text}")]
    done = subprocess.run(
        ["rpmbuild", "-bb", "--nodeps", *macros, TOOLS / "rpm/kheadersfs.spec"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    [package] = top.glob("RPMS/noarch/*.rpm")
    return package


def output_of(*words: str | Path) -> str:
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def version_said_below(root: Path) -> str:
    """Return what the command that is installed below *root* says of its version."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{root}{SITE}"}
    words: list[str | Path] = [sys.executable, root / "usr/bin/kheadersfs", "--version"]
    return subprocess.run(
        words, check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout


def test_an_rpm_is_built_installed_and_removed(rpm: Path, tmp_path: Path, root: None) -> None:
    listed = set(output_of("rpm", "-qpl", rpm).splitlines())
    assert FILES | {"/usr/sbin/mount.fuse.kheadersfs"} <= listed
    place = tmp_path / "root"
    place.mkdir()
    output_of("rpm", "--root", place, "--initdb")
    # There is no shell in it for what packages run, and none of what this one needs.
    output_of("rpm", "--root", place, "--install", "--nodeps", "--noscripts", rpm)
    assert version_said_below(place) == f"kheadersfs {__version__}\n"
    output_of("rpm", "--root", place, "--erase", "--noscripts", "kheadersfs")
    assert [path for path in place.rglob("*kheadersfs*") if not path.is_dir()] == []


def test_rpms_checker_has_no_complaint(rpm: Path) -> None:
    require("rpmlint")
    words: list[str | Path] = ["rpmlint", "-r", TOOLS / "rpm/kheadersfs.rpmlintrc", rpm]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A directory of nobody's, whom makepkg works for; it does not for root."""
    with tempfile.TemporaryDirectory() as place:
        os.chown(place, NOBODY, NOBODY)
        yield Path(place)


def test_makepkg_builds_a_package(sources: Path, nobodys: Path, root: None) -> None:
    require("makepkg", "bsdtar", "fakeroot")
    shutil.copy(sources, nobodys)
    shutil.copy(TOOLS / "arch/PKGBUILD", nobodys)
    (nobodys / "bin").mkdir()
    (nobodys / "bin/python").symlink_to(shutil.which("python3", path="/usr/bin") or sys.executable)
    path = f"{nobodys}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        [*AS_NOBODY, "makepkg", "--nodeps"],
        check=False,
        cwd=nobodys,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        # What it needs is not asked for, so pacman need not be there.
        env={"PATH": path, "HOME": str(nobodys), "PKGEXT": ".pkg.tar.gz", "PACMAN": "true"},
    )
    assert done.returncode == 0, done.stderr
    [package] = nobodys.glob("*.pkg.tar.gz")
    listed = {f"/{name}" for name in output_of("bsdtar", "-tf", package).splitlines()}
    assert {name for name in FILES if SITE not in name} <= listed
    assert [name for name in listed if name.endswith("-packages/kheadersfs/py.typed")]
