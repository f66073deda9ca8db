"""Archives on a web server: what is fetched of them and kept, and what works without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from kheadersfs.reader import open_archive
from kheadersfs.remote.settings import LARGEST_WHOLE
from tests.support.mounting import Mount, one_line, run_command, wait_until
from tests.support.servers import Nginx, nginx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEADER = "include/linux/kconfig.h"
TAIL = "bytes=-65536"


def content_of(archive: Path, path: str = HEADER) -> bytes:
    with open_archive(archive) as opened:
        return opened.read(path)


def ranges(server: Nginx) -> list[str]:
    """Return the ranges that were fetched since this was asked last, in no order."""
    return [line.split(" ", 2)[2] for line in server.fetched() if line.startswith("206")]


def test_one_file_takes_the_index_and_one_block(web: Nginx, packed: Path) -> None:
    address = f"{web.address}/{packed.name}"
    outcome = run_command("cat", address, HEADER)
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output.encode() == content_of(packed)
    assert len(ranges(web)) == 3
    # Now it is here, and the server is only asked whether it is still that.
    assert run_command("cat", address, HEADER) == outcome
    assert [line.split()[0] for line in web.fetched()] == ["304"]


def test_commands_say_of_an_address_what_they_say_of_the_file(web: Nginx, packed: Path) -> None:
    address = f"{web.address}/{packed.name}"
    for command in ("ls", "info", "verify"):
        here, there = run_command(command, packed), run_command(command, address)
        assert there.output == here.output.replace(str(packed), address)
        assert (there.status, there.errors) == (0, "")


def test_a_mount_fetches_what_is_read_and_the_hot_blocks(
    web: Nginx, packed: Path, mount_address: Callable[..., Mount]
) -> None:
    mounted = mount_address(f"{web.address}/{packed.name}")
    names = [names for _, _, names in os.walk(mounted.path)]
    assert sum(map(len, names)) > 300
    assert sorted(ranges(web)) == sorted([TAIL, "bytes=0-511"])
    assert (mounted / HEADER).read_bytes() == content_of(packed)
    with open_archive(packed) as opened:
        count = opened.content.hot_blocks
        stored = opened.archive.blocks
        assert stored is not None
        blocks = [stored.stored_at(number) for number in range(count)]
    ends = (range(512), range(packed.stat().st_size - 65536, packed.stat().st_size))
    hot = {
        place
        for offset, size in blocks
        if not any(offset in end and offset + size - 1 in end for end in ends)
        for place in range(offset, offset + size)
    }
    seen: list[range] = []

    def has_come() -> bool:
        for line in ranges(web):
            first, last = map(int, line.removeprefix("bytes=").split("-"))
            seen.append(range(first, last + 1))
        return sum(map(len, seen)) >= len(hot)

    wait_until(has_come, "the hot blocks are fetched")
    assert set().union(*seen) == hot
    assert sum(map(len, seen)) == len(hot), "nothing is fetched twice"
    assert len(seen) < count, "what lies side by side is fetched together"
    assert mounted.status()["archive"] == f"{web.address}/{packed.name}"


def test_everything_can_be_read_offline_once_it_was_fetched(
    tmp_path: Path, packed: Path, mount_address: Callable[..., Mount]
) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    with nginx(place) as server:
        (server.files / packed.name).write_bytes(packed.read_bytes())
        address = f"{server.address}/{packed.name}"
        assert run_command("cat", address, HEADER).status == 0
    outcome = run_command("cat", address, HEADER)
    assert (outcome.status, outcome.output.encode()) == (0, content_of(packed))
    assert "cannot be reached" in outcome.errors
    assert "what the cache has of it is used" in outcome.errors
    # What was not fetched is an error, at once.
    mounted = mount_address(address)
    with pytest.raises(OSError, match="Input/output error"):
        (mounted / "include/linux/mm.h").read_bytes()
    assert "cannot be reached" in mounted.messages()[-1]
    assert run_command("cache", "--clear").status == 0
    assert run_command("cat", address, HEADER).status == 11


@contextmanager
def serving_for_an_hour(tmp_path: Path, packed: Path) -> Iterator[Nginx]:
    """Serve *packed* until the end of the block, and say that it is good for an hour."""
    place = tmp_path / "fresh"
    place.mkdir()
    with nginx(place, "expires 1h;") as server:
        (server.files / packed.name).write_bytes(packed.read_bytes())
        yield server


def test_what_the_server_says_is_fresh_is_not_asked_for_again(
    tmp_path: Path, packed: Path, cache: Path, mount_address: Callable[..., Mount]
) -> None:
    with serving_for_an_hour(tmp_path, packed) as server:
        address = f"{server.address}/{packed.name}"
        first = run_command("cat", address, HEADER)
        server.fetched()
        assert run_command("cat", address, HEADER) == first
        assert server.fetched() == []
        # What the cache has lost is fetched again, and of the same file.
        for kept in (cache / "objects").iterdir():
            kept.unlink()
        assert run_command("cat", address, HEADER) == first
        assert len(ranges(server)) == 3
    mounted = mount_address(address)
    assert (mounted / HEADER).read_bytes() == content_of(packed)
    assert mounted.messages() == []


def test_a_cache_that_others_can_write_to_is_not_used(
    tmp_path: Path, packed: Path, cache: Path
) -> None:
    with serving_for_an_hour(tmp_path, packed) as server:
        address = f"{server.address}/{packed.name}"
        assert run_command("cat", address, HEADER).status == 0
        cache.chmod(0o777)
        outcome = run_command("cat", address, HEADER)
    assert (outcome.status, "cannot be trusted" in one_line(outcome)) == (11, True)


def test_a_new_file_at_an_address_is_found_when_it_is_opened(
    web: Nginx, packed: Path, small_archive: Path
) -> None:
    address = f"{web.address}/{packed.name}"
    assert run_command("cat", address, HEADER).status == 0
    replacement = web.files / "new"
    shutil.copyfile(small_archive, replacement)
    replacement.replace(web.files / packed.name)
    assert run_command("ls", address).output == run_command("ls", small_archive).output


def test_a_file_that_changes_under_a_mount_is_an_error_and_never_mixed(
    web: Nginx, packed: Path, mount_address: Callable[..., Mount]
) -> None:
    mounted = mount_address(f"{web.address}/{packed.name}")
    assert (mounted / HEADER).stat().st_size
    file = web.files / packed.name
    os.utime(file, (1, 1))
    with pytest.raises(OSError, match="Input/output error"):
        (mounted / HEADER).read_bytes()
    assert "was changed on its server since it was opened" in mounted.messages()[-1]


def test_the_kernels_own_archive_is_fetched_whole_when_somebody_looks(
    web: Nginx, part: Path, mount_address: Callable[..., Mount]
) -> None:
    shutil.copyfile(part, web.files / "one.tar.xz")
    mounted = mount_address(f"{web.address}/one.tar.xz")
    assert all(line.startswith("206") for line in web.fetched())
    assert (mounted / HEADER).read_bytes() == content_of(part)
    assert [line.split()[0] for line in web.fetched()] == ["200"]


def test_an_archive_without_blocks_is_fetched_up_to_a_size(web: Nginx, tmp_path: Path) -> None:
    with (tmp_path / "large.h").open("wb") as file:
        file.truncate(LARGEST_WHOLE)
    subprocess.run(["tar", "-cf", web.files / "large.tar", "-C", tmp_path, "large.h"], check=True)
    outcome = run_command("ls", f"{web.address}/large.tar")
    assert (outcome.status, "repack it, or download it" in one_line(outcome)) == (14, True)
    assert all(line.startswith("206") for line in web.fetched()), "only its two ends"


def test_one_digest_is_accepted_and_no_other(web: Nginx, packed: Path) -> None:
    address = f"{web.address}/{packed.name}"
    digest = json.loads(run_command("info", "--json", packed).output)["digest"]
    words = ("run", "--archive", address, "--", "true")
    assert run_command("run", "--digest", digest, *words[1:]).status == 0
    wrong = run_command("run", "--digest", f"sha256:{'0' * 64}", *words[1:])
    assert (wrong.status, "is not the one that was meant" in one_line(wrong)) == (14, True)


def test_every_run_of_each_has_its_address(web: Nginx, packed: Path, fuse: None) -> None:
    shutil.copyfile(packed, web.files / "other.tar.xz")
    archives = [f"--archive={web.address}/{name}" for name in (packed.name, "other.tar.xz")]
    outcome = run_command("run", "--each", *archives, "--", "cat", "/proc/self/mountinfo")
    assert outcome.status == 0, outcome


def test_the_cache_is_shown_bounded_and_cleared(
    web: Nginx, packed: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{web.address}/{packed.name}"
    monkeypatch.setenv("KHEADERSFS_CACHE_SIZE", "300000")
    for path in (HEADER, "include/generated/autoconf.h", "include/linux/list.h"):
        assert run_command("cat", address, path).output.encode() == content_of(packed, path)
    facts = json.loads(run_command("cache", "--json").output)
    assert facts["directory"] == str(cache)
    assert 0 < facts["size"] <= facts["limit"] == 300_000
    assert [known["address"] for known in facts["addresses"]] == [address]
    assert address in run_command("cache").output
    assert run_command("cache", "--clear").status == 0
    assert not cache.exists()
    assert json.loads(run_command("cache", "--json").output)["pieces"] == 0


def test_what_lies_in_the_cache_is_not_believed(web: Nginx, packed: Path, cache: Path) -> None:
    address = f"{web.address}/{packed.name}"
    expected = run_command("cat", address, HEADER)
    for kept in (cache / "objects").iterdir():
        damaged = bytearray(kept.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        kept.write_bytes(damaged)
    for record in (cache / "addresses").iterdir():
        record.write_bytes(record.read_bytes()[:-5])
    assert run_command("cat", address, HEADER) == expected
    assert expected.output.encode() == content_of(packed)


def test_a_full_disk_is_no_obstacle(
    web: Nginx, packed: Path, cache: Path, root: None, mount_address: Callable[..., Mount]
) -> None:
    cache.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(cache)], check=True
    )
    try:
        mounted = mount_address(f"{web.address}/{packed.name}")
        assert (mounted / HEADER).read_bytes() == content_of(packed)
        assert (mounted / "include/linux/mm.h").read_bytes()
    finally:
        subprocess.run(["umount", "--lazy", str(cache)], check=True)


def test_many_processes_share_one_cache(web: Nginx, packed: Path) -> None:
    address = f"{web.address}/{packed.name}"
    command = ["python3", "-m", "kheadersfs", "cat", address, HEADER]
    command[0] = shutil.which("python") or command[0]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert outputs == [(content_of(packed), b"")] * 6


def test_an_address_with_a_password_is_refused_and_not_repeated(tmp_path: Path) -> None:
    outcome = run_command("ls", "https://me:secret@localhost/k.tar.xz?token=hidden")
    assert outcome.status == 2
    assert "secret" not in one_line(outcome)
    assert "hidden" not in one_line(outcome)
    assert "~/.netrc" in one_line(outcome)


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    script = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'httpcore' else find(name)\n"
        "from kheadersfs.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    python = shutil.which("python") or "python3"
    done = subprocess.run(
        [python, "-c", script, "ls", "http://localhost:1/k.tar.xz"], capture_output=True, text=True
    )
    assert done.returncode == 11
    assert done.stderr.count("\n") == 1
    assert "pip install 'kheadersfs[remote]'" in done.stderr
