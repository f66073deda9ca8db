"""What code can do inside the restrictions of the process that fetches over the network."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attempts import ATTEMPTS, in_a_process, try_inside

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("kernel_restricts")

RESTRICT = """
os.makedirs(f"{place}/cache")
os.symlink("/etc/passwd", f"{place}/cache/link")
from kheadersfs.sandbox.network import fetching_into
from kheadersfs.sandbox.restrictions import restrict
restrict(0, user=os.geteuid(), but=fetching_into(f"{place}/cache"))
"""
ALLOWED = {
    # It connects to servers, and asks the kernel which addresses work; the others are how Python
    # and trio go about it. Whom a Unix socket reaches that was open before is its own process.
    "make an Internet socket",
    "make a netlink socket",
    "make a pair of sockets",
    "connect a socket",
    "send to a socket by its path",
    "pass on a descriptor",
    # Who writes to the cache has a lock on the file, and others leave it alone as long.
    "lock a file as a whole",
    # It says nothing of what is in a file.
    "look at a file",
    # Its own are in the cache, and none is open when it gives up its rights.
    "list an open directory",
    # Nobody gets a signal as long as no owner can be named.
    "switch signals on",
    "ask where a process runs",
}
ELSEWHERE = {
    "follow a link out of the cache": "os.open(f'{place}/cache/link', os.O_RDONLY)",
    "make a link in the cache": "os.symlink('/etc/passwd', f'{place}/cache/new')",
    "link a file into the cache": "os.link(f'{place}/file', f'{place}/cache/new')",
    "move a file out of the cache": "os.rename(f'{place}/cache/link', f'{place}/moved')",
    "look around beside the cache": "os.listdir(place)",
    "listen to other machines": "socket.socket().bind(('127.0.0.1', 0))",
    "listen at a socket that is open": "open_listener.listen()",
}
INSIDE = """
with open(f"{place}/cache/new", "wb") as file:
    file.write(b"kept")
os.rename(f"{place}/cache/new", f"{place}/cache/kept")
os.utime(f"{place}/cache/kept")
assert os.listdir(f"{place}/cache")
with open(f"{place}/cache/kept", "rb") as file:
    assert file.read() == b"kept"
os.unlink(f"{place}/cache/kept")
client = socket.socket()
client.setblocking(False)
assert client.connect_ex(listener.getsockname()) in (0, errno.EINPROGRESS)
assert socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
os._exit(0)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of this user."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


def test_code_that_has_taken_over_who_fetches_reaches_servers_and_the_cache(place: Path) -> None:
    assert try_inside(RESTRICT, ATTEMPTS, place) <= ALLOWED


def test_the_cache_is_no_way_out_and_nobody_can_be_waited_for(place: Path) -> None:
    for name, code in ELSEWHERE.items():
        script = (
            f"open_listener = socket.socket()\n{RESTRICT}\ntry:\n    {code}\n"
            "except OSError as error:\n"
            "    refused = error.errno in (errno.EPERM, errno.EACCES, errno.EXDEV)\n"
            "    os._exit(0 if refused else 2)\nos._exit(1)"
        )
        directory = place / str(len(list(place.iterdir())))
        directory.mkdir()
        done = in_a_process(script, directory)
        assert done.returncode == 0, (name, done)


def test_what_fetching_needs_still_works(place: Path) -> None:
    setup = "listener = socket.create_server(('127.0.0.1', 0))\nsocket.getaddrinfo('localhost', 1)"
    done = in_a_process(f"{setup}\n{RESTRICT}{INSIDE}", place)
    assert done.returncode == 0, json.dumps(done.stderr)
