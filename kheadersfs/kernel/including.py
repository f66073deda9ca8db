"""What kernel headers include; no preprocessor, only text."""

from __future__ import annotations

import re

_INCLUDE = re.compile(rb'#[ \t]*+include[ \t]*+(?:<([^>\n]++)>|"([^"\n]++)")')
# What LINUXINCLUDE in the kernel's Makefile has every unit include.
ALWAYS_INCLUDED = (
    b"include/linux/compiler-version.h",
    b"include/linux/kconfig.h",
    b"include/linux/compiler_types.h",
)

Inclusion = tuple[bytes, bytes]
"""One ``#include``: what stands in <> and what stands in quotes; the other is empty."""


def inclusions(text: bytes | memoryview) -> list[Inclusion]:
    """Return what the header *text* includes, those too that a configuration leaves out."""
    found: list[Inclusion] = _INCLUDE.findall(text)
    return found
