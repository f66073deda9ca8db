"""How large files may be: what does not fit is more than one thing."""

from __future__ import annotations

from tests.conftest import REPOSITORY

MOST_LINES = 300


def test_no_file_has_more_than_three_hundred_lines() -> None:
    files = [
        path
        for place in ("kheadersfs", "tests", "tools")
        for path in (REPOSITORY / place).rglob("*.py")
    ]
    assert files
    sizes = {str(path): path.read_bytes().count(b"\n") for path in files}
    assert {path: size for path, size in sizes.items() if size > MOST_LINES} == {}
