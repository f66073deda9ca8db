"""The types of a kernel as one C header, ``vmlinux.h``.

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

from kheadersfs.bpf.btf import RUNNING_KERNEL_BTF, BtfFile, open_btf
from kheadersfs.errors import KheadersfsError
from kheadersfs.records import Record

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


class Unavailable(Record):
    """Why there is no vmlinux.h, in words for a log."""

    reason: str


class VmlinuxHeader:
    """The library and the open file that vmlinux.h is made of. A process without rights can make
    it.

    ``release`` is that of the kernel whose types the file has. It is None when somebody named the
    file and so vouches for it, as BTF does not name its kernel.
    """

    __slots__ = ("_btf", "_libbpf", "release")

    def __init__(self, libbpf: ctypes.CDLL, btf: BtfFile, release: str | None) -> None:
        self._libbpf = libbpf
        self._btf = btf
        self.release = release

    def why_not_for(self, headers_release: str | None) -> str:
        """Return why headers of *headers_release* do not get this one; empty when they do."""
        if self.release is None or headers_release == self.release:
            return ""
        return (
            f"the headers are of {headers_release or 'an unnamed release'}, "
            f"the types at hand of the running {self.release}; name its BTF with --btf"
        )

    def text(self) -> bytes:
        """Return vmlinux.h: 0.3 s of work, and some 15 MB of memory meanwhile.

        Raises KheadersfsError if there are no types in the file, or damaged ones.
        """
        declarations = _c_declarations(self._libbpf, self._btf)
        # A function without parameters: older libbpf prints what C reads as unknown parameters.
        return _PROLOGUE + declarations.replace(b"()", b"(void)") + _EPILOGUE


def prepare(btf: BtfFile | None = None, library: str = _LIBRARY) -> VmlinuxHeader | Unavailable:
    """Load and open what makes a vmlinux.h of *btf*, by default of the running kernel's: 0.3 ms."""
    try:
        libbpf = ctypes.CDLL(library, use_errno=True)
        if btf is not None:
            return VmlinuxHeader(libbpf, btf, None)
        return VmlinuxHeader(libbpf, open_btf(RUNNING_KERNEL_BTF), os.uname().release)
    except (OSError, KheadersfsError) as error:
        return Unavailable(str(error))


def _c_declarations(libbpf: ctypes.CDLL, file: BtfFile) -> bytes:
    """Return every type in *file* as C. Raises KheadersfsError."""
    libbpf.libbpf_set_print(None)  # its warnings would go to our standard error
    libbpf.btf__new.argtypes = [ctypes.c_char_p, ctypes.c_uint]
    libbpf.btf__new.restype = ctypes.c_void_p
    libbpf.btf__type_cnt.argtypes = [ctypes.c_void_p]
    libbpf.btf__type_cnt.restype = ctypes.c_uint
    libbpf.btf__free.argtypes = [ctypes.c_void_p]
    libbpf.btf__free.restype = None
    libbpf.btf_dump__new.argtypes = [ctypes.c_void_p] * 4
    libbpf.btf_dump__new.restype = ctypes.c_void_p
    libbpf.btf_dump__dump_type.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    libbpf.btf_dump__free.argtypes = [ctypes.c_void_p]
    libbpf.btf_dump__free.restype = None

    content = file.read()
    btf = libbpf.btf__new(content, len(content))
    if not btf:
        raise _libbpf_error(libbpf, ctypes.get_errno(), file.path)
    stream = _MemoryStream()
    try:
        dump = libbpf.btf_dump__new(btf, stream.vfprintf, stream.handle, None)
        if not dump:
            raise _libbpf_error(libbpf, ctypes.get_errno(), file.path)
        try:
            for type_id in range(1, libbpf.btf__type_cnt(btf)):
                failure = libbpf.btf_dump__dump_type(dump, type_id)
                if failure:
                    raise _libbpf_error(libbpf, -failure, file.path)
        finally:
            libbpf.btf_dump__free(dump)
    finally:
        text = stream.close()
        libbpf.btf__free(btf)
    return text


def _libbpf_error(libbpf: ctypes.CDLL, number: int, path: str) -> KheadersfsError:
    """Return the error *number* in libbpf's own words: it has numbers beyond the system's."""
    message = ctypes.create_string_buffer(256)
    libbpf.libbpf_strerror(number, message, len(message))
    return KheadersfsError(
        f"{path}: its types cannot be read: {message.value.decode(errors='replace')}"
    )


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
            raise MemoryError

    def close(self) -> bytes:
        """Close the stream, free its memory, and return what was printed."""
        failed = self._libc.fclose(self.handle) != 0
        try:
            if failed:
                raise MemoryError
            return ctypes.string_at(self._buffer, self._size.value)
        finally:
            self._libc.free(self._buffer)
