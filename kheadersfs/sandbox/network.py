"""The exceptions for a process that downloads: sockets, and files in one directory.

It reads what web servers send, with libraries for TLS and HTTP. It can start no program. It can use
no file but those below its directory, and those that the C library reads to look up a host's name.
"""

from __future__ import annotations

import fcntl
import socket
import termios

from kheadersfs.sandbox.landlock import KEEP, READ
from kheadersfs.sandbox.restrictions import Exceptions
from kheadersfs.sandbox.seccomp import CONDITIONAL_CALLS, Choice

_NAME_SERVICE = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf"),
    *("/etc/services", "/etc/protocols"),
)
"""The files that the C library reads to look up a host's name."""

_CONDITIONAL = ("sendto", "ioctl", "fcntl", "sched_getaffinity")
"""Calls that the server of a mount may make with other arguments only; see seccomp."""
_PR_SET_NAME, _PR_GET_NAME = 15, 16
_OWN_PROCESS = 0

# Numbers as in seccomp.py: on x86_64, and on newer architectures.
_CALLS: dict[str, tuple[int, int | None]] = {
    **{name: CONDITIONAL_CALLS[name] for name in _CONDITIONAL},
    # These make connections, and wait for them.
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
    # These are for files in the cache.
    "openat": (257, 56),
    "flock": (73, 32),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "getdents64": (217, 61),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat2": (316, 276),
    "renameat": (264, 38),
    "utimensat": (280, 88),
    # Threads make these calls when they start. Only those of obstore make the last two.
    "uname": (63, 160),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
}


_CHOICES = {
    # Not AF_UNIX: D-Bus and docker, which listen on such sockets, start programs for this user.
    "socket": Choice(0, (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)),
    # Not F_SETOWN or F_SETSIG, with which the kernel sends signals to other processes.
    "fcntl": Choice(
        1,
        (fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_SETFL, fcntl.F_DUPFD_CLOEXEC),
    ),
    "ioctl": Choice(1, (termios.TCGETS, termios.TIOCGWINSZ, termios.FIONBIO, termios.FIONREAD)),
    "prctl": Choice(0, (_PR_SET_NAME, _PR_GET_NAME)),
    "prlimit64": Choice(0, (_OWN_PROCESS,)),
}


def fetching_into(directory: str) -> Exceptions:
    """Return the exceptions for a process that downloads, and keeps files in *directory*."""
    paths = {**dict.fromkeys(_NAME_SERVICE, READ), directory: KEEP}
    return Exceptions(paths, _CALLS, _CHOICES, may_connect=True)
