"""The documents as a site: all of them, and no link that leads nowhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

DOCUMENTS = sorted(path.stem for path in (REPOSITORY / "tools/docs").glob("*.md"))


def build(repository: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Make the site of the documents in *repository*."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [repository / "tools/site/build", site],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The repository, with documents that may be changed."""
    repository = tmp_path / "repository"
    (repository / "tools").mkdir(parents=True)
    for directory, own in ((REPOSITORY, {"tools"}), (REPOSITORY / "tools", {"docs", "site"})):
        for path in directory.iterdir():
            place = repository / path.relative_to(REPOSITORY)
            if path.name not in own:
                place.symlink_to(path)
            elif own != {"tools"}:
                shutil.copytree(path, place)
    return repository


def test_the_site_has_a_page_for_every_document_and_links_only_to_what_is_there(
    tmp_path: Path,
) -> None:
    made = build(REPOSITORY, tmp_path / "site")
    assert made.returncode == 0, made.stdout + made.stderr
    pages = {path.stem for path in (tmp_path / "site").glob("*.html")}
    assert pages == {*DOCUMENTS, "index", "404"}
    front = (tmp_path / "site/index.html").read_text()
    assert 'href="limits.html"' in front
    assert 'src="builds.svg"' in front
    assert (tmp_path / "site/builds.svg").stat().st_size > 0


@pytest.mark.parametrize(
    "link", ["absent.md", "limits.md#no-such-heading", "../../kheadersfs/absent.py"]
)
def test_a_link_that_leads_nowhere_stops_it(copied: Path, tmp_path: Path, link: str) -> None:
    with (copied / "tools/docs/costs.md").open("a") as document:
        document.write(f"\n[Nowhere]({link})\n")
    made = build(copied, tmp_path / "site")
    assert made.returncode != 0
    assert link.rpartition("#")[0] or link in made.stdout + made.stderr


def test_a_document_that_no_menu_has_stops_it(copied: Path, tmp_path: Path) -> None:
    (copied / "tools/docs/new.md").write_text("# New\n")
    made = build(copied, tmp_path / "site")
    assert made.returncode != 0
    assert "new.md" in made.stdout + made.stderr
