"""Clients that open, read and die as inconveniently as they can: the server goes on."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import HANGS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mounting

SEED = 12
FILES, FILE_SIZE = 100, 120 << 10
ROUNDS = 500
LOOKERS = 3
LONGEST_LIFE = 0.001
"""Seconds from the birth of those who look to their end: some are in the middle of asking."""
GROWTH = 8 << 20

# Several threads open a file at once; each then has its first page dropped, and asks for it.
DROPPERS = """
import os, sys, threading

def drop_and_read(name, start):
    start.wait()
    descriptor = os.open(name, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.pread(descriptor, 100, 0)
    os.close(descriptor)

for name in sys.argv[1:]:
    os.stat(name)
    start = threading.Barrier(3)
    threads = [threading.Thread(target=drop_and_read, args=(name, start)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@pytest.fixture
def many_files(tmp_path: Path) -> Path:
    """An archive of files none of whose pages are like another's."""
    archive = tmp_path / "many.tar"
    content = random.Random(SEED)
    with tarfile.open(archive, "w") as tar:
        for number in range(FILES):
            member = tarfile.TarInfo(f"file-{number}")
            member.size = FILE_SIZE
            tar.addfile(member, io.BytesIO(content.randbytes(FILE_SIZE)))
    return archive


def abort(mountpoint: Path) -> None:
    """Have the kernel end a file system whose server waits for itself; a signal cannot."""
    subprocess.run(["umount", "--force", "--lazy", mountpoint], check=True)


def test_readers_whose_pages_are_dropped_do_not_bring_the_server_to_a_halt(
    mount: Mounting, many_files: Path, root: None
) -> None:
    mounted = mount(many_files)
    names = [str(mounted / f"file-{number}") for number in range(FILES)]
    with subprocess.Popen([sys.executable, "-c", DROPPERS, *names]) as droppers:
        try:
            assert droppers.wait(HANGS) == 0
        except subprocess.TimeoutExpired:
            abort(mounted.path)
            droppers.kill()
            raise


def address_space(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGESIZE")


def look_until_killed(directory: Path, number: int) -> int:
    """Fork a process that looks up one name after the other. Returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        for count in range(1_000_000):
            os.path.lexists(f"{directory}/none-{number}-{count}")
    finally:
        os._exit(1)


def test_requests_of_killed_clients_take_no_memory(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    moments = random.Random(SEED)
    before = address_space(mounted.pid)
    for number in range(ROUNDS):
        lookers = [look_until_killed(mounted.path, LOOKERS * number + i) for i in range(LOOKERS)]
        signal.sigtimedwait((), moments.uniform(0, LONGEST_LIFE))
        for looker in lookers:
            os.kill(looker, signal.SIGKILL)
        for looker in lookers:
            os.waitpid(looker, 0)
    assert address_space(mounted.pid) - before < GROWTH
    assert (mounted / "modes/755").exists()
