"""The units in tools/systemd are what systemd understands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "tools/systemd").iterdir())

# In a mount namespace of its own the command is where a system-wide installation has it.
VERIFY = """
mount -t tmpfs none /usr/local/bin
printf '#!/bin/sh\\n' >/usr/local/bin/kheadersfs
chmod +x /usr/local/bin/kheadersfs
exec systemd-analyze --man=no verify "$@"
"""


def verify(*units: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--mount", "--propagation=slave", "sh", "-ec", VERIFY, "sh", *map(str, units)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@pytest.fixture(autouse=True)
def systemd(root: None) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("not installed: systemd")


def test_all_kinds_of_units_are_there() -> None:
    assert {unit.suffix for unit in UNITS} == {".mount", ".automount", ".service"}


def test_systemd_has_no_complaint() -> None:
    verified = verify(*UNITS)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_a_wrong_unit_would_be_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "run-kheaders.mount"
    wrong.write_text("[Mount]\nWhat=/dev/null\nWhere=/run/elsewhere\n")
    assert verify(wrong).returncode != 0
