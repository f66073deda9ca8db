"""Find what keeps a file system from being unmounted, and what keeps it alive after an unmount.

``umount`` needs the first when a mount is in use, and the second when the server does not end.
Processes, mounts and mount namespaces are looked at. A loop device or an NFS export is not found:
it keeps a mount in use without a process that has a file open.
"""

from __future__ import annotations

import os
import re

from kheadersfs.mount.guardian import NAME as GUARDIAN
from kheadersfs.mount.processes import all_processes, started_at
from kheadersfs.mount.table import find_place, list_below, unescape

_LAYER_OPTIONS = ("lowerdir", "lowerdir+", "datadir+")
"""Options of overlayfs that name its read-only layers."""
_LONGEST_COMMAND = 60
"""Most characters of a command line that a message shows."""


def describe_holder(device: bytes, mountpoint: str) -> str | None:
    """Return what keeps the file system *device* alive, and until when.

    *device* is a device number as mountinfo has it, and *mountpoint* is where it was mounted.
    Returns None if nothing is found.
    """
    place = find_place(device)
    if place is not None:
        return f"still mounted at {place}; the memory is free when it is unmounted there too"
    overlay = _find_overlay(mountpoint)
    if overlay is not None:
        return f"an overlay at {overlay} has it as a layer; the memory is free when that is gone"
    process = _find_process(device)
    if process is not None:
        return (
            "still mounted in another mount namespace, that of process "
            f"{process} ({_command_of(process)}); the memory is free when that has ended"
        )
    return None


def describe_users(mountpoint: str) -> str:
    """Return which process or mount uses *mountpoint*, a real path, in this mount namespace.

    Returns an empty text if none is found. Only root can see what other users' processes use.
    """
    below = list_below(mountpoint)
    if below:
        return f"what is mounted at {below[0]}"
    users = _find_users(mountpoint)
    if not users:
        return ""
    others = f" and {len(users) - 1} more" if len(users) > 1 else ""
    return f"process {users[0]} ({_command_of(users[0])}){others}"


def may_be_listed(mountpoint: str) -> bool:
    """Tell whether *mountpoint* may be in use only because its guardian lists directories.

    That is so if no process but a guardian uses it, or none at all: the guardian may have closed
    its directory just now.
    """
    if list_below(mountpoint):
        return False
    users = _find_users(mountpoint)
    return all(_command_of(user).startswith(f"{GUARDIAN} ") for user in users)


def _find_users(mountpoint: str) -> list[int]:
    """Return the pids of the processes that use *mountpoint*."""
    return sorted(process for process in all_processes() if _uses(process, mountpoint))


def _uses(process: int, mountpoint: str) -> bool:
    """Tell whether *process* has a file below *mountpoint* open or mapped, or is in a directory."""
    directory = f"/proc/{process}"
    try:
        links = [f"{directory}/{name}" for name in ("cwd", "root", "exe")]
        links += [f"{directory}/fd/{name}" for name in os.listdir(f"{directory}/fd")]
        if any(_is_below(_target_of(link), mountpoint) for link in links):
            return True
        with open(f"{directory}/maps", errors="surrogateescape") as maps:
            # The path is the sixth field, behind spaces that align it.
            fields = (line.rstrip("\n").split(None, 5) for line in maps)
            return any(len(found) > 5 and _is_below(found[5], mountpoint) for found in fields)
    except OSError:
        return False  # it has ended, or is another user's


def _target_of(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:  # the process has ended, or has closed the file
        return ""


def _is_below(path: str, mountpoint: str) -> bool:
    return f"{path}/".startswith(f"{mountpoint}/")


def _find_overlay(mountpoint: str) -> str | None:
    """Return the mountpoint of an overlay with a layer in *mountpoint*, a real path."""
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:
            head, _, rest = line.rstrip(b"\n").partition(b" - ")
            kind, _, options = rest.split(b" ", 2)
            if kind == b"overlay" and any(
                _is_below(os.path.realpath(layer), mountpoint)
                for layer in _layers(os.fsdecode(unescape(options)))
            ):
                return os.fsdecode(unescape(head.split(b" ")[4]))
    return None


def _layers(options: str) -> list[str]:
    """Return the read-only layers in the mount *options* of an overlay, in which \\ escapes."""
    layers: list[str] = []
    for option in re.split(r"(?<!\\),", options):
        name, _, value = option.partition("=")
        if name in _LAYER_OPTIONS:
            layers += filter(None, re.split(r"(?<!\\):", value))
    return [re.sub(r"\\(.)", r"\1", layer) for layer in layers]


def _find_process(device: bytes) -> int | None:
    """Return the oldest process in whose mount namespace the file system *device* is mounted."""
    found: list[tuple[int, int]] = []
    for process in all_processes():
        try:
            with open(f"/proc/{process}/mountinfo", "rb") as mounts:
                if any(line.split(b" ", 3)[2] == device for line in mounts):
                    found.append((started_at(process), process))
        except OSError:
            continue  # it has ended, or is another user's
    return min(found)[1] if found else None


def _command_of(process: int) -> str:
    """Return the command line of *process* for a message: its program without the directory."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as arguments:
            program, *words = os.fsdecode(arguments.read()).split("\0")
    except OSError:
        return "ended now"
    line = " ".join((os.path.basename(program), *words)).strip()
    command = "".join(character if character.isprintable() else "?" for character in line)
    return command if len(command) <= _LONGEST_COMMAND else f"{command[:_LONGEST_COMMAND]}..."
