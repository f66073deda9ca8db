"""The hostile corpus: archives that mean harm, and what must come of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile import hostile_files, hostile_headers, hostile_names

if TYPE_CHECKING:
    from tests.hostile.case import Case


def cases() -> list[Case]:
    """Return all of the corpus but what tests/hostile/lies.py does to embedded indexes."""
    return [*hostile_names.cases(), *hostile_headers.cases(), *hostile_files.cases()]
