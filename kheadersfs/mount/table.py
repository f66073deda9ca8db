"""Read the table of mounts of this process's mount namespace, /proc/self/mountinfo.

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os

from kheadersfs.errors import MountpointError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

FILE_SYSTEM = "fuse.kheadersfs"
"""The type of the file system in the table."""


def find_mount(mountpoint: str) -> str | None:
    """Return the type of the topmost file system at *mountpoint*, a real path, None without one."""
    found = None
    for _, where, kind, _ in _read_mounts():
        if where == mountpoint:
            found = kind
    return found


def list_mounts() -> list[str]:
    """Return the mountpoints of all mounts of kheadersfs."""
    return [where for _, where, kind, _ in _read_mounts() if kind == FILE_SYSTEM]


def list_mounts_of(archives: Container[str]) -> list[str]:
    """Return the mountpoints of *archives*, which are absolute paths or addresses."""
    return [
        where
        for _, where, kind, source in _read_mounts()
        if kind == FILE_SYSTEM and source in archives
    ]


def list_below(mountpoint: str) -> list[str]:
    """Return the mountpoints of all file systems below *mountpoint*, a real path."""
    return [where for _, where, *_ in _read_mounts() if where.startswith(f"{mountpoint}/")]


def require_mount(mountpoint: str) -> str:
    """Return *mountpoint*, a real path.

    Raises MountpointError unless kheadersfs is mounted there.
    """
    kind = find_mount(mountpoint)
    if kind != FILE_SYSTEM:
        what = "nothing" if kind is None else f"a {kind} file system"
        raise MountpointError(
            f"{mountpoint}: {what} is mounted there, no headers; kheadersfs status lists those"
        )
    return mountpoint


def _read_mounts(process: int | str = "self") -> Iterator[tuple[bytes, str, str, str]]:
    """Yield device number, mountpoint, type and source of each mount that *process* sees.

    Of several mounts at one place the topmost comes last.
    """
    with open(f"/proc/{process}/mountinfo", "rb") as mounts:
        for line in mounts:
            head, _, rest = line.partition(b" - ")
            fields = head.split(b" ")
            kind, source = rest.split(b" ", 2)[:2]
            where = os.fsdecode(unescape(fields[4]))
            yield fields[2], where, os.fsdecode(kind), os.fsdecode(unescape(source))


def find_device(mountpoint: str, process: int | str = "self") -> bytes:
    """Return the device number of the topmost file system that *process* sees at *mountpoint*.

    It is as the table has it: major and minor number with a colon between. It is empty where none
    is. Raises OSError if *process* has ended or its table may not be read.
    """
    found = b""
    for device, where, *_ in _read_mounts(process):
        if where == mountpoint:
            found = device
    return found


def find_place(device: bytes) -> str | None:
    """Return a mountpoint of the file system with the device number *device*, None without one."""
    return next((where for mounted, where, *_ in _read_mounts() if mounted == device), None)


def unescape(field: bytes) -> bytes:
    """Replace the octal escapes in a field of the table, as of a space, by what they stand for."""
    head, *parts = field.split(b"\\")
    return head + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in parts)


def escape(mountpoint: str) -> bytes:
    """Return *mountpoint* as the table has it: space, tab, newline and backslash escaped."""
    escaped = os.fsencode(mountpoint)
    for character in (b"\\", b" ", b"\t", b"\n"):
        escaped = escaped.replace(character, b"\\%03o" % ord(character))
    return escaped


def real_path(path: str) -> str:
    """Return the real path of *path*, without a request to the server of what is mounted there.

    Raises MountpointError when *path* is empty.
    """
    if not path:
        raise MountpointError("MOUNTPOINT is empty; name a directory")
    directory, name = os.path.split(os.path.abspath(path))
    candidate = os.path.join(os.path.realpath(directory), name)
    # A mountpoint is never a symlink, so its last component need not be followed.
    return candidate if find_mount(candidate) is not None else os.path.realpath(path)
