"""What is mounted is what GNU tar, or GNU cpio, extracts from the same archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import golden, synthetic
from tests.support.mounting import drop_caches

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mounting

NO_MEMBER_NAMES_THE_ROOT = {b"."}


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


@pytest.fixture(scope="module", params=synthetic.FORMS, ids=lambda form: form.name)
def plain_archive(
    request: pytest.FixtureRequest,
    synthetic_tree: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, golden.Description]:
    """The synthetic tree, uncompressed, in each form; and what its own program extracts."""
    if missing := synthetic.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    form = request.param
    directory = tmp_path_factory.mktemp(form.name)
    archive, tree = directory / "archive", directory / "tree"
    synthetic.write_archive(form, synthetic_tree, archive)
    if form.is_cpio:
        golden.extract_with_cpio(archive, tree)
    else:
        golden.extract_with_tar(archive, tree)
    return archive, golden.describe(tree)


@pytest.mark.parametrize("compression", synthetic.COMPRESSIONS)
def test_every_form_is_mounted_as_it_is_extracted(
    mount: Mounting,
    plain_archive: tuple[Path, golden.Description],
    compression: str,
    tmp_path: Path,
) -> None:
    plain, expected = plain_archive
    # The name says nothing: the content decides.
    archive = tmp_path / "archive.txt"
    archive.write_bytes(synthetic.COMPRESSIONS[compression](plain.read_bytes()))
    mounted = mount(archive)
    assert golden.differences(golden.describe(mounted.path), expected) == []
    golden.check_block_counts(mounted.path)
