"""Tells the compression of an archive by its first bytes, and whether a plain archive is whole."""

from __future__ import annotations

from kheadersfs.archive.compression import skippable
from kheadersfs.archive.compression.kinds import KINDS, PLAIN, kind_of
from kheadersfs.archive.cpio import fields as cpio
from kheadersfs.archive.tar import fields as tar
from kheadersfs.errors import DamagedArchive, UnsupportedArchive, quoted, without_members
from kheadersfs.limits import DEFAULT_LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.compression.kind import Compression
    from kheadersfs.archive.source import Source
    from kheadersfs.limits import Limits

DEB_MAGIC = b"!<arch>\n"
RPM_MAGIC = b"\xed\xab\xee\xdb"
"""What packages of Debian and of RPM begin with. Commands read them by way of packages/."""
_PACKAGES = (DEB_MAGIC + b"debian", RPM_MAGIC)
_OTHERS = {
    b"LZIP": ("lzip", "lzip -dc"),
    b"\x89LZO\0\r\n\x1a\n": ("lzop", "lzop -dc"),
    b"\x1f\x9d": ("compress", "gzip -dc"),
    b"PK\x03\x04": ("zip", "bsdtar -cf - @-"),
    # lzma has no magic. These bytes are the default settings and the low bytes of the size of the
    # dictionary, which is a multiple of 64 KiB.
    b"\x5d\0\0": ("lzma", "xz -dc"),
}
"""Compressions that are not supported, by magic: the name of each, and a command for it."""
_LONGEST_MAGIC = 16
"""Bytes that are enough for the magic of any compression."""


def sniff(source: Source, limits: Limits = DEFAULT_LIMITS) -> Compression:
    """Return the compression of *source*, by its first bytes; PLAIN for a tar or cpio.

    A tar is recognised first: it begins with the name of a member, which may look like any magic.
    Raises UnsupportedArchive when *source* is none of these, DamagedArchive when it is a tar
    without members, RefusedArchive when more bytes have to be skipped at its start than *limits*
    allow.
    """
    head = source.read_at(0, min(tar.BLOCK, source.size))
    if tar.is_header(head) or cpio.is_header(head):
        return PLAIN
    if skippable.size_of(head):
        offset = skippable.first_content(source, limits)
        head = source.read_at(offset, min(_LONGEST_MAGIC, source.size - offset))
    kind = kind_of(head)
    if kind is not None:
        return kind
    if _is_empty_tar(source):
        raise without_members(source.name)
    if head.startswith(cpio.OLD_MAGICS):
        raise old_cpio(source.name)
    if head.startswith(_PACKAGES):
        raise UnsupportedArchive(
            f"{source.name}: is a package, not an archive; make an archive of it: kheadersfs pack "
            f"{quoted(source.name)} -o NEW.tar.zst"
        )
    for magic, (compression, command) in _OTHERS.items():
        if head.startswith(magic):
            raise UnsupportedArchive(
                f"{source.name}: is compressed with {compression}, which is not read here; convert "
                f"it: {command} <{quoted(source.name)} | zstd >NEW.zst"
            )
    raise UnsupportedArchive(
        f"{source.name}: is neither tar nor cpio, plain or compressed with "
        f"{', '.join(kind.name for kind in KINDS)}; give an archive of kernel headers"
    )


def may_be_package(source: Source) -> bool:
    """Tell whether *source* begins like a package. Raises what its read_at() raises."""
    head = source.read_at(0, min(len(DEB_MAGIC), source.size))
    return head.startswith((DEB_MAGIC, RPM_MAGIC))


def old_cpio(archive: str) -> UnsupportedArchive:
    """Return what to raise when *archive* is of cpio's old binary format."""
    return UnsupportedArchive(
        f"{archive}: is an old binary cpio archive; convert it: "
        f"bsdtar -c --format newc -f NEW.cpio {quoted(f'@{archive}')}"
    )


def _is_empty_tar(source: Source) -> bool:
    """Tell whether *source* is nothing but the end marker of a tar and its padding."""
    size = source.size
    if size % tar.BLOCK or not 2 * tar.BLOCK <= size <= tar.LARGEST_PADDING:
        return False
    return source.read_at(0, size) == bytes(size)


def check_end(source: Source) -> None:
    """Check that an uncompressed archive may end where *source* does. Raises DamagedArchive.

    A cpio must have its end marker. A tar may end behind any member, which is at a multiple of
    512 bytes.
    """
    complete = source.size % tar.BLOCK == 0
    if cpio.is_header(source.read_at(0, min(tar.BLOCK, source.size))):
        length = min(source.size, tar.LARGEST_PADDING)
        complete = cpio.TRAILER in source.read_at(source.size - length, length)
    if not complete:
        raise DamagedArchive(
            f"{source.name}: does not end where an archive can: it is truncated; "
            "make or fetch it again"
        )
