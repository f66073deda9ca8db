"""The options that say how an archive is written, which pack, repack and merge have in common."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kheadersfs.errors import UsageError
from kheadersfs.pack.writing import Form

if TYPE_CHECKING:
    import argparse

FORMATS = ("tar", "cpio")
_COMPRESSION_OF_SUFFIX = {
    ".xz": "xz",
    ".txz": "xz",
    ".zst": "zstd",
    ".zstd": "zstd",
    ".tzst": "zstd",
    ".gz": "gzip",
    ".tgz": "gzip",
    ".taz": "gzip",
    ".tar": "none",
    ".cpio": "none",
}
COMPRESSIONS = ("xz", "zstd", "gzip", "none")


def add_form(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="the format of OUT; by default what its name says, else tar",
    )
    parser.add_argument(
        "--compress",
        choices=COMPRESSIONS,
        help="xz is smallest, zstd is fastest to read; gzip and none have neither blocks nor an "
        "index. By default what the name of OUT says, else xz",
    )


def chosen_form(format_name: str | None, compression: str | None, output: str) -> Form:
    """Return what the options say, and where they say nothing, the name of *output*.

    Raises UsageError when that promises what is not written.
    """
    stem, suffix = os.path.splitext(os.path.basename(output))
    if compression is None:
        if suffix not in _COMPRESSION_OF_SUFFIX and _promises_something(suffix):
            raise UsageError(
                f"{output}: {suffix} cannot be written; end the name in .tar.xz or .tar.zst, or "
                "say with --compress what it is to be"
            )
        compression = _COMPRESSION_OF_SUFFIX.get(suffix, "xz")
    if format_name is None:
        format_name = "cpio" if ".cpio" in (suffix, os.path.splitext(stem)[1]) else "tar"
    return Form(format_name, compression)


def _promises_something(suffix: str) -> bool:
    """Tell whether *suffix*, with its dot, names a form; 6.1 and 6.1.0-rc1 end in numbers."""
    return suffix == ".7z" or suffix[1:2].isalpha()
