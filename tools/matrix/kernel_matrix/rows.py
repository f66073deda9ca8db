"""Everything that is tried with one archive, and what is remembered of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kernel_matrix.compiling import compile_against, kheadersfs, target_of
from kernel_matrix.loading import load_all
from kernel_matrix.outcomes import Cell, Outcome, Row
from kheadersfs.kernel.architectures import arch_of_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel_matrix.clients import Client

_TOOL = Path(__file__).parents[1]
_FLAGS = _TOOL.parents[1] / "kheadersfs/bpf"


def try_archive(archive: Path, compilers: tuple[str, ...], clients: list[Client]) -> Row:
    """Try *compilers*, and *clients* if they can, on *archive*, mounted and extracted.

    Raises subprocess.SubprocessError and OSError.
    """
    info = json.loads(kheadersfs("info", "--json", archive))
    here = info["arch"] == arch_of_machine(os.uname().machine)
    with tempfile.TemporaryDirectory(prefix="kheadersfs-matrix-") as scratch:
        tree = Path(scratch, "tree")
        tree.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", tree], check=True)
        cells, loaded = {}, {}
        with _mounted(archive, Path(scratch, "mount")) as mount:
            for compiler in compilers:
                objects = Path(scratch, compiler)
                objects.mkdir()
                extracted = compile_against(tree, compiler, objects)
                cells[compiler] = Cell(compile_against(mount, compiler, objects), extracted)
                if here:
                    loaded[compiler] = load_all(objects)
            for client in clients if here else ():
                cells[client.name] = Cell(client.try_on(mount), client.try_on(tree))
        return Row(info["release"], target_of(tree), cells, loaded)


class Memory:
    """Rows of earlier runs in *directory*, so that a run that was stopped goes on where it was.

    A row is remembered for the archive, the programs, our flags and the *tools*, by their names.
    """

    def __init__(self, directory: Path, tools: tuple[str, ...]) -> None:
        self._directory = directory
        self._tools = repr(tools).encode()

    def recall(self, archive: Path) -> Row | None:
        """Return the row of *archive*, if there is one."""
        try:
            release, target, cells, loaded = json.loads(self._path(archive).read_text())
        except FileNotFoundError:
            return None
        return Row(
            release,
            target,
            {name: Cell(*(Outcome(*outcome) for outcome in cell)) for name, cell in cells.items()},
            {name: Outcome(*outcome) for name, outcome in loaded.items()},
        )

    def keep(self, archive: Path, row: Row) -> None:
        """Remember the *row* of *archive*."""
        path = self._path(archive)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row))

    def _path(self, archive: Path) -> Path:
        digest = hashlib.sha256(self._tools)
        programs = sorted(path for path in _TOOL.rglob("*") if path.suffix in (".c", ".h", ".bt"))
        for path in (archive, *programs, *sorted(_FLAGS.glob("*.h"))):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return self._directory / f"{digest.hexdigest()}.json"


@contextmanager
def _mounted(archive: Path, place: Path) -> Iterator[Path]:
    place.mkdir()
    kheadersfs("mount", archive, place)
    try:
        yield place
    finally:
        # It also fails when only a namespace that some program has made meanwhile has the mount.
        command = [sys.executable, "-m", "kheadersfs", "umount", str(place)]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        if place.is_mount():
            raise OSError(f"{place}: cannot be unmounted")
