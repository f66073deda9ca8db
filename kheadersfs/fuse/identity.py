"""Find which kernel's headers a mount shows: in the server, and by asking a server."""

from __future__ import annotations

import os
import stat

from kheadersfs.errors import DamagedArchive, MountpointError, RefusedArchive, reason
from kheadersfs.kernel.release import (
    CONFIGURATION_HEADER,
    LARGEST_DESCRIPTION,
    RELEASE_HEADER,
    Kernel,
    headers_arch,
    headers_release,
)
from kheadersfs.mount.asking import KERNEL_ATTRIBUTE, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.content import Content
    from kheadersfs.tree import Tree


def kernel_of(content: Content, tree: Tree, number: int | None = None) -> Kernel:
    """Return the kernel whose headers *tree*, of the archive's *content*, shows.

    *number* is which of several kernels is shown, None for all. A field is empty if the headers do
    not say it, and both are if several kernels are shown.
    """
    if content.kernels:
        if number is None:
            return Kernel("", "")
        return Kernel(content.kernels[number].release, content.kernels[number].arch)
    return Kernel(
        content.release or _find(content, tree, RELEASE_HEADER, headers_release),
        content.arch or _find(content, tree, CONFIGURATION_HEADER, headers_arch),
    )


def _find(content: Content, tree: Tree, path: str, parse: Callable[[bytes], str | None]) -> str:
    """Return what *parse* finds in the header at *path*, empty if it cannot be read."""
    from kheadersfs.store import Store  # 10 ms, which only the server pays

    inode = tree.resolve(path.encode())
    if not inode or not stat.S_ISREG(tree.attributes(inode).mode):
        return ""
    if tree.attributes(inode).size > LARGEST_DESCRIPTION:
        return ""
    try:
        # A store of its own reads it, so that it does not count as content that users read.
        return parse(Store(content.blocks, 0).read(*tree.extent(inode))) or ""
    except (DamagedArchive, RefusedArchive):
        return ""  # a process that reads that header gets the error


def encode(kernel: Kernel) -> bytes:
    """Return the value of KERNEL_ATTRIBUTE: the release, a newline, the architecture."""
    return f"{kernel.release}\n{kernel.arch}".encode(errors="replace")


def ask_kernel(mountpoint: str) -> Kernel:
    """Ask the server of *mountpoint* which kernel's headers it shows.

    A field is empty if the headers do not say it, and both are if the archive is damaged. No file
    is opened. Raises MountpointError when the server does not answer.
    """
    try:
        # For this the server has to read the archive, so that it knows the kernel after it.
        os.stat(os.path.join(mountpoint, RELEASE_HEADER))
    except OSError:
        pass  # not every archive has this header, and a damaged one gives an error
    try:
        answer = ask(mountpoint, KERNEL_ATTRIBUTE)
    except OSError as error:
        raise MountpointError(f"{mountpoint}: cannot ask its server: {reason(error)}") from error
    release, _, arch = answer.decode(errors="replace").partition("\n")
    return Kernel(_printable(release), _printable(arch))


def _printable(word: str) -> str:
    """Return *word* if a kernel may be called that, else nothing. The server is not trusted."""
    return word if word.isprintable() and " " not in word else ""
