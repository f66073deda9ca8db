"""What a package says of itself: its name and version, and which other packages it needs.

Packages may be read by a process without rights, which sends this as JSON. That process may have
been taken over, so decode() checks everything.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from kheadersfs.errors import DamagedArchive

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:_^-]{0,199}")
_MOST_NEEDS = 64
"""Needs of a package that are looked at."""


class Need(NamedTuple):
    """A package with headers that another one depends on. ``version`` is empty if any will do."""

    name: str
    version: str


class Facts(NamedTuple):
    """Name, version, architecture and needs of a package.

    ``label`` is the file name that the distribution gives the package, without the suffix.
    """

    name: str
    version: str
    arch: str
    label: str
    needs: tuple[Need, ...]


def has_headers(name: str) -> bool:
    """Tell whether a package of this *name* may have headers of a kernel, or need one that does.

    Such names are linux-headers-X, linux-oem-6.5-headers-X, kernel-devel and kernel-default-devel.
    """
    first, *words = name.split("-")
    return first in ("linux", "kernel") and not {"headers", "devel"}.isdisjoint(words)


def is_word(text: str) -> bool:
    """Tell whether *text* can be a name, a version or an architecture.

    Such a text is harmless in a message, in a path and as an argument of a command.
    """
    return _WORD.fullmatch(text) is not None


def encode(facts: list[Facts]) -> bytes:
    """Return *facts* as JSON for decode()."""
    return json.dumps(facts).encode()


def decode(answer: bytes, package: str) -> list[Facts]:
    """Return the facts in *answer*, which may be forged.

    Raises DamagedArchive for the file *package* when *answer* is not what encode() makes.
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
    """Return what to raise when the file *package* says of itself what no package says."""
    return DamagedArchive(
        f"{package}: its name, version or dependencies make no sense; make or fetch it again"
    )
