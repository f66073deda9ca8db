"""Enter the namespaces of a command, to see the mount that is there only."""

from __future__ import annotations

from kheadersfs.mount.libc import CLONE_NEWNS, CLONE_NEWUSER, call


def enter_namespaces(pidfd: int) -> bool:
    """Have this process see the mounts that the process of *pidfd* sees. Returns whether it does.

    An ordinary user's namespace of mounts belongs to one of users, which has to be entered with it.
    The working directory and the root change to the root of the namespace.
    """
    return not (
        call("setns", pidfd, CLONE_NEWNS) and call("setns", pidfd, CLONE_NEWUSER | CLONE_NEWNS)
    )
