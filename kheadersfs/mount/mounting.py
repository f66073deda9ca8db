"""Mounts, as the kernel sees them: find, make and undo them. Imports no pyfuse3.

root calls mount(2) itself, which takes 0.3 ms; everybody else goes through fusermount3.
"""

from __future__ import annotations

import ctypes
import errno
import os

from kheadersfs.errors import FuseUnavailable, MountpointError, quoted, reason
from kheadersfs.mount.asking import is_dead
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_SYSTEM = "fuse.kheadersfs"
DEVICE = "/dev/fuse"
_MS_RDONLY, _MS_NOSUID, _MS_NODEV = 1, 2, 4
_MNT_DETACH = 2


class MountNotPermitted(FuseUnavailable):
    """mount(2) said that this process may not mount."""


class MountRequest(Record):
    """What to mount where. ``source`` is only shown; ``allow_other`` lets other users in."""

    source: str
    mountpoint: str
    allow_other: bool


def find_mount(mountpoint: str) -> str | None:
    """Return the type of the file system mounted at *mountpoint* (a real path), topmost first."""
    found = None
    for _, where, kind in _read_mounts():
        if where == mountpoint:
            found = kind
    return found


def list_mounts() -> list[str]:
    """Return where file systems of ours are mounted."""
    return [where for _, where, kind in _read_mounts() if kind == FILE_SYSTEM]


def require_mount(mountpoint: str) -> str:
    """Return *mountpoint*, a real path, if one of ours is mounted there. Raises MountpointError."""
    kind = find_mount(mountpoint)
    if kind != FILE_SYSTEM:
        what = "nothing" if kind is None else f"a {kind} file system"
        raise MountpointError(
            f"{mountpoint}: {what} is mounted there, no headers; kheadersfs status lists those"
        )
    return mountpoint


def _read_mounts() -> Iterator[tuple[bytes, str, str]]:
    """Yield (device number, mountpoint, type) of every mount, later ones on top of earlier ones."""
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:
            head, _, rest = line.partition(b" - ")
            fields = head.split(b" ")
            kind = rest.split(b" ", 1)[0]
            yield fields[2], os.fsdecode(unescape(fields[4])), os.fsdecode(kind)


def find_device(mountpoint: str) -> bytes:
    """Return the device number of the file system at *mountpoint*, as mountinfo has it."""
    found = b""
    for device, where, _ in _read_mounts():
        if where == mountpoint:
            found = device
    return found


def find_place(device: bytes) -> str | None:
    """Return where the file system *device* is mounted in the mount namespace of this process."""
    return next((where for mounted, where, _ in _read_mounts() if mounted == device), None)


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
    # Where something is mounted is no symlink.
    return candidate if find_mount(candidate) is not None else os.path.realpath(path)


def remove_dead_mount(path: str) -> str:
    """Unmount a file system of ours at *path* whose server was killed. Returns the real path.

    Raises MountpointError for a dead mount that is not ours.
    """
    mountpoint = real_path(path)
    # Nobody is asked in vain: a thread leaves the allocator, and so the server, an arena more.
    if find_mount(mountpoint) is not None and is_dead(mountpoint):
        from kheadersfs.mount import stale  # few mounts need it

        stale.remove(mountpoint)
    return mountpoint


def prepare_mountpoint(path: str, nonempty: bool) -> str:
    """Return the real path of the directory *path* when something can be mounted there.

    A mount of ours whose server was killed is removed on the way. Raises MountpointError.
    """
    mountpoint = remove_dead_mount(path)
    try:
        entries = os.scandir(mountpoint)
    except FileNotFoundError:
        raise MountpointError(
            f"{path}: no such directory; make it: mkdir -p {quoted(path)}"
        ) from None
    except NotADirectoryError:
        raise MountpointError(f"{path}: is not a directory; name one to mount at") from None
    except OSError as error:
        raise MountpointError(f"{path}: cannot be mounted at: {reason(error)}") from error
    with entries:
        if find_mount(mountpoint) == FILE_SYSTEM:
            raise MountpointError(
                f"{path}: has headers mounted already; "
                f"unmount them first: kheadersfs umount {quoted(path)}"
            )
        if not nonempty and next(entries, None) is not None:
            raise MountpointError(
                f"{path}: is not empty; name an empty directory, or hide what is in it "
                "with -o nonempty"
            )
    return mountpoint


def mount(request: MountRequest) -> int:
    """Mount, and return the open /dev/fuse over which the kernel will send its requests.

    Raises FuseUnavailable, MountpointError.
    """
    if os.geteuid() == 0:
        return mount_directly(request)
    from kheadersfs.mount import fusermount  # root does without

    return fusermount.mount(request)


def open_device() -> int:
    """Open /dev/fuse. Raises FuseUnavailable."""
    try:
        return os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FuseUnavailable(
            f"{DEVICE} does not exist: load the module with modprobe fuse; "
            "a container must be given the device"
        ) from None
    except OSError as error:
        raise FuseUnavailable(
            f"{DEVICE}: cannot be opened: {reason(error)}; its mode should be 0666"
        ) from error


def mount_directly(request: MountRequest) -> int:
    """Mount with mount(2); needs CAP_SYS_ADMIN. See mount()."""
    device = open_device()
    options = (
        f"fd={device},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}"
        f"{access(request)}"
    )
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.mount(
        os.fsencode(request.source),
        os.fsencode(request.mountpoint),
        FILE_SYSTEM.encode(),
        ctypes.c_ulong(_MS_RDONLY | _MS_NOSUID | _MS_NODEV),
        options.encode(),
    )
    if failed:
        number = ctypes.get_errno()
        os.close(device)
        raise _mount_error(request.mountpoint, number)
    return device


def access(request: MountRequest) -> str:
    """Return the options that decide who may read what.

    Only who mounted may look in, and may read all of it, as if he had extracted it. When others
    are let in, the kernel holds them to the mode bits. It would do so for him too, and answer
    access(2) itself, but it would also ask for the root's attributes whenever somebody wants to
    know the status, and the archive would be read for that.
    """
    return ",allow_other,default_permissions" if request.allow_other else ""


def _mount_error(mountpoint: str, number: int) -> FuseUnavailable | MountpointError:
    text = os.strerror(number)
    if number == errno.EPERM:
        return MountNotPermitted(f"mounting is not permitted here ({text}); run as root")
    if number == errno.ENODEV:
        return FuseUnavailable("the kernel has no FUSE; load it with modprobe fuse")
    return MountpointError(f"{mountpoint}: cannot be mounted at: {text}")


def unmount(mountpoint: str, detach: bool) -> None:
    """Unmount *mountpoint*; with *detach* it goes away at once and open files stay readable.

    Raises MountpointError.
    """
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.umount2(os.fsencode(mountpoint), _MNT_DETACH if detach else 0) == 0:
            return
        number = ctypes.get_errno()
        if number == errno.EBUSY:
            raise in_use(mountpoint)
        raise MountpointError(f"{mountpoint}: cannot be unmounted: {os.strerror(number)}")
    from kheadersfs.mount import fusermount  # root does without

    fusermount.unmount(mountpoint, detach)


def in_use(mountpoint: str) -> MountpointError:
    """Return what to raise when *mountpoint* cannot be unmounted because somebody is there."""
    return MountpointError(f"{mountpoint}: is in use; end what uses it, or use --lazy")
