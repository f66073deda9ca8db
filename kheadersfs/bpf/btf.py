"""Read files that describe types in BTF: the kernel's own in sysfs, or a section of an ELF file.

Opening and reading are two steps, because the process that reads may open nothing any more.
Source: Documentation/bpf/btf.rst in the kernel's sources, elf(5).
"""

from __future__ import annotations

import os
import struct

from kheadersfs.errors import KheadersfsError, UsageError, reason
from kheadersfs.records import Record

RUNNING_KERNEL_BTF = "/sys/kernel/btf/vmlinux"

_BTF_MAGICS = (b"\x9f\xeb", b"\xeb\x9f")  # of little-endian and of big-endian machines
_ELF_MAGIC = b"\x7fELF"
_SECTION = b".BTF"
# BTF takes some megabytes, also in a vmlinux that has debugging information besides.
_LARGEST_BTF = 64 << 20
_PIECE = 1 << 20


class BtfFile(Record):
    """An open file with BTF. ``path`` is for messages."""

    descriptor: int
    path: str

    def read(self) -> bytes:
        """Return the BTF in it. Raises KheadersfsError if there is none, or not all of it."""
        try:
            head = os.pread(self.descriptor, len(_ELF_MAGIC), 0)
            offset, size = 0, _LARGEST_BTF
            if head == _ELF_MAGIC:
                offset, size = _find_section(self.descriptor)
            pieces: list[bytes] = []
            while size and (piece := os.pread(self.descriptor, min(size, _PIECE), offset)):
                pieces.append(piece)
                offset += len(piece)
                size -= len(piece)
        except OSError as error:
            raise KheadersfsError(f"{self.path}: cannot be read: {reason(error)}") from error
        except (struct.error, ValueError) as error:
            raise KheadersfsError(f"{self.path}: has no section {_SECTION.decode()}") from error
        return b"".join(pieces)


def open_btf(path: str) -> BtfFile:
    """Open *path*, which must look like BTF or an ELF file, to be read later.

    Raises KheadersfsError if it cannot be opened, UsageError if it is something else.
    """
    try:
        # O_NONBLOCK: opening a fifo must not wait for somebody to write.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KheadersfsError(f"{path}: cannot be opened: {reason(error)}") from error
    try:
        head = os.pread(descriptor, len(_ELF_MAGIC), 0)
    except OSError:
        head = b""  # a directory, or nothing that has positions
    if head[:2] not in _BTF_MAGICS and head != _ELF_MAGIC:
        os.close(descriptor)
        raise UsageError(
            f"{path}: describes no types; name a file with BTF: the kernel's {RUNNING_KERNEL_BTF}, "
            "or a vmlinux that was built with CONFIG_DEBUG_INFO_BTF"
        )
    return BtfFile(descriptor, path)


def _find_section(descriptor: int) -> tuple[int, int]:
    """Return offset and size of the section with BTF in an ELF file.

    Raises ValueError or struct.error if there is none.
    """
    ident = os.pread(descriptor, 16, 0)
    order = {1: "<", 2: ">"}[ident[5]] if len(ident) == 16 and ident[5] in (1, 2) else ""
    if not order or ident[4] not in (1, 2):
        raise ValueError("neither 32 nor 64 bits")
    wide = ident[4] == 2
    header = struct.Struct(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"))
    fields = header.unpack(os.pread(descriptor, header.size, len(ident)))
    table, entry_size, count, names = fields[5], fields[10], fields[11], fields[12]
    section = struct.Struct(order + ("IIQQQQIIQQ" if wide else "10I"))
    if entry_size != section.size or names >= count:
        raise ValueError("no table of sections")
    sections = list(section.iter_unpack(_exactly(descriptor, count * section.size, table)))
    text = _exactly(descriptor, sections[names][5], sections[names][4])
    for fields in sections:
        if text[fields[0] :].startswith(_SECTION + b"\0") and fields[5] <= _LARGEST_BTF:
            return fields[4], fields[5]
    raise ValueError("no such section")


def _exactly(descriptor: int, size: int, offset: int) -> bytes:
    if size > _LARGEST_BTF:
        raise ValueError("absurd size")
    content = os.pread(descriptor, size, offset)
    if len(content) != size:
        raise ValueError("the file ends before")
    return content
