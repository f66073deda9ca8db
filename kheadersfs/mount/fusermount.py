"""Mount and unmount as an ordinary user, by the program fusermount3, which is set-user-ID root.

It sends the descriptor of /dev/fuse over the socket that the variable _FUSE_COMMFD names. Source:
libfuse, lib/mount.c.
"""

from __future__ import annotations

import errno
import os
import subprocess

from kheadersfs.errors import FuseUnavailable, MountpointError
from kheadersfs.mount.passing import connected_pair, receive_descriptor
from kheadersfs.mount.request import (
    DEVICE,
    HOW_TO_BE_PERMITTED,
    MountRequest,
    access,
    in_use,
    not_mounted_any_more,
)
from kheadersfs.mount.table import find_mount

_HELPER = "fusermount3"


def mount(request: MountRequest) -> int:
    """Do what mounting.mount() says."""
    noexec = ",noexec" if request.noexec else ""
    options = f"ro,nosuid,nodev{noexec},fsname={_quote(request.source)},subtype=kheadersfs"
    options += access(request)
    ours, theirs = connected_pair()
    try:
        done = subprocess.run(
            [_HELPER, "-o", options, "--", request.mountpoint],
            env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            raise _helper_error(request.mountpoint, done.stderr)
        theirs.close()  # so that a helper that sends nothing is not waited for
        device = receive_descriptor(ours)
    except FileNotFoundError:
        raise FuseUnavailable(
            f"only root can mount without {_HELPER}; install fuse3, or run as root"
        ) from None
    finally:
        ours.close()
        theirs.close()
    if device is None:
        raise FuseUnavailable(f"{_HELPER} did not send {DEVICE}; is it of the package fuse3?")
    return device


def _helper_error(mountpoint: str, output: bytes) -> FuseUnavailable | MountpointError:
    """Return what to raise when the helper has not mounted and has printed *output*."""
    text = _helper_text(output)
    if "no write access to mountpoint" in text:
        return MountpointError(
            f"{mountpoint}: only root may mount where you may not write; name a directory of yours"
        )
    if "user_allow_other" in text:
        text += "; put that word into it, or leave allow_other out"
    elif f"{DEVICE}: Permission denied" in text:
        text += "; its mode should be 0666"
    elif text.endswith(os.strerror(errno.EPERM)):
        text += f"; {HOW_TO_BE_PERMITTED}"
    return FuseUnavailable(f"{mountpoint}: {_HELPER} did not mount: {text}")


def _helper_text(output: bytes) -> str:
    return output.decode(errors="replace").strip().removeprefix(f"{_HELPER}: ")


def _quote(source: str) -> str:
    """Return *source* with the characters escaped that fusermount3's list of options reserves."""
    return source.replace("\\", "\\\\").replace(",", "\\,")


def unmount(mountpoint: str, detach: bool) -> None:
    """Do what mounting.unmount() says. Raises FuseUnavailable without the helper."""
    command = [_HELPER, "-u", *(["-z"] if detach else []), "--", mountpoint]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise FuseUnavailable(f"only root can unmount without {_HELPER}; install fuse3") from None
    if done.returncode != 0:
        text = _helper_text(done.stderr)
        if text.endswith(os.strerror(errno.EBUSY)):
            raise in_use(mountpoint)
        if find_mount(mountpoint) is None:
            raise not_mounted_any_more(mountpoint)
        if "not found in /etc/mtab" in text:  # it looks for mounts of this user only
            raise MountpointError(
                f"{mountpoint}: another user mounted it; unmount it as that user, or as root"
            )
        raise MountpointError(f"{mountpoint}: cannot be unmounted: {text}")
