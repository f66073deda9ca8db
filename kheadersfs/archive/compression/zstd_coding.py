"""Frames of zstd files: decode one, and encode one for a file of several with a seek table.

The compressed data is libzstd's business.
"""

from __future__ import annotations

import os
import sys

from kheadersfs.archive.compression.decoder import decode_gradually, decode_whole
from kheadersfs.archive.compression.kind import ZSTD_MAGIC
from kheadersfs.archive.compression.zstd import (
    BLOCK_SIZE_LIMIT,
    CHECKSUM_SIZE,
    RAW,
    SEEK_TABLE_FRAME,
    SEEK_TABLE_MAGIC,
)
from kheadersfs.errors import KheadersfsError
from kheadersfs.importing import stand_ins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

_PLAIN_DESCRIPTOR = 0xE4
"""It says that a frame has a content size of 8 bytes, a single segment and a checksum."""


_imported: ModuleType | None = None


def import_library() -> ModuleType:
    """Return the zstd module of the standard library, before Python 3.14 its backport.

    Where that is not installed, what stands in for it is. Raises KheadersfsError without any.
    """
    global _imported
    if _imported is None:
        # Python looks again for a module that it did not find, and a restricted process cannot.
        _imported = _import()
    return _imported


def _import() -> ModuleType:
    """See import_library()."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        pass
    else:
        return zstd
    try:
        from kheadersfs.archive.compression import libzstd
    except (OSError, AttributeError) as error:
        raise KheadersfsError(
            f"zstd needs the package backports.zstd, or libzstd, which cannot be loaded: {error}; "
            "install one of them: pip install backports.zstd"
        ) from error
    return libzstd


def prepare() -> None:
    """Import the library in a process that will use it, and no other part of its package.

    The packages of backports ask pkgutil where they lie, and the numbers of parameters become an
    enumeration. Without these two modules the import takes 3 ms instead of 11. Raises what
    import_library() raises.
    """
    with stand_ins({"pkgutil": {"extend_path": _extend_path}, "enum": {"IntEnum": object}}):
        import_library()


def _extend_path(path: list[str], package: str) -> list[str]:
    """Return where else a part of *package* may lie; see pkgutil.extend_path()."""
    return [*path, *(os.path.join(entry, package) for entry in sys.path)]


def decode_frame(stored: bytes, decoded_size: int) -> bytes:
    """Return the content of the one frame in *stored*: exactly *decoded_size* bytes.

    Raises ValueError when it does not decode to that, or fails its own checksum.
    """
    library = import_library()
    return decode_whole(library.ZstdDecompressor(), library.ZstdError, stored, decoded_size)


def decode_pieces(stored: Iterable[bytes], decoded_size: int, piece_size: int) -> Iterator[bytes]:
    """Yield the content of the one frame in *stored* in pieces of at most *piece_size* bytes.

    A checksum comes last: what was yielded before the end was not verified yet. Raises ValueError,
    as soon as there is more than *decoded_size*.
    """
    library = import_library()
    decoder = library.ZstdDecompressor()
    return decode_gradually(decoder, library.ZstdError, stored, decoded_size, piece_size)


def encode_plain_frame(content: bytes) -> bytes:
    """Put *content* into a frame as it is (RFC 8878, 3.1.1.1 and 3.1.1.2); see plain_content()."""
    # Any frame that libzstd makes of the content, at whatever level, ends with its checksum.
    checksum = encode_frame(content, 1)[-CHECKSUM_SIZE:]
    pieces = [ZSTD_MAGIC, bytes((_PLAIN_DESCRIPTOR,)), len(content).to_bytes(8, "little")]
    for start in range(0, len(content), BLOCK_SIZE_LIMIT):
        piece = content[start : start + BLOCK_SIZE_LIMIT]
        is_last = start + len(piece) == len(content)
        pieces += ((len(piece) << 3 | RAW << 1 | is_last).to_bytes(3, "little"), piece)
    return b"".join((*pieces, checksum))


def encode_frame(content: bytes, level: int) -> bytes:
    """Compress *content* to one frame that states its size and ends with a checksum."""
    library = import_library()
    parameter = library.CompressionParameter
    options = {parameter.compression_level: level, parameter.checksum_flag: 1}
    compressed: bytes = library.compress(content, options=options)
    return compressed


def encode_seek_table(sizes: list[tuple[int, int]]) -> bytes:
    """Return the skippable frame that lists (stored, decoded) sizes of all frames before it."""
    entries = b"".join(
        stored.to_bytes(4, "little") + decoded.to_bytes(4, "little") for stored, decoded in sizes
    )
    content = entries + len(sizes).to_bytes(4, "little") + b"\0" + SEEK_TABLE_MAGIC
    return SEEK_TABLE_FRAME + len(content).to_bytes(4, "little") + content
