"""Packing, as tests call it."""

from __future__ import annotations

from pathlib import Path

from tests.support.mounting import Outcome, run_command

BEFORE = b"what was there"
"""What a file has in it that is to be replaced."""


def run_pack(tree: Path, archive: Path, *options: str | Path, **environment: str) -> Outcome:
    return run_command("pack", "--srctree", tree, "-o", archive, *options, **environment)


def ignore(_done: int, _total: int) -> None:
    pass
