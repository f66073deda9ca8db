"""What a package says of itself: its name and version, and which others it needs."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from kheadersfs.errors import DamagedArchive

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:_^-]{0,199}")
_MOST_NEEDS = 64


class Need(NamedTuple):
    """A package with headers that another one depends on; *version* is empty if any will do."""

    name: str
    version: str


class Facts(NamedTuple):
    """Who a package is.

    ``label`` is what its file is called, without the suffix, where nobody has renamed it.
    """

    name: str
    version: str
    arch: str
    label: str
    needs: tuple[Need, ...]


def has_headers(name: str) -> bool:
    """Tell whether a package of this *name* may have headers of a kernel, or need some that have.

    That is linux-headers-X, linux-oem-6.5-headers-X, kernel-devel and kernel-default-devel.
    """
    first, *words = name.split("-")
    return first in ("linux", "kernel") and not {"headers", "devel"}.isdisjoint(words)


def is_word(text: str) -> bool:
    """Tell whether *text* can be a name, version or architecture, and does nothing to anybody."""
    return _WORD.fullmatch(text) is not None


def encode(facts: list[Facts]) -> bytes:
    """Return *facts* as decode() takes them."""
    return json.dumps(facts).encode()


def decode(answer: bytes, package: str) -> list[Facts]:
    """Return the facts in *answer*, which a package may have forged.

    Raises DamagedArchive, naming the file as *package*.
    """
    try:
        found = [
            Facts(name, version, arch, label, tuple(Need(*need) for need in needs[:_MOST_NEEDS]))
            for name, version, arch, label, needs in json.loads(answer)
        ]
        texts = [text for facts in found for text in facts[:4]]
        texts += [text for facts in found for need in facts.needs for text in need if text]
        if all(map(is_word, texts)):
            return found
    except (ValueError, TypeError):
        pass
    raise forged(package)


def forged(package: str) -> DamagedArchive:
    """Return what to raise when the file *package* says what no package says."""
    return DamagedArchive(f"{package}: says nothing sensible of itself; make or fetch it again")
