"""Find the headers of a kernel on this machine, in one documented order.

1. ``/sys/kernel/kheaders.tar.xz``: the kernel carries its headers (CONFIG_IKHEADERS=y).
2. The same file after ``modprobe kheaders`` (CONFIG_IKHEADERS=m). A module that
   was loaded for this is unloaded again once its bytes are held.
3. ``/usr/lib/kheaders/RELEASE.tar.*`` or ``RELEASE.cpio.*``: where ``pack`` is told to write.
4. ``/boot/kheaders-RELEASE.tar.*`` or ``.cpio.*``: beside the kernel that they belong to.
5. ``fetched/RELEASE.tar.zst`` in the cache of the user: what ``fetch`` writes for who is not root.
6. ``/lib/modules/RELEASE/source`` with ``build``, or ``build`` alone,
   ``/usr/src/linux-headers-RELEASE`` (Debian, Ubuntu), ``/usr/src/kernels/RELEASE``
   (Fedora): header trees, packed into a cache, and anew when they change.

Every place is below *root*, so that a test, or somebody who prepares the image
of another machine, can point the search elsewhere.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from kheadersfs.errors import ArchiveUnavailable, reason
from kheadersfs.kernel.cache import ArchiveCache, HeaderTree, require_own
from kheadersfs.kernel.release import Kernel
from kheadersfs.kernel.unpacked import (
    SOURCE_MARK,
    included_sources,
    is_configured,
    resolve,
    root_above,
)

_SYSFS_ARCHIVE = "sys/kernel/kheaders.tar.xz"
RUNNING_KERNEL_ARCHIVE = "/" + _SYSFS_ARCHIVE
"""What the running kernel itself provides, and so never another kernel's headers."""

# The order is that of reading speed, fastest first.
_COMPRESSIONS = (".zst", ".xz", ".lz4", ".gz", ".bz2", "")
ARCHIVE_SUFFIXES = tuple(
    f".{container}{compression}" for compression in _COMPRESSIONS for container in ("tar", "cpio")
)

# Every attempt that fails means that another process unloaded the module between our
# look and our read, so somebody made progress; more than this is no longer a race.
_MODULE_ATTEMPTS = 20

_READ_SIZE = 1 << 20


class FoundArchive(NamedTuple):
    """An archive with the headers of a kernel.

    *content* is the whole archive when its file may vanish at any time, because a
    loadable module provides it; None when the file at *path* can be read as usual.
    """

    path: str
    content: bytes | None


def find_archive(
    kernel: Kernel, cache: ArchiveCache, root: str = "/", modprobe: str = "modprobe"
) -> FoundArchive:
    """Return the archive of *kernel*'s headers, packing a header tree into *cache* if need be.

    Raises ArchiveUnavailable, naming every place, if there is none.
    """
    tried: list[str] = []
    found = (
        _from_running_kernel(root, modprobe, tried)
        or _from_archive_file(kernel, root, tried)
        or _from_cache(kernel, cache.directory, tried)
    )
    if found is not None:
        return found
    tree = _header_tree(kernel, root, tried)
    if tree is not None:
        return FoundArchive(cache.archive_of(tree, kernel.release), None)
    raise ArchiveUnavailable(
        f"no headers of {kernel} on this machine; tried {', '.join(tried)}; download them with: "
        f"kheadersfs fetch {kernel.release}; or make an archive with: "
        "mkdir -p /usr/lib/kheaders && kheadersfs pack --srctree SOURCES --objtree BUILD "
        f"-o {installed_archive(kernel.release)}"
    )


def _from_running_kernel(root: str, modprobe: str, tried: list[str]) -> FoundArchive | None:
    """Return the archive that the kernel itself provides, loading its module if it has one."""
    path = os.path.join(root, _SYSFS_ARCHIVE)
    module = os.path.join(root, "sys/module/kheaders")
    for _ in range(_MODULE_ATTEMPTS):
        loaded_here = False
        if not os.path.exists(path):
            if os.geteuid() != 0:
                tried.append(f"{path} (and only root can load the kheaders module)")
                return None
            loaded_here = not os.path.exists(module)
            if not _run(modprobe, "-q", "kheaders"):
                tried += [path, f"{modprobe} kheaders"]
                return None
        elif _is_built_in(path, module):
            return FoundArchive(path, None)
        try:
            content = _read_whole(path)
        except PermissionError as error:
            tried.append(f"{path} ({reason(error)})")
            return None
        finally:
            if loaded_here:
                _run(modprobe, "-q", "-r", "kheaders")
        if content:
            return FoundArchive(path, content)
    tried.append(f"{path} (its module came and went {_MODULE_ATTEMPTS} times)")
    return None


