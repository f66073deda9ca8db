"""RPM's packages: a lead, two headers of tagged values, and a compressed cpio.

Source of the format: docs/manual/format_v4.md of rpm. The first header, the signature, holds the
SHA-256 of the second, the main header, which holds that of the compressed cpio, the payload. Old
packages may lack either.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.part import PartSource
from kheadersfs.archive.source import digest_of
from kheadersfs.errors import UnsupportedArchive, damaged
from kheadersfs.packages.facts import Facts, Need, has_headers, is_word

if TYPE_CHECKING:
    from kheadersfs.archive.source import Source

_LEAD_SIZE = 96
_MAGIC = b"\x8e\xad\xe8\x01"
_INTRODUCTION = struct.Struct(">4s4xII")
"""The start of a header: magic, number of entries in its index, bytes of its store."""
_ENTRY = struct.Struct(">IIII")
"""An entry of the index: tag, type, offset in the store, number of values."""
_MOST_ENTRIES = 1 << 12
_LARGEST_HEADER = 64 << 20
"""Bytes. The header of kernel-devel, which lists every file with its digest, has 3 MB."""

# Numbers of tags, of types of values, and of flags of a dependency.
_NAME, _VERSION, _RELEASE, _ARCH = 1000, 1001, 1002, 1022
_REQUIRE_FLAGS, _REQUIRE_NAME, _REQUIRE_VERSION = 1048, 1049, 1050
_SOURCE_PACKAGE = 1106
_HEADER_SHA256 = 273
_PAYLOAD_DIGESTS, _PAYLOAD_DIGEST_KIND = 5092, 5093
_SHA256 = 8
_INTEGERS, _TEXTS = 4, (6, 8, 9)
_COMPARISONS, _EQUAL = 0x0E, 0x08


class RpmHeader(NamedTuple):
    """A header of the package *name*.

    ``content`` is all of its bytes. ``entries`` is its index: type, offset in the store and number
    of values by tag. ``store`` is the offset in ``content`` where the values begin.
    """

    name: str
    content: bytes
    entries: dict[int, tuple[int, int, int]]
    store: int

    def texts(self, tag: int) -> list[str]:
        """Return the strings of *tag*, none without that tag. Raises DamagedArchive."""
        kind, offset, count = self.entries.get(tag, (_TEXTS[0], 0, 0))
        if kind not in _TEXTS:
            raise damaged(self.name, f"tag {tag} of its header is not a string")
        found: list[str] = []
        position = self.store + offset
        for _ in range(count):
            end = self.content.find(b"\0", position)
            if end < 0:
                raise damaged(self.name, "a string in its header has no end")
            found.append(self.content[position:end].decode("utf-8", "replace"))
            position = end + 1
        return found

    def text(self, tag: int) -> str:
        """Return the first string of *tag*, "" without that tag. Raises DamagedArchive."""
        return next(iter(self.texts(tag)), "")

    def integers(self, tag: int) -> list[int]:
        """Return the 32-bit integers of *tag*, none without that tag. Raises DamagedArchive."""
        kind, offset, count = self.entries.get(tag, (_INTEGERS, 0, 0))
        start = self.store + offset
        if kind != _INTEGERS or start + 4 * count > len(self.content):
            raise damaged(self.name, f"tag {tag} of its header is not a list of integers in it")
        return list(struct.unpack_from(f">{count}I", self.content, start))


class Rpm(NamedTuple):
    """The main header of a package, and the compressed cpio behind it."""

    header: RpmHeader
    payload: PartSource

    def check_payload(self) -> None:
        """Raise DamagedArchive unless the compressed cpio has the SHA-256 that the header says.

        Does nothing when the header has no SHA-256 of it.
        """
        expected = self.header.text(_PAYLOAD_DIGESTS).lower()
        if not expected or self.header.integers(_PAYLOAD_DIGEST_KIND) != [_SHA256]:
            return
        if digest_of(self.payload, self.payload.size).hex() != expected:
            raise damaged(self.header.name, "its content is not what its header says")


def open_rpm(source: Source) -> Rpm:
    """Return the parts of the package in *source*.

    Raises DamagedArchive, and UnsupportedArchive for a package of sources.
    """
    if source.size < _LEAD_SIZE:
        raise damaged(source.name, "it ends in its first header")
    signature = _read_header(source, _LEAD_SIZE)
    start = _LEAD_SIZE + -(-len(signature.content) // 8) * 8
    header = _read_header(source, start)
    expected = signature.text(_HEADER_SHA256)
    if expected and hashlib.sha256(header.content).hexdigest() != expected:
        raise damaged(source.name, "its header has not the SHA-256 that its signature says")
    if _SOURCE_PACKAGE in header.entries:
        raise UnsupportedArchive(
            f"{source.name}: is a source package; give the one that was built of it, kernel-devel"
        )
    end = start + len(header.content)
    return Rpm(header, PartSource(source, end, source.size - end))


def _read_header(source: Source, start: int) -> RpmHeader:
    """Return the header at offset *start* of *source*. Raises DamagedArchive."""
    if start + _INTRODUCTION.size > source.size:
        raise damaged(source.name, "it ends before its header does")
    magic, count, size = _INTRODUCTION.unpack(source.read_at(start, _INTRODUCTION.size))
    if magic != _MAGIC or count > _MOST_ENTRIES or size > _LARGEST_HEADER:
        raise damaged(source.name, f"there is no header at offset {start}")
    store = _INTRODUCTION.size + count * _ENTRY.size
    if start + store + size > source.size:
        raise damaged(source.name, "it ends before its header does")
    content = source.read_at(start, store + size)
    entries = {
        tag: (kind, offset, length)
        for tag, kind, offset, length in _ENTRY.iter_unpack(content[_INTRODUCTION.size : store])
    }
    return RpmHeader(source.name, content, entries, store)


def read_facts(header: RpmHeader) -> Facts:
    """Return what a package says of itself in its main *header*. Raises DamagedArchive."""
    name, version, release, arch = map(header.text, (_NAME, _VERSION, _RELEASE, _ARCH))
    if not all(map(is_word, (name, version, release, arch))):
        raise damaged(header.name, "the package does not say what it is")
    needs = [
        Need(needed, exact if flags & _COMPARISONS == _EQUAL and is_word(exact) else "")
        for needed, exact, flags in zip(
            header.texts(_REQUIRE_NAME),
            header.texts(_REQUIRE_VERSION),
            header.integers(_REQUIRE_FLAGS),
            strict=False,
        )
        if has_headers(needed) and is_word(needed)
    ]
    label = f"{name}-{version}-{release}.{arch}"
    return Facts(name, f"{version}-{release}", arch, label, tuple(needs))
