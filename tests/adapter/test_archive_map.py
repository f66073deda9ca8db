"""The picture of an archive shows each header where it is, and what a build has read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from kheadersfs.cli.archive_map import ROW_BYTES
from tests.attacks.forging import END, tar_file
from tests.support.mounting import one_line, run_command

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
SIZES = {"a.h": 1000, 'odd "<&>\n.h': ROW_BYTES, "include/b.h": 3 * ROW_BYTES, "empty.h": 0}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("map")
    plain = directory / "plain.tar"
    members = (tar_file(name.encode(), b"x" * size) for name, size in SIZES.items())
    plain.write_bytes(b"".join(members) + END)
    archive = directory / "packed.tar.zst"
    assert run_command("repack", plain, archive).status == 0
    return archive


def draw(archive: Path, *options: str | Path) -> ET.Element:
    picture = archive.with_name("map.svg")
    drawn = run_command("info", "--map", picture, *options, archive)
    assert (drawn.status, drawn.errors) == (0, "")
    return ET.fromstring(picture.read_bytes())


def headers_of(picture: ET.Element) -> dict[str, list[ET.Element]]:
    """Return the bands of each header by what one sees who points at it."""
    return {group[0].text or "": group[1:] for group in picture.findall(f"{SVG}g")}


def test_equal_numbers_of_bytes_have_equal_areas(packed: Path) -> None:
    headers = headers_of(draw(packed))
    assert len(headers) == len([size for size in SIZES.values() if size])
    full = None
    for name, bands in headers.items():
        found = re.search(r", (\d+) bytes$", name)
        assert found is not None
        width = sum(float(band.attrib["width"]) for band in bands) / int(found[1])
        full = full or width
        assert width == pytest.approx(full, rel=0.01)


def test_names_are_shown_whatever_is_in_them(packed: Path) -> None:
    assert 'odd "<&>\\n.h' in {name.rpartition(", ")[0] for name in headers_of(draw(packed))}


def test_bands_do_not_overlap(packed: Path) -> None:
    bands = [
        (float(band.attrib["y"]), float(band.attrib["x"]), float(band.attrib["width"]))
        for group in headers_of(draw(packed)).values()
        for band in group
    ]
    for (y, x, width), (next_y, next_x, _) in zip(sorted(bands), sorted(bands)[1:], strict=False):
        assert y < next_y or x + width <= next_x + 0.02


def test_what_a_build_has_read_is_told_from_what_not(packed: Path, tmp_path: Path) -> None:
    profile = tmp_path / "read.txt"
    profile.write_text("include/b.h\n")
    picture = draw(packed, "--profile", profile)
    for name, bands in headers_of(picture).items():
        for band in bands:
            assert ("read" in band.attrib["class"]) == name.startswith("include/b.h,")
    assert "has read 1 headers, 0.8 MiB" in "".join(picture.itertext())


def test_a_profile_without_a_picture_is_a_matter_of_usage(packed: Path, tmp_path: Path) -> None:
    profile = tmp_path / "read.txt"
    profile.write_text("a.h\n")
    outcome = run_command("info", "--profile", profile, packed)
    assert outcome.status == 2
    assert "--map OUT.svg" in one_line(outcome)


def test_a_picture_that_cannot_be_written_is_said_to_be_so(packed: Path) -> None:
    outcome = run_command("info", "--map", "/nosuch/map.svg", packed)
    assert outcome.status == 1
    assert "/nosuch" in one_line(outcome)


def test_an_archive_without_an_index_is_drawn_too(small_archive: Path, tmp_path: Path) -> None:
    picture = tmp_path / "map.svg"
    assert run_command("info", "--map", picture, small_archive).status == 0
    assert "no index" in picture.read_text()
