"""What a server imports, for whose start the first program waits that opens a file."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kheadersfs.importing import stand_ins
from tests.support.imports import imported_by, imported_by_server

AROUND = {
    *("collections", "contextlib", "enum", "functools", "json", "logging", "pickle", "pkgutil"),
    *("queue", "re", "signal", "socket", "threading", "traceback", "trio", "typing"),
}
"""Modules that a server imports little of, or nothing; see bare and library."""


@pytest.mark.parametrize("kind", ["xz", "zstd"])
def test_a_server_imports_nothing_slow(kind: str) -> None:
    imported = imported_by_server(kind)
    assert {"pyfuse3", "kheadersfs.fuse.session"} <= imported
    assert AROUND & imported == set()


def test_what_zstd_needs_to_look_at_an_archive_is_not_slow_either() -> None:
    assert AROUND & imported_by("kheadersfs.archive.compression.zstd_blocks") == set()


def said(script: str) -> str:
    """Return what a Python *script* prints, in an interpreter that has imported little."""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_what_a_stand_in_does_not_have_comes_from_the_module() -> None:
    assert said(
        "from kheadersfs.importing import stand_ins\n"
        "with stand_ins({'colorsys': {'ONE_THIRD': 0}}):\n"
        "    import colorsys\n"
        "    from colorsys import ONE_THIRD, TWO_THIRD\n"
        "print(ONE_THIRD, TWO_THIRD, colorsys.ONE_SIXTH)\n"
        "import colorsys\n"
        "print(colorsys.ONE_THIRD)"
    ).split() == ["0", str(2 / 3), str(1 / 6), str(1 / 3)]


def test_a_module_that_is_imported_after_all_gets_no_stand_ins() -> None:
    """It would keep what it took from them."""
    assert said(
        "from kheadersfs.importing import stand_ins\n"
        "with stand_ins({'functools': {'wraps': None}, 'typing': {}}):\n"
        "    from typing import NamedTuple\n"
        "    import typing\n"
        "import functools\n"
        "print(functools is typing.functools, functools.wraps is not None)\n"
    ).split() == ["True", "True"]


def test_a_stand_in_for_a_missing_module_says_that_it_is_missing() -> None:
    with stand_ins({"absent_module": {"there": 1}}):
        from absent_module import there  # type: ignore[import-not-found]

        with pytest.raises(ImportError, match="absent_module"):
            from absent_module import missing  # noqa: F401
    assert there == 1
    assert "absent_module" not in sys.modules


def test_what_is_imported_already_is_used_and_stays() -> None:
    import stat

    with stand_ins({"stat": {"S_IFREG": 0}}):
        from stat import S_IFREG
    assert stat.S_IFREG == S_IFREG
    assert sys.modules["stat"] is stat


def test_pyfuse3_has_all_that_it_needs_though_it_was_imported_without() -> None:
    """Its own thread, for which it needs threading and queue, is not used here, but would run."""
    assert (
        said(
            "from kheadersfs.fuse.library import import_pyfuse3\n"
            "import_pyfuse3()\n"
            "import pyfuse3\n"
            "print(pyfuse3.threading.Thread.__name__, pyfuse3.typing.NamedTuple.__name__)\n"
        )
        == "Thread NamedTuple"
    )
