"""A machine of its own for every test that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.machine import RELEASE, Archives, Machine, make_archive
from tests.support.namespace import without_headers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """Small archives of the running kernel and of another."""
    directory = tmp_path_factory.mktemp("archives")
    return Archives(make_archive(directory, RELEASE), make_archive(directory, "2.6.32"))


@pytest.fixture
def machine(archives: Archives, tmp_path: Path) -> Iterator[Machine]:
    """A machine without headers. At the end nothing may be mounted in it, or have been logged."""
    with without_headers() as namespace:
        machine = Machine(namespace, archives, tmp_path / "log")
        yield machine
        left = machine.mounts()
        for mountpoint in left:
            namespace.kheadersfs("umount", "--lazy", mountpoint)
        assert left == []
    assert not machine.log.exists() or machine.log.read_text() == ""
