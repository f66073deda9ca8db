"""What the tests of the restrictions need of the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="session")
def kernel_restricts() -> None:
    """Skip where the kernel has not all that is tested here."""
    script = "from kheadersfs.sandbox.restrictions import restrict; print(*restrict(0).missing)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=REPOSITORY, capture_output=True, text=True
    )
    if done.stdout.strip():
        pytest.skip(f"kernel: {done.stdout.strip()}")
