"""A small tree that has everything awkward in it, and archives of it in every supported form.

The archives are made by the programs whose archives people have: GNU tar, GNU cpio, bsdtar and the
ordinary compressors.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SPARSE_SIZE = 3 << 20
_FIRST_TIME = 1_600_000_000_123_456_789
_STEP = 86_400_111_111_111


def make_tree(root: Path) -> None:
    """Make the tree at *root*, which must not exist."""
    top = os.fsencode(root)
    _make_files(top)
    _make_links(top)
    _make_names(top)
    _make_long_names(top)
    _make_sparse(os.path.join(top, b"sparse"))
    _set_times(top)


def _write(top: bytes, name: bytes, content: bytes, mode: int = 0o644) -> None:
    path = os.path.join(top, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(content)
    os.chmod(path, mode)


def _make_files(top: bytes) -> None:
    """Contents around the sizes where something changes, and every kind of permission."""
    generator = random.Random(6)
    for size in (0, 1, 511, 512, 513, 4095, 4096, 4097, 65_536, 262_144, 300_000):
        _write(top, b"sizes/%d" % size, generator.randbytes(size))
    _write(top, b"include/linux/kconfig.h", b"#define CONFIG_X86 1\n" * 5000)
    for mode in (0o644, 0o600, 0o444, 0o755, 0o700, 0o640):
        _write(top, b"modes/%o" % mode, b"mode\n", mode)
    os.makedirs(os.path.join(top, b"empty/within"))
    os.mkdir(os.path.join(top, b"modes/closed"), 0o700)
    os.mkdir(os.path.join(top, b"modes/open"))
    os.chmod(os.path.join(top, b"modes/open"), 0o1777)


def _make_links(top: bytes) -> None:
    _write(top, b"links/one", b"three names, one file\n")
    os.mkdir(os.path.join(top, b"links/deeper"))
    for name in (b"links/two", b"links/deeper/three"):
        os.link(os.path.join(top, b"links/one"), os.path.join(top, name))
    _write(top, b"links/empty", b"")
    os.link(os.path.join(top, b"links/empty"), os.path.join(top, b"links/also-empty"))
    for name, target in (
        (b"relative", b"../sizes/513"),
        (b"directory", b"../include"),
        (b"dangling", b"nowhere"),
        (b"absolute", b"/etc/hostname"),
        (b"loop", b"loop"),
        (b"raw-\xff", b"target-\xe9\n"),
    ):
        os.symlink(target, os.path.join(top, b"links", name))


def _make_names(top: bytes) -> None:
    for name in (
        b"latin-1-\xe9",
        b"\xff\xfe\xfd",
        "utf-8-\N{SNOWMAN}".encode(),
        b"new\nline",
        b"tab\tspace quote'\"back\\slash",
        b"-dash",
        b"...",
        b"*",
        b"%s%n",
    ):
        _write(top, b"names/" + name, name)
        _write(top, b"names/below-" + name + b"/x", name)


def _make_long_names(top: bytes) -> None:
    """Names that need an extension of tar: more than 100 bytes in one part, 255 in all."""
    _write(top, b"long/" + b"n" * 101, b"over a hundred\n")
    _write(top, b"long/" + b"n" * 255, b"as long as can be\n")
    deep = b"/".join([b"d" * 60] * 8)
    _write(top, b"long/" + deep + b"/leaf", b"deep\n")
    os.symlink(b"t" * 300, os.path.join(top, b"long/symlink"))
    target = os.path.join(top, b"long", deep, b"leaf")
    os.link(target, os.path.join(top, b"long/hard-link-to-leaf"))
    # 100 to 255 bytes that ustar can split between its two fields.
    _write(top, b"/".join([b"s" * 70] * 3) + b"/leaf", b"split\n")


def _make_sparse(path: bytes) -> None:
    """Make a file with data at its start, in the middle and before its end, and holes between."""
    with open(path, "wb") as stream:
        stream.write(b"start")
        stream.seek(SPARSE_SIZE // 2)
        stream.write(b"middle" * 1000)
        stream.seek(SPARSE_SIZE - 8192)
        stream.write(b"nearly the end")
        stream.truncate(SPARSE_SIZE)


def _set_times(top: bytes) -> None:
    """Give every name a time of its own, children first so that directories keep theirs."""
    when = _FIRST_TIME
    for directory, directories, files in os.walk(top, topdown=False):
        directories.sort()
        for name in [*sorted(files), b"."]:
            os.utime(os.path.join(directory, name), ns=(when, when), follow_symlinks=False)
            when += _STEP


class Form(NamedTuple):
    """A way to write a tree as an archive. ``command`` reads names, each ended by NUL, from its
    standard input and writes to standard output; ``without`` are top-level names that it cannot
    hold."""

    name: str
    command: Sequence[str]
    without: frozenset[bytes] = frozenset()

    @property
    def is_cpio(self) -> bool:
        """Whether GNU cpio, and not GNU tar, says what extraction yields."""
        return "newc" in self.name or "crc" in self.name or "odc" in self.name


def _tar(*arguments: str) -> list[str]:
    return ["tar", "-c", "--no-recursion", "--null", "-T", "-", *arguments]


def _bsdtar(form: str) -> list[str]:
    return ["bsdtar", "-c", "-n", "--null", "-T", "-", "--format", form]


def _cpio(form: str) -> list[str]:
    return ["cpio", "--create", "--null", "--quiet", "--format", form]


_LONG = frozenset((b"long",))
_SPLIT = frozenset((b"long", b"s" * 70))
FORMS = (
    Form("v7", _tar("--format=v7"), _SPLIT),
    Form("ustar", _tar("--format=ustar"), _LONG),
    Form("gnu", _tar("--format=gnu")),
    # A mebibyte of zeros behind the end marker: what checks the end is not read with the members.
    Form("gnu-padded", _tar("--format=gnu", "--blocking-factor=2048")),
    Form("oldgnu-sparse", _tar("--format=oldgnu", "--sparse")),
    Form("gnu-sparse", _tar("--format=gnu", "--sparse")),
    Form("pax", _tar("--format=pax")),
    Form("pax-sparse-0.0", _tar("--format=pax", "--sparse-version=0.0")),
    Form("pax-sparse-0.1", _tar("--format=pax", "--sparse-version=0.1")),
    Form("pax-sparse-1.0", _tar("--format=pax", "--sparse-version=1.0")),
    Form("bsdtar-pax", _bsdtar("pax")),
    Form("newc", _cpio("newc")),
    Form("crc", _cpio("crc")),
    Form("odc", _cpio("odc")),
    Form("bsdtar-newc", _bsdtar("newc")),
)


def names_below(root: Path, without: frozenset[bytes] = frozenset()) -> list[bytes]:
    """Return every name below *root* as ``./a/b``, each directory before its content."""
    top = os.fsencode(root)
    names = [b"."]
    for directory, directories, files in os.walk(top):
        directories[:] = sorted(set(directories) - without)
        names += [
            b"./" + os.path.relpath(os.path.join(directory, name), top)
            for name in sorted([*directories, *files])
            if name not in without
        ]
    return sorted(names)


def write_archive(form: Form, tree: Path, archive: Path) -> None:
    """Write *tree* to the uncompressed *archive* in *form*."""
    names = b"\0".join(names_below(tree, form.without)) + b"\0"
    with open(archive, "wb") as stream:
        subprocess.run(
            form.command, check=True, cwd=tree, input=names, stdout=stream, stderr=subprocess.PIPE
        )


def _filter(*command: str) -> Callable[[bytes], bytes]:
    def compress(content: bytes) -> bytes:
        return subprocess.run(command, check=True, input=content, capture_output=True).stdout

    return compress


def _in_halves(*command: str) -> Callable[[bytes], bytes]:
    """Compress the two halves of the content apart and put one behind the other."""
    compress = _filter(*command)

    def compress_halves(content: bytes) -> bytes:
        middle = len(content) // 2
        return compress(content[:middle]) + compress(content[middle:])

    return compress_halves


def _with_known_size(content: bytes) -> bytes:
    """Compress with zstd in two frames that state their sizes, as from two files."""
    from kheadersfs.archive.compression import zstd_coding

    middle = len(content) // 2
    return zstd_coding.encode_frame(content[:middle], 3) + zstd_coding.encode_frame(
        content[middle:], 3
    )


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": _filter("gzip", "-1"),
    "xz": _filter("xz", "-0"),
    "zstd": _filter("zstd", "-1"),
    "lz4": _filter("lz4", "-1"),
    "bzip2": _filter("bzip2", "-1"),
}
"""The ordinary ways to compress, by name: bytes to bytes."""

VARIANTS: dict[str, Callable[[bytes], bytes]] = {
    "gzip-members": _in_halves("gzip", "-1"),
    "xz-blocks": _filter("xz", "-0", "--block-size=65536"),
    "xz-streams": _in_halves("xz", "-0", "--check=sha256"),
    "xz-threads": _filter("xz", "-0", "-T2", "--block-size=300000"),
    "xz-crc32": _filter("xz", "-0", "--check=crc32"),
    "zstd-frames": _in_halves("zstd", "-1"),
    "zstd-sized-frames": _with_known_size,
    "zstd-unchecked": _filter("zstd", "-1", "--no-check"),
    "lz4-linked": _filter("lz4", "-1", "-BD", "-B4"),
    "bzip2-streams": _in_halves("bzip2", "-1"),
}
"""The same formats as other programs and options write them."""

PROGRAMS = ("tar", "bsdtar", "cpio", "gzip", "xz", "zstd", "lz4", "bzip2")


def missing_programs() -> list[str]:
    """Return which of PROGRAMS this machine lacks."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def require_programs(*programs: str) -> None:
    """Skip the test, or what asks for this, on a machine that lacks one of *programs*."""
    if missing := [program for program in programs if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")


def altered(content: bytes, position: int) -> bytes:
    """Return *content* with one bit changed in the byte at *position*."""
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)
