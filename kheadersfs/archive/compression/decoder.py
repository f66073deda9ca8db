"""Decode one block with a decoder like those of lzma and zstd, and no more of it than is announced.

Such a decoder decodes up to a number of bytes at a time, and knows whether the block has ended.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    class Decoder(Protocol):
        """What a decoder offers, as the standard library documents it of lzma.LZMADecompressor."""

        @property
        def eof(self) -> bool:
            """Whether the end was reached."""

        @property
        def unused_data(self) -> bytes:
            """What was given to it behind the end."""

        def decompress(self, data: bytes, max_length: int) -> bytes:
            """Return up to *max_length* bytes."""


def decode_whole(
    decoder: Decoder, failure: type[Exception], stored: bytes, decoded_size: int
) -> bytes:
    """Return what *stored* decodes to: exactly *decoded_size* bytes.

    Raises ValueError when it does not decode to that, or when *decoder* raises *failure*.
    """
    try:
        # One byte more than announced, so that a block that lies is noticed and not unpacked.
        decoded = decoder.decompress(stored, decoded_size + 1)
    except failure as error:
        raise ValueError(str(error)) from error
    _check_end(decoder, len(decoded), decoded_size)
    return decoded


def decode_gradually(
    decoder: Decoder,
    failure: type[Exception],
    stored: Iterable[bytes],
    decoded_size: int,
    piece_size: int,
) -> Iterator[bytes]:
    """Yield what the pieces *stored* decode to, in pieces of at most *piece_size* bytes.

    A checksum comes last: what was yielded before the end was not verified yet. Raises ValueError,
    as soon as there is more than *decoded_size*.
    """
    decoded = 0
    try:
        for chunk in stored:
            piece = decoder.decompress(chunk, piece_size)
            while piece:
                decoded += len(piece)
                if decoded > decoded_size:
                    raise ValueError(f"it decodes to more than {decoded_size} bytes")
                yield piece
                piece = b"" if decoder.eof else decoder.decompress(b"", piece_size)
    except (failure, EOFError) as error:
        raise ValueError(str(error)) from error
    _check_end(decoder, decoded, decoded_size)


def _check_end(decoder: Decoder, decoded: int, decoded_size: int) -> None:
    if decoded != decoded_size or not decoder.eof or decoder.unused_data:
        raise ValueError(f"it does not decode to {decoded_size} bytes")
