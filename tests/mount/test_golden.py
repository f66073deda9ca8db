"""What is mounted is what GNU tar, or GNU cpio, extracts from the same archive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support import golden, synthetic
from tests.support.mounting import drop_caches

if TYPE_CHECKING:
    from tests.conftest import Mounting


def test_the_reference_archive_is_mounted_as_tar_extracts_it(
    mount: Mounting, reference_archive: Path, reference_description: golden.Description
) -> None:
    mounted = mount(reference_archive)
    assert golden.differences(golden.describe(mounted.path), reference_description) == []
    golden.check_block_counts(mounted.path)


def test_it_is_the_same_when_the_kernel_has_forgotten_everything(
    cold: None,
    mount: Mounting,
    reference_archive: Path,
    reference_description: golden.Description,
) -> None:
    mounted = mount(reference_archive)
    assert golden.differences(golden.describe(mounted.path), reference_description) == []
    drop_caches()
    assert golden.differences(golden.describe(mounted.path), reference_description) == []
    assert mounted.status()["requests"]["read"] > 0


class Plain(NamedTuple):
    """An uncompressed archive, and what its own program extracts from it."""

    archive: Path
    expected: golden.Description


PlainArchives = Callable[[str], Plain]


@pytest.fixture(scope="module")
def plain_archives(synthetic_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> PlainArchives:
    """Write the synthetic tree in the form of a name, once."""
    if missing := synthetic.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    made: dict[str, Plain] = {}

    def make(name: str) -> Plain:
        if name not in made:
            form = next(form for form in synthetic.FORMS if form.name == name)
            directory = tmp_path_factory.mktemp(name)
            archive, tree = directory / "archive", directory / "tree"
            synthetic.write_archive(form, synthetic_tree, archive)
            if form.is_cpio:
                golden.extract_with_cpio(archive, tree)
                expected = golden.with_times_from(synthetic_tree, golden.describe(tree))
            else:
                golden.extract_with_tar(archive, tree)
                expected = golden.describe(tree)
            made[name] = Plain(archive, expected)
        return made[name]

    return make


ORDINARY = [(form.name, name) for form in synthetic.FORMS for name in synthetic.COMPRESSIONS]
# A compressed stream does not depend on what is in it: two forms will do for the variants.
VARIANTS = [(form, name) for form in ("pax", "newc") for name in synthetic.VARIANTS]


@pytest.mark.parametrize(("form", "compression"), ORDINARY + VARIANTS)
def test_every_form_is_mounted_as_it_is_extracted(
    mount: Mounting, plain_archives: PlainArchives, form: str, compression: str, tmp_path: Path
) -> None:
    plain = plain_archives(form)
    compress = {**synthetic.COMPRESSIONS, **synthetic.VARIANTS}[compression]
    # The name says nothing: the content decides.
    archive = tmp_path / "archive.txt"
    archive.write_bytes(compress(plain.archive.read_bytes()))
    mounted = mount(archive)
    assert golden.differences(golden.describe(mounted.path), plain.expected) == []
    golden.check_block_counts(mounted.path)
