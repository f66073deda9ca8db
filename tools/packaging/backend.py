"""How pip builds kheadersfs: as setuptools does, after what a package has beside its code was made.

Manual pages and completions are made from the commands themselves, and land in ``share/`` of the
environment. README.md gets links that hold on a package index. Both are written to ``build/``
before a build, where pyproject.toml has them taken from. The hooks are those of PEP 517 and 660.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from references import write_references
from setuptools import build_meta
from setuptools.build_meta import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

BUILD = Path("build")
SOURCES = "graft tools\ngraft tests\ninclude CHANGELOG.md\nglobal-exclude *.py[cod]\n"
"""What a source distribution has besides the package: enough to build and test it."""
RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)]*)\)")

Settings = dict[str, str] | None


def write_readme() -> None:
    """Write README.md into BUILD, with the address of the sources before each relative link."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = project["urls"]["Source"]

    def absolute(link: re.Match[str]) -> str:
        image, text, path = link.groups()
        return f"{image}[{text}]({source}/{'raw' if image else 'blob'}/main/{path})"

    BUILD.mkdir(exist_ok=True)
    text = RELATIVE_LINK.sub(absolute, Path("README.md").read_text(encoding="utf-8"))
    (BUILD / "README.md").write_text(text, encoding="utf-8")


@contextlib.contextmanager
def manifest() -> Iterator[None]:
    """Have the file that setuptools asks what belongs to the sources, for as long as it does."""
    path = Path("MANIFEST.in")
    path.write_text(SOURCES, encoding="utf-8")
    try:
        yield
    finally:
        path.unlink()


def prepare_metadata_for_build_wheel(directory: str, settings: Settings = None) -> str:
    """Write the metadata of a wheel into *directory*; return what it is called there."""
    write_readme()
    name: str = build_meta.prepare_metadata_for_build_wheel(directory, settings)
    return name


def prepare_metadata_for_build_editable(directory: str, settings: Settings = None) -> str:
    """Do so for an installation that finds the code where it lies."""
    write_readme()
    name: str = build_meta.prepare_metadata_for_build_editable(directory, settings)
    return name


def build_wheel(directory: str, settings: Settings = None, metadata: str | None = None) -> str:
    """Build a wheel in *directory*; return its name."""
    write_readme()
    write_references(BUILD / "share")
    name: str = build_meta.build_wheel(directory, settings, metadata)
    return name


def build_editable(directory: str, settings: Settings = None, metadata: str | None = None) -> str:
    """Build what installs the code where it lies."""
    write_readme()
    write_references(BUILD / "share")
    name: str = build_meta.build_editable(directory, settings, metadata)
    return name


def build_sdist(directory: str, settings: Settings = None) -> str:
    """Build a source distribution in *directory*; return its name."""
    write_readme()
    with manifest():
        name: str = build_meta.build_sdist(directory, settings)
    return name
