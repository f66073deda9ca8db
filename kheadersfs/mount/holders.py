"""What keeps a file system that was unmounted: there may be no process that has a file of it open.

umount asks when a server does not end. A loop device or an NFS export is not looked for: each has
something open, so that the mount is in use and is not unmounted in the first place.
"""

from __future__ import annotations

import os
import re

from kheadersfs.mount.processes import started_at
from kheadersfs.mount.table import find_place, unescape

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


def _find_overlay(mountpoint: str) -> str | None:
    """Return where an overlay is mounted that has a layer in *mountpoint*, a real path."""
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:
            head, _, rest = line.rstrip(b"\n").partition(b" - ")
            kind, _, options = rest.split(b" ", 2)
            if kind == b"overlay" and any(
                f"{os.path.realpath(layer)}/".startswith(f"{mountpoint}/")
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
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/mountinfo", "rb") as mounts:
                if any(line.split(b" ", 3)[2] == device for line in mounts):
                    found.append((started_at(int(name)), int(name)))
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
