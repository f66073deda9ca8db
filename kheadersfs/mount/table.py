"""The table of mounts, as /proc/self/mountinfo shows it to this process."""

from __future__ import annotations

import os

from kheadersfs.errors import MountpointError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

FILE_SYSTEM = "fuse.kheadersfs"


def find_mount(mountpoint: str) -> str | None:
    """Return the type of the file system mounted at *mountpoint* (a real path), topmost first."""
    found = None
    for _, where, kind, _ in _read_mounts():
        if where == mountpoint:
            found = kind
    return found


def list_mounts() -> list[str]:
    """Return where file systems of ours are mounted."""
    return [where for _, where, kind, _ in _read_mounts() if kind == FILE_SYSTEM]


def list_mounts_of(archives: Container[str]) -> list[str]:
    """Return where one of *archives*, absolute paths or addresses, is mounted."""
    return [
        where
        for _, where, kind, source in _read_mounts()
        if kind == FILE_SYSTEM and source in archives
    ]


def list_below(mountpoint: str) -> list[str]:
    """Return where something is mounted below *mountpoint*, a real path."""
    return [where for _, where, *_ in _read_mounts() if where.startswith(f"{mountpoint}/")]


def require_mount(mountpoint: str) -> str:
    """Return *mountpoint*, a real path, if one of ours is mounted there. Raises MountpointError."""
    kind = find_mount(mountpoint)
    if kind != FILE_SYSTEM:
        what = "nothing" if kind is None else f"a {kind} file system"
        raise MountpointError(
            f"{mountpoint}: {what} is mounted there, no headers; kheadersfs status lists those"
        )
    return mountpoint


def _read_mounts() -> Iterator[tuple[bytes, str, str, str]]:
    """Yield device number, mountpoint, type and source of every mount, those on top later."""
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:
            head, _, rest = line.partition(b" - ")
            fields = head.split(b" ")
            kind, source = rest.split(b" ", 2)[:2]
            where = os.fsdecode(unescape(fields[4]))
            yield fields[2], where, os.fsdecode(kind), os.fsdecode(unescape(source))


def find_device(mountpoint: str) -> bytes:
    """Return the device number of the file system at *mountpoint*, as mountinfo has it."""
    found = b""
    for device, where, *_ in _read_mounts():
        if where == mountpoint:
            found = device
    return found


def find_place(device: bytes) -> str | None:
    """Return where the file system *device* is mounted in the mount namespace of this process."""
    return next((where for mounted, where, *_ in _read_mounts() if mounted == device), None)


def unescape(field: bytes) -> bytes:
    """Undo the octal escapes of proc(5): space, tab, newline and backslash."""
    head, *parts = field.split(b"\\")
    return head + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in parts)


def escape(mountpoint: str) -> bytes:
    """Return *mountpoint* as /proc/self/mountinfo writes it."""
    escaped = os.fsencode(mountpoint)
    for character in (b"\\", b" ", b"\t", b"\n"):
        escaped = escaped.replace(character, b"\\%03o" % ord(character))
    return escaped


def real_path(path: str) -> str:
    """Return the real path of *path*, without asking whoever serves what is mounted there.

    Raises MountpointError when it is empty.
    """
    if not path:
        raise MountpointError("MOUNTPOINT is empty; name a directory")
    directory, name = os.path.split(os.path.abspath(path))
    candidate = os.path.join(os.path.realpath(directory), name)
    # A mountpoint is never a symlink, so its last component need not be followed.
    return candidate if find_mount(candidate) is not None else os.path.realpath(path)
