"""A sample of tools/matrix: programs of many kinds, against a few kernels' mounted headers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kernel_matrix.archives import Cache
from kernel_matrix.compiling import PROGRAMS, compile_against
from kernel_matrix.inputs import SAMPLE, Input
from kernel_matrix.outcomes import Outcome
from kernel_matrix.packages import SUITES, Packages

from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from tests.conftest import Mounting

BESIDE = REPOSITORY.parent / "shared/reference"


def archive_of(kernel: Input) -> Path:
    """Return the archive beside the repository, else one made of the distribution's packages."""
    if kernel.arch == "x86":
        for archive in BESIDE.glob(f"kheaders-{kernel.series}.*-x86_64.tar.xz"):
            return archive
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "kheadersfs-tests/matrix"
    suites = [suite for suite in SUITES if suite.name.startswith("bookworm")]
    packages = Packages(directory / "apt", ("x86", "arm64"), suites)
    try:
        return Cache(directory, packages).archive(kernel)
    except (LookupError, OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no headers of {kernel.name}: {error}")


@pytest.mark.parametrize("kernel", SAMPLE, ids=[kernel.name for kernel in SAMPLE])
def test_every_program_compiles_against_a_mount(
    kernel: Input, mount: Mounting, tmp_path: Path
) -> None:
    if shutil.which("clang") is None:
        pytest.skip("not installed: clang")
    assert len(PROGRAMS) >= 12
    mounted = mount(archive_of(kernel))
    assert compile_against(mounted.path, "clang", tmp_path) == Outcome(len(PROGRAMS), {})
