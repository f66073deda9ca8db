"""Garbage is not collected while modules are imported, and is again when a command works."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """\
import gc, sys
runs = []
gc.callbacks.append(lambda phase, _info: runs.append(phase))
from kheadersfs import cli
del runs[:]
{call}
print(len(runs), gc.isenabled(), gc.get_freeze_count() > 1000)
"""


def outcome_of(call: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(call=call)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("command", ["mount", "umount", "run", "status"])
def test_nothing_is_collected_while_a_command_is_imported(command: str) -> None:
    assert outcome_of(f"cli.load({command!r})") == "0 True True"


def test_collecting_is_on_again_when_a_command_cannot_be_imported() -> None:
    call = (
        "sys.modules['kheadersfs.cli.mount'] = None\n"
        "try: cli.load('mount')\n"
        "except ImportError: pass"
    )
    assert outcome_of(call).split()[1] == "True"
