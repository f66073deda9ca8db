"""Who may import whom: each room only those above it in its flow, outside packages in one place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.support.documents import FAST, fast_modules, fast_path, section
from tests.support.imports import imported_with

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = REPOSITORY / "kheadersfs"

BASE = {"errors", "forking", "records", "importing", "bare", "interrupts", "_version", "limits"}
BASE.update(("locking", "digests"))
READING = {*BASE, "archive", "tree", "store"}
SEEING = {*BASE, "kernel", "mount", "bpf"}
SERVING = {*READING, *SEEING, "sandbox", "fuse"}
MAY_IMPORT: dict[str, set[str]] = {
    # The flow of reading, from bytes to names and content.
    "errors": set(),
    "_version": set(),
    "records": set(),
    "importing": set(),
    "bare": {"importing"},
    "digests": set(),
    "interrupts": set(),
    "locking": set(),
    "forking": {"errors"},
    "limits": {"errors", "records"},
    # A process of its own, which knows nothing of archives.
    "sandbox": BASE,
    "remote": {*BASE, "kernel", "sandbox"},
    "archive": {*BASE, "remote"},
    "tree": {*BASE, "archive"},
    "store": {*BASE, "archive"},
    "trust": {*BASE, "archive"},
    "reader": {*READING, "kernel"},
    "verification": {*READING, "reader"},
    # The flow of serving, from what is found on a machine to a command that sees headers.
    "kernel": BASE,
    "mount": BASE,
    "bpf": {*BASE, "kernel", "mount"},
    "fuse": SERVING,
    "run": SERVING,
    # The flow of packing, from a kernel tree, or for repack another archive, to an archive.
    "pack": {*READING, "kernel", "reader"},
    "packages": {*READING, "kernel", "reader", "pack"},
    # All end here.
    "cli": {*SERVING, "run", "reader", "verification", "pack", "packages", "trust", "remote"},
    "api": {*BASE, "reader"},
    "__init__": {*BASE, "api"},
    "__main__": {"cli", "interrupts"},
}
OUTSIDE: dict[str, str | tuple[str, ...]] = {
    "pyfuse3": "fuse",
    "trio": ("run/each.py", "remote/"),
    "httpcore": "remote/",
    "obstore": "remote/s3.py",
    "libarchive": "archive/library.py",
    "backports": "archive/compression/zstd_coding.py",
    "rich": "cli/watch.py",
    "compression": "archive/compression/zstd_coding.py",
}
"""The one place below the package that may import what is not in the standard library."""

SLOW_TO_IMPORT = (
    "dataclasses",
    "pathlib",
    "logging",
    "subprocess",
    "inspect",
    "libarchive",
)
SLOW_FOR_PEOPLE = ("argparse", "difflib", "json", "kheadersfs.cli.arguments", "shlex")
"""What only options and mistakes need."""


def modules() -> Iterator[Path]:
    yield from sorted(PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(module: Path) -> Iterator[str]:
    """Yield the dotted names that *module* imports, anywhere in it."""
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", sorted({room_of(module) for module in modules()}))
def test_a_room_imports_only_rooms_above_it(room: str) -> None:
    found = {
        (str(module.relative_to(PACKAGE)), name)
        for module in modules()
        if room_of(module) == room
        for name in imports_of(module)
        if name.startswith("kheadersfs.")
    }
    allowed = {room, *MAY_IMPORT[room]}
    assert {(module, name) for module, name in found if name.split(".")[1] not in allowed} == set()


def test_every_room_is_known() -> None:
    assert {room_of(module) for module in modules()} - MAY_IMPORT.keys() == set()


def test_what_is_not_in_the_standard_library_has_one_importer() -> None:
    strangers = {
        (str(module.relative_to(PACKAGE)), name)
        for module in modules()
        for name in (imported.split(".")[0] for imported in imports_of(module))
        if name not in sys.stdlib_module_names and name not in ("kheadersfs", "_typeshed")
    }
    assert {
        (module, name)
        for module, name in strangers
        if not module.startswith(OUTSIDE.get(name, "?"))
    } == set()


def test_the_document_says_who_may_import_whom() -> None:
    text = section("architecture.md", "Who may import whom")
    groups: dict[str, set[str]] = {}

    def rooms(words: str) -> set[str]:
        named = set(re.findall(r"`(\w+)`", words))
        return named.union(*(groups[group] for group in re.findall(r"\*(\w+)\*", words)))

    for group, words in re.findall(r"^- \*(\w+)\* is (.+)\.$", text, re.MULTILINE):
        groups[group] = rooms(words)
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE)
    assert {room: rooms(words) for room, words in rows} == MAY_IMPORT


def test_no_module_needs_itself_in_any_way() -> None:
    """Imports inside functions and those of types count like any other."""
    graph = {name_of(module): set(modules_imported_by(module)) for module in modules()}
    done: set[str] = set()
    while ready := {name for name, needs in graph.items() if needs & graph.keys() <= done} - done:
        done |= ready
    assert graph.keys() - done == set()


def name_of(module: Path) -> str:
    return ".".join(module.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def modules_imported_by(module: Path) -> Iterator[str]:
    """Yield the modules of ours that *module* imports, wherever in it."""
    for name in imports_of(module):
        path = REPOSITORY / name.replace(".", "/")
        is_module = path.with_suffix(".py").exists() or path.is_dir()
        found = name if is_module else name.rpartition(".")[0]
        if found != name_of(module):
            yield found


def imports_at_the_top(block: ast.Module | ast.ClassDef | ast.If | ast.Try) -> Iterator[str]:
    """Yield what is imported when a module is, but not for its types."""
    for node in block.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
        elif isinstance(node, ast.If):
            is_for_types = ast.unparse(node.test) == "TYPE_CHECKING"
            yield from () if is_for_types else imports_at_the_top(node)
            yield from imports_at_the_top(ast.Module(node.orelse, []))
        elif isinstance(node, ast.ClassDef | ast.Try):
            yield from imports_at_the_top(node)


@pytest.mark.parametrize("command", FAST)
def test_the_fast_path_is_what_the_document_lists(command: str) -> None:
    imported = {name for name in imported_with(command) if name.split(".")[0] == "kheadersfs"}
    named = {
        str(module.relative_to(REPOSITORY)) for module in modules() if name_of(module) in imported
    }
    assert named == fast_modules()[command]


@pytest.mark.parametrize("command", FAST)
def test_the_fast_path_imports_of_python_what_the_document_lists(command: str) -> None:
    found = {
        name
        for module in fast_modules()[command]
        for name in imports_at_the_top(ast.parse((REPOSITORY / module).read_bytes()))
        if name.split(".")[0] not in ("kheadersfs", "__future__")
    }
    assert found == fast_path("Modules of Python that these import")[command]


@pytest.mark.parametrize("command", FAST)
def test_what_costs_time_is_not_imported_to_start_with(command: str) -> None:
    imported = imported_with(command)
    assert {*SLOW_TO_IMPORT, *SLOW_FOR_PEOPLE, "trio"} & imported == set()
    assert ("pyfuse3" in imported) == (command == "server")
    if command in ("mount", "umount"):
        assert "enum" not in imported


BEGINNINGS = {
    "umount /": "kheadersfs.mount.mounting",
    "status /": "kheadersfs.mount.servers",
    "mount absent /mnt": "kheadersfs.mount.mounting",
}


@pytest.mark.parametrize(("words", "last"), BEGINNINGS.items())
def test_the_installed_command_imports_nothing_slow_before_it_begins(words: str, last: str) -> None:
    command = Path(sysconfig.get_path("scripts"), "kheadersfs")
    done = subprocess.run(
        [command, *words.split()],
        check=False,
        env={"PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert last in imported
    assert {*SLOW_TO_IMPORT, *SLOW_FOR_PEOPLE, "enum", "re", "typing"} & imported == set()


BLOCK = "import sys\nfor name in sys.argv[1].split(','):\n    sys.modules[name] = None\n"


def run_blocked(names: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run *script* where importing any of *names* fails."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK + script, names, *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
    )


@pytest.mark.parametrize("command", ["ls", "cat", "info", "verify"])
def test_commands_that_only_read_work_without_pyfuse3(command: str, small_archive: Path) -> None:
    script = "from kheadersfs.cli import main\nsys.exit(main(sys.argv[2:]))"
    arguments = [command, str(small_archive), *(["modes/644"] if command == "cat" else [])]
    done = run_blocked("pyfuse3,trio", script, *arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_pyfuse3_mounting_says_what_to_install(small_archive: Path, tmp_path: Path) -> None:
    script = (
        "import importlib.machinery\n"
        "find = importlib.machinery.PathFinder.find_spec\n"
        "importlib.machinery.PathFinder.find_spec = classmethod(\n"
        "    lambda cls, name, *rest: None if name == 'pyfuse3' else find(name, *rest)\n"
        ")\n"
        "from kheadersfs.cli import main\nsys.exit(main(sys.argv[2:]))"
    )
    for command in (("mount",), ("run", "--archive")):
        done = run_blocked("none", script, *command, str(small_archive), str(tmp_path))
        assert done.returncode == 15
        assert "pip install pyfuse3" in done.stderr


@pytest.mark.parametrize(
    "module",
    [
        name_of(module)
        for module in modules()
        if room_of(module) in ("archive", "pack", "packages", "tree")
    ],
)
def test_reading_and_packing_import_nothing_of_fuse(module: str) -> None:
    done = run_blocked("pyfuse3,trio,libarchive", f"import {module}")
    assert (done.returncode, done.stderr) == (0, "")
