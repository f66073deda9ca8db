"""The types of the running kernel as one C header, ``vmlinux.h``.

The kernel describes its types in BTF, in /sys/kernel/btf/vmlinux. libbpf turns that
into C (``btf_dump``, see tools/lib/bpf/btf.h in the kernel's sources); the frame
around it is the one that ``bpftool btf dump file ... format c`` prints, so that
a program built with either header is the same.

libbpf writes through a callback with the signature of vfprintf(3). It is given
the C library's own vfprintf and a memory stream, so not one byte of some three
megabytes passes through Python on the way.
"""

from __future__ import annotations

import ctypes
import os
from typing import NamedTuple

RUNNING_KERNEL_BTF = "/sys/kernel/btf/vmlinux"

_LIBRARY = "libbpf.so.1"

_PROLOGUE = b"""\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

"""

_EPILOGUE = b"""\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
"""


class Unavailable(NamedTuple):
    """Why there is no vmlinux.h, in words for a log or for ``status``."""

    reason: str


def vmlinux_header(
    headers_release: str | None, btf: str | None = None, library: str = _LIBRARY
) -> bytes | Unavailable:
    """Return the text of vmlinux.h for headers of *headers_release*.

    Without *btf*, the path of a file with BTF (raw, or an ELF file with a .BTF section),
    the types are those of the running kernel, and headers of another release get none:
    BTF does not name its kernel. Whoever names a file vouches for it.
    """
    running = os.uname().release
    if btf is None and headers_release != running:
        return Unavailable(
            f"the headers are of {headers_release or 'an unnamed release'}, "
            f"the types at hand of the running {running}; name its BTF with --btf"
        )
    try:
        libbpf = ctypes.CDLL(library, use_errno=True)
        declarations = _c_declarations(libbpf, btf or RUNNING_KERNEL_BTF)
    except OSError as error:
        return Unavailable(f"no vmlinux.h: {error}")
    # A function without parameters: older libbpf prints what C reads as unknown parameters.
    return _PROLOGUE + declarations.replace(b"()", b"(void)") + _EPILOGUE


def _c_declarations(libbpf: ctypes.CDLL, btf_path: str) -> bytes:
    """Return every type in *btf_path* as C. Raises OSError if it cannot be read or is no BTF."""
    libbpf.libbpf_set_print(None)  # its warnings would go to our standard error
    libbpf.btf__parse.restype = ctypes.c_void_p
    libbpf.btf__type_cnt.argtypes = [ctypes.c_void_p]
    libbpf.btf__type_cnt.restype = ctypes.c_uint
    libbpf.btf__free.argtypes = [ctypes.c_void_p]
    libbpf.btf__free.restype = None
    libbpf.btf_dump__new.argtypes = [ctypes.c_void_p] * 4
    libbpf.btf_dump__new.restype = ctypes.c_void_p
    libbpf.btf_dump__dump_type.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    libbpf.btf_dump__free.argtypes = [ctypes.c_void_p]
    libbpf.btf_dump__free.restype = None

    btf = libbpf.btf__parse(os.fsencode(btf_path), None)
    if not btf:
        raise _libbpf_error(libbpf, ctypes.get_errno(), btf_path)
    stream = _MemoryStream()
    try:
        dump = libbpf.btf_dump__new(btf, stream.vfprintf, stream.handle, None)
        if not dump:
            raise _libbpf_error(libbpf, ctypes.get_errno(), btf_path)
        try:
            for type_id in range(1, libbpf.btf__type_cnt(btf)):
                failure = libbpf.btf_dump__dump_type(dump, type_id)
                if failure:
                    raise _libbpf_error(libbpf, -failure, btf_path)
        finally:
            libbpf.btf_dump__free(dump)
    finally:
        text = stream.close()
        libbpf.btf__free(btf)
    return text


def _libbpf_error(libbpf: ctypes.CDLL, number: int, path: str) -> OSError:
    """Return the error *number* with libbpf's own words: it has numbers beyond the system's."""
    message = ctypes.create_string_buffer(256)
    libbpf.libbpf_strerror(number, message, len(message))
    return OSError(number, message.value.decode(errors="replace"), path)


class _MemoryStream:
    """A C stream that collects in memory what C code prints (open_memstream(3))."""

    __slots__ = ("_buffer", "_libc", "_size", "handle", "vfprintf")

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.open_memstream.restype = ctypes.c_void_p
        self._libc.fclose.argtypes = [ctypes.c_void_p]
        self._libc.free.argtypes = [ctypes.c_void_p]
        self._buffer = ctypes.c_void_p()
        self._size = ctypes.c_size_t()
        self.vfprintf = ctypes.cast(self._libc.vfprintf, ctypes.c_void_p)
        self.handle = self._libc.open_memstream(
            ctypes.byref(self._buffer), ctypes.byref(self._size)
        )
        if not self.handle:
            raise _system_error()

    def close(self) -> bytes:
        """Close the stream, free its memory, and return what was printed."""
        failed = self._libc.fclose(self.handle) != 0
        try:
            if failed:
                raise _system_error()
            return ctypes.string_at(self._buffer, self._size.value)
        finally:
            self._libc.free(self._buffer)


def _system_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), "memory stream")