def _is_built_in(path: str, module: str) -> bool:
    """Return whether the archive at *path* is the kernel's own, which stays while it runs.

    While a module provides it, the module's state is in sysfs too: that appears before the
    archive, and goes after it. sysfs gives no two files one inode number, so one that is the same
    before and after a look that found no state was there all the time, without a module.
    """
    inode = _inode(path)
    if inode is None or os.path.exists(os.path.join(module, "initstate")):
        return False
    return _inode(path) == inode


def _inode(path: str) -> int | None:
    """Return the inode number of the file at *path*, or None if there is none."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _run(*command: str) -> bool:
    """Run *command* silently; return whether it could be started and ended with status 0."""
    silent = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    try:
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=silent)
    except OSError:
        return False
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _read_whole(path: str) -> bytes | None:
    """Return the file's bytes, or None if it went away or is not whole. Raises PermissionError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError:
        return None
    try:
        parts = list(iter(lambda: os.read(fd, _READ_SIZE), b""))
        return b"".join(parts) if sum(map(len, parts)) == os.fstat(fd).st_size else None
    except OSError:
        return None
    finally:
        os.close(fd)


def _from_archive_file(kernel: Kernel, root: str, tried: list[str]) -> FoundArchive | None:
    """Return the first archive that somebody put where kernels' archives belong."""
    for stem in (f"usr/lib/kheaders/{kernel.release}", f"boot/kheaders-{kernel.release}"):
        for suffix in ARCHIVE_SUFFIXES:
            path = os.path.join(root, stem + suffix)
            if os.path.isfile(path):
                return FoundArchive(path, None)
        tried.append(f"{os.path.join(root, stem)}.{{tar,cpio}}{{{','.join(_COMPRESSIONS)}}}")
    return None


def installed_archive(release: str) -> str:
    """Return where an archive belongs that the whole machine is to find."""
    return f"/usr/lib/kheaders/{release}.tar.zst"


def fetched_archive(release: str, directory: str) -> str:
    """Return where an archive belongs that was fetched into the cache *directory*."""
    return os.path.join(directory, "fetched", f"{release}.tar.zst")


def _from_cache(kernel: Kernel, directory: str, tried: list[str]) -> FoundArchive | None:
    """Return the archive that this user fetched before. Raises ArchiveUnavailable."""
    path = fetched_archive(kernel.release, directory)
    if os.path.isfile(path):
        require_own(os.path.dirname(path))
        return FoundArchive(path, None)
    tried.append(path)
    return None


def _header_tree(kernel: Kernel, root: str, tried: list[str]) -> HeaderTree | None:
    """Return the header tree that a package or a build left for *kernel*."""
    modules = os.path.join(root, "lib/modules", kernel.release)
    for objtree in (
        _build_tree(modules),
        os.path.join(root, "usr/src", f"linux-headers-{kernel.release}"),
        os.path.join(root, "usr/src/kernels", kernel.release),
    ):
        if not is_configured(objtree):
            tried.append(objtree)
        elif os.path.ismount(objtree):
            tried.append(f"{objtree} (a mounted file system)")
        elif srctree := _source_tree(objtree, os.path.join(modules, "source")):
            return HeaderTree(srctree, objtree)
        else:
            tried.append(f"{objtree} (generated headers only, their sources are missing)")
    return None


def _build_tree(modules: str) -> str:
    """Return what ``build`` in the modules directory leads to, on the machine that it is of."""
    link = os.path.join(modules, "build")
    return link if root_above(modules) == "/" else resolve(link)


def _source_tree(objtree: str, source_link: str) -> str | None:
    """Return the directory with the sources that *objtree* was built from.

    Ubuntu's object tree has symbolic links into its source tree. Debian's has none:
    its makefile includes the one of the source tree, and ``source`` of the modules
    directory points there. Where each file is a link to one of any name, as in some stores
    of packages, the links themselves are the sources.
    """
    mark = os.path.join(objtree, SOURCE_MARK)
    if os.path.isfile(mark):
        root, found, rest = os.path.realpath(mark).rpartition("/" + SOURCE_MARK)
        return root if found and not rest else os.path.realpath(objtree)
    try:
        included = included_sources(objtree)
    except OSError as error:
        raise ArchiveUnavailable(f"cannot read {objtree}/Makefile: {reason(error)}") from error
    for candidate in (included, resolve(source_link)):
        if candidate and os.path.isfile(os.path.join(candidate, SOURCE_MARK)):
            return os.path.realpath(candidate)
    return None
