"""The example of tools/github: its step makes an object for every kernel of an archive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.support.mounting import command_line

pytestmark = pytest.mark.usefixtures("fuse")

WORKFLOW = REPOSITORY / "tools/github/every-kernel.yaml"
KERNELS = ("5.10", "5.15", "6.1", "6.6", "6.12")
BPF = 247
"""EM_BPF, the machine of an ELF file."""


def step(name: str) -> str:
    """Return what the step called *name* runs."""
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["build"]["steps"]
    [script] = [step["run"] for step in steps if step.get("name") == name]
    assert isinstance(script, str)
    return script


@pytest.fixture
def fleet(reference_archive: Path, tmp_path: Path) -> Path:
    """An archive in which one kernel's headers are there under five names."""
    fleet = tmp_path / "kernels.tar.zst"
    inputs = [f"{name}={reference_archive}" for name in KERNELS]
    subprocess.run(command_line("merge", *inputs, "-o", fleet), check=True)
    return fleet


def test_the_step_makes_an_object_and_a_report_for_every_kernel(
    fleet: Path, tmp_path: Path
) -> None:
    if shutil.which("clang") is None:
        pytest.skip("not installed: clang")
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tools/sample/headers.bpf.c", project / "src/program.bpf.c")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FLEET": str(fleet),
        "PROGRAM": "src/program.bpf.c",
    }
    done = subprocess.run(
        ["bash", "-e", "-c", step("Build for every kernel")],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in KERNELS:
        built = (project / "objects" / name / "program.bpf.o").read_bytes()
        assert int.from_bytes(built[18:20], "little") == BPF
    cases = ElementTree.parse(project / "kernels.xml").getroot().iter("testcase")
    assert sorted(case.attrib["name"] for case in cases) == sorted(KERNELS)
