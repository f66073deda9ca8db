"""Where a build of the kernel, or of an eBPF program, searches for headers."""

from __future__ import annotations


def search_path(srcarch: str) -> list[bytes]:
    """Return where <...> is searched, as LINUXINCLUDE of the kernel's Makefile has it."""
    arch = b"arch/" + srcarch.encode(errors="surrogateescape") + b"/include"
    return [
        arch,
        arch + b"/generated",
        b"include",
        arch + b"/uapi",
        arch + b"/generated/uapi",
        b"include/uapi",
        b"include/generated/uapi",
    ]
