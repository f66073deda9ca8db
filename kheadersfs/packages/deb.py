"""Debian's packages. Each is an ar archive of two compressed tars: control and data.

Source: deb(5), and ar(5) for the format of ar. A member of an ar has a header of 60 bytes and its
content, and begins at an even offset. deb-control(5) describes the fields of a control file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kheadersfs.archive.part import PartSource
from kheadersfs.archive.sniffing import DEB_MAGIC
from kheadersfs.errors import UnsupportedArchive, damaged
from kheadersfs.packages.facts import Facts, Need, has_headers, is_word

if TYPE_CHECKING:
    from kheadersfs.archive.source import Source
    from kheadersfs.reader import HeaderArchive

CONTROL, DATA = "control.tar", "data.tar"
"""What the names of the two parts begin with: what the package is, and its files."""
_HEADER_SIZE = 60
"""Bytes of the header of an ar's member."""
_HEADER_END = b"`\n"
_MOST_MEMBERS = 16
"""Members of an ar that are looked at. A package has three, and may have some more."""
_DEPENDENCY = re.compile(r"([a-z0-9][a-z0-9.+-]*)(?::\w+)?\s*(?:\(\s*([<>=]+)\s*([^\s)]+)\s*\))?")


def parts(source: Source) -> dict[str, PartSource]:
    """Return the parts of the package in *source*, under the keys CONTROL and DATA.

    Raises DamagedArchive when the package is not whole, UnsupportedArchive when the ar is no
    package.
    """
    found: dict[str, PartSource] = {}
    offset = len(DEB_MAGIC)
    for _ in range(_MOST_MEMBERS):
        if offset + _HEADER_SIZE > source.size:
            break
        header = source.read_at(offset, _HEADER_SIZE)
        size = header[48:58].strip()
        if not header.endswith(_HEADER_END) or not size.isdigit():
            raise damaged(source.name, f"there is no member of an ar at offset {offset}")
        name = header[:16].rstrip(b" /").decode("ascii", "replace")
        part = PartSource(source, offset + _HEADER_SIZE, int(size))
        for kind in (CONTROL, DATA):
            if name.startswith(kind):
                found[kind] = part
        offset += _HEADER_SIZE + int(size) + int(size) % 2
    if len(found) == 2:
        return found
    if "debian-binary" in source.read_at(0, min(100, source.size)).decode("ascii", "replace"):
        raise damaged(source.name, "the package lacks its control.tar or its data.tar")
    raise UnsupportedArchive(
        f"{source.name}: is an ar of something else than a package; give a .deb of kernel headers"
    )


def read_facts(control: HeaderArchive) -> Facts:
    """Return what the package says of itself in the archive *control*. Raises DamagedArchive."""
    name = control.archive.source.name
    if not control.tree.resolve(b"control"):
        raise damaged(name, "the package does not say what it is")
    fields = _fields(control.read("control").decode("utf-8", "replace"))
    package, version, arch = (
        fields.get(field, "") for field in ("package", "version", "architecture")
    )
    if not all(map(is_word, (package, version, arch))):
        raise damaged(name, "the package does not say what it is")
    needs: list[Need] = []
    for alternatives in f"{fields.get('depends', '')},{fields.get('pre-depends', '')}".split(","):
        found = _DEPENDENCY.match(alternatives.strip())
        if found and has_headers(found[1]):
            exact = found[3] if found[2] == "=" and is_word(found[3]) else ""
            needs.append(Need(found[1], exact))
    # The name of the file, by dpkg-name(1), has the version without its epoch.
    label = f"{package}_{version.rpartition(':')[2]}_{arch}"
    return Facts(package, version, arch, label, tuple(needs))


def _fields(text: str) -> dict[str, str]:
    """Return the fields of the control file *text*, by their names in lower case."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = fields.get(name, "") + line
        else:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = value.strip()
    return fields
