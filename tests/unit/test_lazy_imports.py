"""Where modules import: at their top, unless starting would take longer, and then they say so."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.conftest import REPOSITORY
from tests.support.documents import fast_modules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHERE_NEEDED = {
    "archive/compression/zstd_coding.py": "one of three modules for zstd is there",
    "archive/compression/streams.py": "a Python may be built without bz2",
    "archive/library.py": "libarchive need not be installed",
    "cli/defaults.py": "only the first mount of a kernel tree packs it",
    "cli/directories.py": "makefiles ask for flags again and again, mostly not of an address",
    "cli/kernels.py": "for its effect, in a process that can import nothing later",
    "cli/opening.py": "what reads archives need not wait for what reads packages",
    "cli/progress.py": "in a pipe there is none to show",
    "fuse/decoder.py": "it is started before what it needs is imported, beside its server",
    "pack/kbuild.py": "kernel builds call it again and again, mostly in vain",
    "remote/asking.py": "only the process that fetches has the libraries for it",
    "remote/helper.py": "the cache answers while the libraries for fetching are loaded",
    "remote/origins.py": "obstore need not be installed",
    "sandbox/confined.py": "in a child that fails, and can import nothing later",
}
"""The modules outside the fast path that may import inside functions, and why."""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((REPOSITORY / "kheadersfs").rglob("*.py")):
        yield str(path.relative_to(REPOSITORY / "kheadersfs")), path


def imports_inside_functions(path: Path) -> Iterator[int]:
    """Yield the lines, counted from 1, on which a function of the module at *path* imports."""
    for function in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (
                node.lineno
                for node in ast.walk(function)
                if isinstance(node, ast.Import | ast.ImportFrom)
            )


def test_modules_outside_the_fast_path_import_at_their_top() -> None:
    fast = set().union(*fast_modules().values())
    lazy = {
        name
        for name, path in modules()
        if f"kheadersfs/{name}" not in fast and any(imports_inside_functions(path))
    }
    assert lazy == WHERE_NEEDED.keys()


def is_record(definition: ast.ClassDef) -> bool:
    """Tell whether a class does nothing but keep, under their names, the values it is made of."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    methods = [node for node in definition.body if isinstance(node, functions)]
    inits = [method for method in methods if method.name == "__init__"]
    others = {method.name for method in methods} - {"__init__", "__eq__", "__hash__", "__repr__"}
    properties = {
        method.name
        for method in methods
        if any(ast.unparse(mark) == "property" for mark in method.decorator_list)
    }
    statements = [
        statement
        for init in inits
        for statement in init.body
        if not isinstance(statement, ast.Expr)
    ]
    return (
        bool(inits)
        and not definition.bases
        and not others - properties
        and all(map(is_plain_assignment, statements))
    )


def is_plain_assignment(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(
        statement.value, ast.Name
    )


def test_what_only_keeps_values_is_no_class_written_by_hand() -> None:
    """NamedTuple, a frozen dataclass or, on the fast path, Record says the same in fewer words."""
    assert [
        (name, node.name)
        for name, path in modules()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef) and is_record(node)
    ] == []
