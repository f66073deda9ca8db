"""Which kind of archive a file is, from its first bytes, and whether one that is plain is whole."""

from __future__ import annotations

from kheadersfs.archive import xz, zstd
from kheadersfs.errors import DamagedArchive, UnsupportedArchive, without_members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.source import Source

MAGICS = {
    "xz": xz.MAGIC,
    "zstd": zstd.MAGIC,
    "gzip": b"\x1f\x8b\x08",
    "bzip2": b"BZh",
    "lz4": b"\x04\x22\x4d\x18",
}
_CPIO_MAGICS = (b"070701", b"070702", b"070707")
TAR_BLOCK = 512
# GNU cpio and tar pad to their output block; nobody uses larger ones than this.
_LARGEST_PADDING = 1 << 20


def sniff(source: Source) -> str:
    """Return how *source* is compressed, from its first bytes.

    A tar begins with the name of its first member, which may be anything. Raises
    UnsupportedArchive when it is neither compressed nor tar nor cpio, DamagedArchive when it is a
    tar of nothing.
    """
    head = source.read_at(0, min(TAR_BLOCK, source.size))
    if is_tar_header(head) or is_cpio(head):
        return "none"
    for compression, magic in MAGICS.items():
        if head.startswith(magic):
            return compression
    if _is_empty_tar(source):
        raise without_members(source.name)
    raise UnsupportedArchive(
        f"{source.name}: is neither tar nor cpio, plain or compressed with "
        f"{', '.join(MAGICS)}; give an archive of kernel headers"
    )


def is_cpio(head: bytes) -> bool:
    """Tell whether *head* begins a cpio archive, and not a tar whose first name looks like it."""
    return head.startswith(_CPIO_MAGICS) and not is_tar_header(head[:TAR_BLOCK])


def is_tar_header(head: bytes) -> bool:
    """Tell whether *head* is a tar header, by its checksum (old tar has no magic)."""
    if len(head) < TAR_BLOCK:
        return False
    try:
        stated = int(head[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return stated == sum(head) - sum(head[148:156]) + 8 * 0x20


def _is_empty_tar(source: Source) -> bool:
    """Tell whether *source* is the end marker of a tar and nothing else, padded or not."""
    size = source.size
    if size % TAR_BLOCK or not 2 * TAR_BLOCK <= size <= _LARGEST_PADDING:
        return False
    return source.read_at(0, size) == bytes(size)


def check_end(source: Source) -> None:
    """Check that an uncompressed archive has its end marker. Raises DamagedArchive."""
    head = source.read_at(0, min(TAR_BLOCK, source.size))
    tail = source.read_at(
        max(0, source.size - _LARGEST_PADDING), min(source.size, _LARGEST_PADDING)
    )
    if is_cpio(head):
        complete = b"TRAILER!!!" in tail
    else:
        complete = source.size % TAR_BLOCK == 0 and tail.endswith(bytes(2 * TAR_BLOCK))
    if not complete:
        raise DamagedArchive(
            f"{source.name}: has no end marker: it is truncated; make or fetch it again"
        )
