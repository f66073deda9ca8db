"""What commands import while they work, and not just to begin with, is what they are allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.conftest import REPOSITORY
from tests.support.documents import fast_modules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.mounting import Mount

FUSERMOUNT = "kheadersfs/mount/fusermount.py"
SCRIPT = """\
import os, sys
from kheadersfs.cli import main
status = main(sys.argv[2:])
with open(sys.argv[1], "w") as report:
    for module in [*sys.modules.values()]:
        if module.__name__.split(".")[0] == "kheadersfs":
            print(os.path.relpath(module.__file__), file=report)
os._exit(status)
"""


def test_commands_that_work_import_what_the_document_lists(
    prepared_mount: Callable[[Path], Mount], small_archive: Path, tmp_path: Path
) -> None:
    mount = prepared_mount(small_archive)

    def imported_by(*words: str | Path) -> set[str]:
        # A mount's server has its standard streams elsewhere, and does not come back from main().
        report = tmp_path / "report"
        subprocess.run(
            [sys.executable, "-c", SCRIPT, report, *words],
            check=True,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        return set(report.read_text().split())

    found = {
        "mount": imported_by("mount", small_archive, mount.path),
        "status": imported_by("status", mount.path),
        "umount": imported_by("umount", mount.path),
        "run": imported_by("run", "--archive", small_archive, "true"),
    }
    allowed = fast_modules()
    del allowed["server"]  # it tells nobody; tests/unit/test_imports.py looks at what it imports
    if os.geteuid() != 0:
        for command in ("mount", "umount"):
            allowed[command].add(FUSERMOUNT)
        found["run"].discard(FUSERMOUNT)  # where an ordinary user may make no namespace
    assert found == allowed
