"""Names are the bytes of the archive, whatever the locale of who reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.attacks import forging as forge

if TYPE_CHECKING:
    from pathlib import Path

NAME = "h\N{LATIN SMALL LETTER A WITH DIAERESIS}nge.h".encode()
LATIN = "de_DE.ISO-8859-1"


@pytest.fixture(scope="module")
def latin_locale(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables that make a locale in which UTF-8 can be converted to something else."""
    if shutil.which("localedef") is None or not os.path.isdir("/usr/share/i18n/charmaps"):
        pytest.skip("not installed: locales")
    directory = tmp_path_factory.mktemp("locales")
    subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", directory / LATIN],
        check=True,
        capture_output=True,
    )
    return {"LOCPATH": str(directory), "LC_ALL": LATIN}


def test_names_are_the_same_in_any_locale(tmp_path: Path, latin_locale: dict[str, str]) -> None:
    archive = tmp_path / "archive.tar"
    members = (
        forge.tar_pax(forge.pax_record(b"path", NAME)) + forge.tar_file(b"x", b"content"),
        forge.tar_pax(forge.pax_record(b"linkpath", NAME))
        + forge.tar_header(b"hard", kind=forge.HARD_LINK, link=b"x"),
        forge.tar_pax(forge.pax_record(b"linkpath", NAME))
        + forge.tar_header(b"soft", kind=forge.SYMLINK, link=b"x"),
    )
    archive.write_bytes(b"".join(members) + forge.END)
    script = """
import kheadersfs, locale, stat, sys
print(locale.setlocale(locale.LC_CTYPE))
with kheadersfs.open_archive(sys.argv[1]) as archive:
    tree = archive.tree
    for name, inode in tree.walk():
        attributes = tree.attributes(inode)
        target = tree.target(inode) if stat.S_ISLNK(attributes.mode) else b""
        print(name, attributes.links, target)
print(locale.setlocale(locale.LC_CTYPE))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, archive],
        env={**os.environ, **latin_locale},
        check=True,
        capture_output=True,
        text=True,
    )
    names = [f"{b'hard'!r} 2 {b''!r}", f"{NAME!r} 2 {b''!r}", f"{b'soft'!r} 1 {NAME!r}"]
    assert done.stdout.splitlines() == [LATIN, *names, LATIN]
