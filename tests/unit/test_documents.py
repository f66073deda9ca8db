"""The documents name files, links, limits and system calls that are there, and no others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kheadersfs.limits import DEFAULT_LIMITS
from kheadersfs.sandbox import seccomp
from tests.attacks.attempts import ATTEMPTS
from tests.conftest import REPOSITORY
from tests.support.documents import section

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = sorted(
    [
        *REPOSITORY.glob("tools/docs/*.md"),
        *REPOSITORY.glob(".github/*.md"),
        REPOSITORY / "README.md",
    ]
)
TOP = ("kheadersfs/", "tests/", "tools/", ".github/", ".ci/")
TRUST = (REPOSITORY / "tools/docs/trust.md").read_text()

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(REPOSITORY)) for path in DOCUMENTS]
)


def without_listings(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def files_named_in(text: str) -> set[str]:
    """Return the paths from the repository's top that *text* has between backquotes."""
    words = {quoted.split()[0] for quoted in re.findall(r"`([^`\n]+)`", text) if quoted.strip()}
    return {word.rstrip("/") for word in words if word.startswith(TOP)}


@each_document
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    named = files_named_in(document.read_text())
    assert {name for name in named if not (REPOSITORY / name).exists()} == set()


def test_files_that_documents_name_are_found() -> None:
    """Otherwise it could not be told whether they are there."""
    assert "kheadersfs/archive/source.py" in files_named_in("in `kheadersfs/archive/source.py` and")
    assert sum(len(files_named_in(document.read_text())) for document in DOCUMENTS) > 100


def headings_of(document: Path) -> set[str]:
    """Return the headings of *document* as links call them."""
    titles = re.findall(r"^#+ (.+)$", without_listings(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@each_document
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", without_listings(document.read_text()))
    for link in links:
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not heading or heading in headings_of(target), link


def test_trust_lists_every_limit_with_its_default() -> None:
    table = section("trust.md", "Limits")
    rows = re.findall(r"^\| (\w+) \| ([\d,]+) \|", table, re.MULTILINE)
    assert {name: int(number.replace(",", "")) for name, number in rows} == (
        DEFAULT_LIMITS._asdict()
    )


def test_trust_lists_every_system_call_that_is_left() -> None:
    calls = TRUST.partition("<!-- calls with any arguments -->")[2].partition("<!-- end -->")
    assert sorted(re.findall(r"`(\w+)`", calls[0])) == sorted(seccomp._CALLS)
    table = calls[2].partition("\n## ")[0]
    conditional = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(conditional) == sorted(seccomp.CONDITIONAL_CALLS)


def test_trust_counts_the_ways_out_that_are_tried() -> None:
    assert f"| {len(ATTEMPTS)}, none succeeds |" in TRUST


def test_architecture_names_one_file_for_what_may_have_to_be_changed() -> None:
    text = section("architecture.md", "What to change for what")
    rows = re.findall(r"^\| [^-|]+ \| `(kheadersfs/[\w/]+\.py)` \| .+ \|$", text, re.MULTILINE)
    assert len(rows) == text.count("\n| ") - 1 == 8
