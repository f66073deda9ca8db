"""What tools/docs says, for tests that compare it with the code."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = REPOSITORY / "tools/docs"
FAST = ("mount", "umount", "run", "status", "server")
"""The commands on the fast path, and a mount's server, as the columns of the tables in startup.md
have them."""


def section(document: str, heading: str) -> str:
    """Return what is below *heading*, with two #, in the *document* of that name."""
    text = (DOCUMENTS / document).read_text()
    found = text.partition(f"\n## {heading}\n")[2]
    assert found, f"{document} has no {heading}"
    return found.partition("\n## ")[0]


def fast_path(heading: str) -> dict[str, set[str]]:
    """Return the modules that each command has a cross for, in the table below *heading*."""
    text = section("startup.md", heading)
    assert f"| module | {' | '.join(FAST)} |" in text
    rows = re.findall(r"^\| `(\S+)` \|" + r"( x)? \|" * len(FAST) + "$", text, re.MULTILINE)
    assert len(rows) == text.count("\n| `")
    return {
        command: {name for name, *crosses in rows if crosses[column]}
        for column, command in enumerate(FAST)
    }


def fast_modules() -> dict[str, set[str]]:
    """Return the files of ours that each command on the fast path imports."""
    return fast_path("Modules of ours")
