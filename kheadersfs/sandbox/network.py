"""What a process keeps that fetches over the network: sockets, one directory, and no more.

It reads what servers send, with libraries for TLS and HTTP. So it can start no program, and reach
no file but those below its directory, and those in which names of hosts are looked up.
"""

from __future__ import annotations

from kheadersfs.sandbox.landlock import KEEP, READ
from kheadersfs.sandbox.restrictions import Exceptions
from kheadersfs.sandbox.seccomp import CONDITIONAL_CALLS

_NAME_SERVICE = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf"),
    *("/etc/services", "/etc/protocols"),
)
"""What the C library reads for every look-up."""

_WITH_ANY_ARGUMENTS = ("sendto", "ioctl", "fcntl", "sched_getaffinity")

# Numbers as in the tables of seccomp.py.
_CALLS: dict[str, tuple[int, int | None]] = {
    # What a server may call with some arguments only.
    **{name: CONDITIONAL_CALLS[name] for name in _WITH_ANY_ARGUMENTS},
    # Connections, and what waits for them.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),  # of a netlink socket, by which the C library learns which addresses work
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "shutdown": (48, 210),
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "setsockopt": (54, 208),
    "getsockopt": (55, 209),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "eventfd2": (290, 19),
    # Files in the cache.
    "openat": (257, 56),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "getdents64": (217, 61),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat2": (316, 276),
    "renameat": (264, 38),
    "utimensat": (280, 88),
    # Threads ask for these when they start, obstore's for the last two.
    "uname": (63, 160),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
}


def fetching_into(directory: str) -> Exceptions:
    """Return what a process needs that fetches, and keeps files in *directory*."""
    return Exceptions({**dict.fromkeys(_NAME_SERVICE, READ), directory: KEEP}, _CALLS, True)
