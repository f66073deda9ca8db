"""Packages of distributions: what the Debian one has and does; all are of one version."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from kheadersfs._version import __version__
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = REPOSITORY / "tools"
FILES = {
    "./usr/bin/kheadersfs",
    "./usr/sbin/mount.fuse.kheadersfs",
    "./usr/lib/python3/dist-packages/kheadersfs/py.typed",
    "./usr/lib/python3/dist-packages/kheadersfs/bpf/bpf_target.h",
    "./usr/lib/systemd/system/kheadersfs.service",
    "./usr/lib/systemd/system/run-kheaders.automount",
    "./usr/lib/systemd/system/run-kheaders.mount",
    "./usr/share/bash-completion/completions/kheadersfs",
    "./usr/share/fish/vendor_completions.d/kheadersfs.fish",
    "./usr/share/man/man1/kheadersfs.1.gz",
    "./usr/share/man/man8/mount.fuse.kheadersfs.8.gz",
    "./usr/share/zsh/vendor-completions/_kheadersfs",
}

# The machine's own directories, as they are, with another layer for what is written.
INSTALLED = """
scratch=$1; shift
mount -t tmpfs none "$scratch"
for directory in usr etc var; do
    mkdir "$scratch/$directory" "$scratch/$directory.work"
    mount -t overlay -o "lowerdir=/$directory,upperdir=$scratch/$directory,\
workdir=$scratch/$directory.work" none "/$directory"
done
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -o Dpkg::Use-Pty=0 install --no-install-recommends "$1"
"$2" "$3" "$4"
dpkg --purge kheadersfs
left=$(find /usr /etc /var/cache /var/lib/dpkg -name '*kheadersfs*' -newer "$1")
[ -z "$left" ] || { echo "left: $left"; exit 1; }
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for program in ("dpkg-buildpackage", "dh", "dh_python3"):
        if shutil.which(program) is None:
            pytest.skip(f"not installed: {program}")
    directory = tmp_path_factory.mktemp("debian")
    done = subprocess.run(
        [TOOLS / "debian/build", directory], check=False, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, done.stderr
    [package] = directory.glob("*.deb")
    return package


def output_of(*words: str | Path) -> str:
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_files_are_where_the_system_looks(package: Path) -> None:
    listed = {line.split()[5] for line in output_of("dpkg", "--contents", package).splitlines()}
    assert set() == FILES - listed
    code = {name for name in listed if name.endswith(".py")}
    ours = (REPOSITORY / "kheadersfs").rglob("*.py")
    prefix = "./usr/lib/python3/dist-packages/"
    assert code == {f"{prefix}{path.relative_to(REPOSITORY)}" for path in ours}


def test_it_serves_all_architectures_and_says_whose_it_is(package: Path) -> None:
    fields = output_of("dpkg", "--field", package)
    assert "Architecture: all\n" in fields
    assert "@" not in re.sub("Maintainer: .*", "", fields)


def test_debians_checker_has_no_complaint(package: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("not installed: lintian")
    # A package that Debian has not been asked to take closes no request to take it.
    words = ["--suppress-tags", "initial-upload-closes-no-bugs", "--fail-on", "error,warning"]
    done = subprocess.run(
        ["lintian", "--allow-root", *words, package],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_installed_does_its_job_and_leaves_nothing(
    package: Path, reference_archive: Path, tmp_path: Path, root: None, fuse: None
) -> None:
    words = [tmp_path, package, TOOLS / "debian/main-job", reference_archive]
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-ec",
            INSTALLED,
            "sh",
            *words,
            TOOLS / "sample/headers.bpf.c",
        ],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "# done; nothing is mounted" in done.stdout


def test_all_packages_are_of_this_version() -> None:
    changelog = (TOOLS / "debian/changelog").read_text()
    assert changelog.startswith(f"kheadersfs ({__version__}-1) ")
    spec = (TOOLS / "rpm/kheadersfs.spec").read_text()
    assert re.findall(r"^Version: +(.*)$", spec, re.MULTILINE) == [__version__]
    build = (TOOLS / "arch/PKGBUILD").read_text()
    assert f"\npkgver={__version__}\n" in build
    subprocess.run(["bash", "-n", TOOLS / "arch/PKGBUILD"], check=True)
