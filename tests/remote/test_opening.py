"""What opening an archive at an address takes: its two ends, whatever it is compressed with."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import Mount, run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.servers import Nginx

HEADER = "include/linux/kconfig.h"


@pytest.mark.parametrize("ending", [".tar.zst", ".tar.xz"])
def test_a_packed_archive_is_opened_with_its_two_ends(
    ending: str, web: Nginx, packed: Path, mount_address: Callable[..., Mount]
) -> None:
    archive = web.files / f"again{ending}"
    assert run_command("repack", packed, "-o", archive).status == 0
    address = f"{web.address}/{archive.name}"
    mounted = mount_address(address)
    assert (mounted / HEADER).stat().st_size
    assert sorted(web.fetched()) == [
        f"206 /{archive.name} bytes=-65536",
        f"206 /{archive.name} bytes=0-511",
    ]
    for command in ("info", "verify"):
        here, there = (run_command(command, place) for place in (archive, address))
        assert there.output == here.output.replace(str(archive), address)


@pytest.mark.parametrize("program", ["zstd", "lz4"])
def test_what_has_no_index_is_not_walked_through_by_requests(
    program: str, web: Nginx, part: Path
) -> None:
    archive = web.files / f"plain.{program}"
    with archive.open("wb") as file:
        subprocess.run(f"xz -dc {part} | {program} -c", shell=True, check=True, stdout=file)
    listed = run_command("ls", f"{web.address}/{archive.name}")
    assert (listed.status, listed.output) == (0, run_command("ls", part).output)
    assert len(web.fetched()) <= 3  # both ends, and all of it
