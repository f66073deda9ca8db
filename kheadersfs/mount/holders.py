"""Find who keeps a file system from being unmounted, and who keeps it alive after that.

umount asks for the first when a mount is in use, and for the second when the server does not end.
Only processes and mount namespaces are looked for. A loop device or an NFS export keeps a mount in
use too, but it does so without a process that has a file open.
"""

from __future__ import annotations

import os
import re

from kheadersfs.mount.guardian import NAME as GUARDIAN
from kheadersfs.mount.processes import all_processes, started_at
from kheadersfs.mount.table import find_place, list_below, unescape

_LAYER_OPTIONS = ("lowerdir", "lowerdir+", "datadir+")
_SHOWN_WORDS = 60
"""Characters of a command line that are shown."""


def describe_holder(device: bytes, mountpoint: str) -> str | None:
    """Return what holds the file system *device*, which was at *mountpoint*, and until when.

    None if nothing that can be seen from here does.
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
    """Return who uses what is mounted at *mountpoint*, a real path, in this mount namespace.

    Empty if nothing that can be seen from here does: others' processes are shown to root alone.
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
    """Tell whether a guardian may be all that keeps *mountpoint* in use: it lists directories.

    It may just have closed one, so nobody at all to be seen is no other user either.
    """
    if list_below(mountpoint):
        return False
    users = _find_users(mountpoint)
    return all(_command_of(user).startswith(f"{GUARDIAN} ") for user in users)


def _find_users(mountpoint: str) -> list[int]:
    return sorted(process for process in all_processes() if _uses(process, mountpoint))


def _uses(process: int, mountpoint: str) -> bool:
    """Tell whether *process* has something below *mountpoint* open, or mapped, or is in it."""
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
    except OSError:  # of a process that ends, or has closed it
        return ""


def _is_below(path: str, mountpoint: str) -> bool:
    return f"{path}/".startswith(f"{mountpoint}/")


def _find_overlay(mountpoint: str) -> str | None:
    """Return where an overlay is mounted that has a layer in *mountpoint*, a real path."""
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
    """Return the layers below an overlay with these mount *options*, in which \\ escapes."""
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
    """Return the command line of *process*, without directories, cut to what fits a message."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as arguments:
            program, *words = os.fsdecode(arguments.read()).split("\0")
    except OSError:
        return "ended now"
    line = " ".join((os.path.basename(program), *words)).strip()
    command = "".join(character if character.isprintable() else "?" for character in line)
    return command if len(command) <= _SHOWN_WORDS else f"{command[:_SHOWN_WORDS]}..."
