"""Where kernel trees are looked for: this machine's files, or others that answer like them."""

from __future__ import annotations

import os


class Files:
    """This machine's files. Each method does what the function of os of its name does."""

    def exists(self, path: str) -> bool:
        """Tell whether *path* leads to something."""
        return os.path.exists(path)

    def lexists(self, path: str) -> bool:
        """Tell whether there is something at *path*, be it a link to nothing."""
        return os.path.lexists(path)

    def isdir(self, path: str) -> bool:
        """Tell whether *path* leads to a directory."""
        return os.path.isdir(path)

    def isfile(self, path: str) -> bool:
        """Tell whether *path* leads to a regular file."""
        return os.path.isfile(path)

    def islink(self, path: str) -> bool:
        """Tell whether there is a symlink at *path*."""
        return os.path.islink(path)

    def readlink(self, path: str) -> str:
        """Return the target of the symlink at *path*. Raises OSError."""
        return os.readlink(path)

    def listdir(self, path: str) -> list[str]:
        """Return the names in the directory *path*. Raises OSError."""
        return os.listdir(path)

    def realpath(self, path: str) -> str:
        """Return *path* without symlinks, as far as there is something."""
        return os.path.realpath(path)

    def read(self, path: str, limit: int = -1) -> bytes:
        """Return the content of the file at *path*, of at most *limit* bytes. Raises OSError."""
        with open(path, "rb") as stream:
            return stream.read(limit)


MACHINE = Files()
"""The files of this machine."""
