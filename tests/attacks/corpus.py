"""The hostile corpus: archives that mean harm, and what must come of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.attacks import files, headers, names

if TYPE_CHECKING:
    from tests.attacks.case import Case


def cases() -> list[Case]:
    """Return all of the corpus but what tests/attacks/lies.py does to embedded indexes."""
    return [*names.cases(), *headers.cases(), *files.cases()]
