"""The C library libzstd, under those names of Python 3.14's module compression.zstd that we use.

A distribution before that Python need not have its backport: Debian 12 and 13 do not, but both have
the library, since libarchive and apt are built on it. Sources: zstd.h of version 1.4 (streaming
decompression, advanced compression; stable since then), and Python's documentation of the module.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char, c_char_p, c_int, c_size_t, c_uint, c_void_p
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIBRARY = "libzstd.so.1"


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer, which differ in a const."""

    _fields_ = (("start", c_void_p), ("size", c_size_t), ("position", c_size_t))


def _load() -> ctypes.CDLL:
    """Return the library, with the types of its functions. Raises OSError, AttributeError."""
    library = ctypes.CDLL(_LIBRARY)
    buffer = ctypes.POINTER(_Buffer)
    for name, result, *arguments in (
        ("isError", c_uint, c_size_t),
        ("getErrorName", c_char_p, c_size_t),
        ("createDStream", c_void_p),
        ("freeDStream", c_size_t, c_void_p),
        ("decompressStream", c_size_t, c_void_p, buffer, buffer),
        ("createCCtx", c_void_p),
        ("freeCCtx", c_size_t, c_void_p),
        ("CCtx_setParameter", c_size_t, c_void_p, c_int, c_int),
        ("compressBound", c_size_t, c_size_t),
        ("compress2", c_size_t, c_void_p, c_void_p, c_size_t, c_char_p, c_size_t),
    ):
        function = getattr(library, f"ZSTD_{name}")
        function.restype, function.argtypes = result, arguments
    return library


_zstd = _load()


class ZstdError(Exception):
    """What libzstd says is wrong."""


class CompressionParameter:
    """The numbers of ZSTD_cParameter."""

    compression_level = 100
    checksum_flag = 201


def _checked(result: int) -> int:
    """Return *result* of a function unless it is an error. Raises ZstdError."""
    if _zstd.ZSTD_isError(result):
        raise ZstdError(_zstd.ZSTD_getErrorName(result).decode())
    return result


def _address(room: bytearray) -> int:
    """Return where *room* lies; a type of ctypes for each size would stay for ever."""
    return ctypes.addressof(c_char.from_buffer(room))


class ZstdDecompressor:
    """Decodes one frame. Not for use by two threads at once."""

    def __init__(self) -> None:
        self.eof = False
        """Whether the frame is complete."""
        self.unused_data = b""
        """What came behind the frame."""
        self._waiting = b""
        self._stream = c_void_p(_zstd.ZSTD_createDStream())
        if not self._stream:
            raise MemoryError

    def __del__(self) -> None:
        _zstd.ZSTD_freeDStream(self._stream)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return up to *max_length* bytes of what *data*, after all before it, decodes to.

        What does not fit is returned by the next calls. Raises ZstdError, EOFError when the frame
        has ended before.
        """
        if self.eof:
            raise EOFError("the frame has ended")
        stored = self._waiting + data
        room = bytearray(max(max_length, 1))
        source = _Buffer(ctypes.cast(c_char_p(stored), c_void_p), len(stored), 0)
        target = _Buffer(_address(room), max_length, 0)
        while True:
            step = _zstd.ZSTD_decompressStream(self._stream, byref(target), byref(source))
            self.eof = _checked(step) == 0
            if self.eof or max_length == target.position or len(stored) == source.position:
                break
        rest = stored[source.position :]
        self._waiting, self.unused_data = (b"", rest) if self.eof else (rest, b"")
        return bytes(memoryview(room)[: target.position])


def compress(data: bytes, options: Mapping[int, int]) -> bytes:
    """Return *data* as one frame that states its size. Raises ZstdError."""
    context: Any = c_void_p(_zstd.ZSTD_createCCtx())
    if not context:
        raise MemoryError
    try:
        for parameter, value in options.items():
            _checked(_zstd.ZSTD_CCtx_setParameter(context, parameter, value))
        room = bytearray(_zstd.ZSTD_compressBound(len(data)))
        end = _zstd.ZSTD_compress2(context, _address(room), len(room), data, len(data))
        return bytes(memoryview(room)[: _checked(end)])
    finally:
        _zstd.ZSTD_freeCCtx(context)
