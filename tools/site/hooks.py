"""What mkdocs asks while it makes the site: README for the first page, and links out of it.

A document links to what lies beside it, and to files of the sources. On the site the latter are
where the sources are, which pyproject.toml says. A link to what is not there stops the build.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import Abort
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README, and the picture in it."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=readme))
    picture = REPOSITORY / "tools/bench/builds.svg"
    files.append(File.generated(config, picture.name, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return *markdown* with its links as the site has them. Raises Abort."""
    documents = Path(config.docs_dir)
    directory = REPOSITORY if page.file.src_path == "index.md" else documents
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def resolved(link: re.Match[str]) -> str:
        target, anchor = Path(os.path.normpath(directory / link[1])), link[2] or ""
        if not target.exists():
            raise Abort(f"{page.file.src_path}: {link[1]}: no such file")
        name = "index.md" if target == REPOSITORY / "README.md" else target.name
        if files.get_file_from_path(name) and (target.parent == documents or name != target.name):
            return f"]({name}{anchor})"
        if target.name == "builds.svg":
            return f"]({target.name})"
        path = target.relative_to(REPOSITORY)
        return f"]({project['urls']['Source']}/blob/main/{path}{anchor})"

    return LINK.sub(resolved, markdown)
