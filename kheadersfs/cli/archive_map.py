"""An archive as a picture: its blocks from hot to cold, and each header's place in them.

The picture is SVG 1.1. A row is ROW_BYTES of content, so equal areas are equal numbers of bytes; a
block begins a new row. Places are those in the decompressed stream.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from kheadersfs.errors import escaped
from kheadersfs.pack.output import complete_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from kheadersfs.reader import HeaderArchive

ROW_BYTES = 256 << 10
_WIDTH, _LEFT, _TOP = 560, 132, 112
_ROW, _LINE, _GAP = 9, 10, 5
"""Pixels: the height of a row, the distance of two rows, and what is added between two blocks."""
_STYLE = """\
svg{background:#fff;font:12px sans-serif;fill:#222}.title{font-size:16px;font-weight:bold}
.hot{fill:#f0b07a}.cold{fill:#b9c9dc}.room{fill:#eee}.read.hot{fill:#c4460c}.read.cold{fill:#1f5fa8}
rect{stroke:#fff;stroke-width:.3}
@media(prefers-color-scheme:dark){svg{background:#16181c;fill:#ddd}.hot{fill:#7a4a22}
.cold{fill:#33475e}.room{fill:#26292f}.read.hot{fill:#ff9a4d}.read.cold{fill:#6fb3ff}
rect{stroke:#16181c}}"""


class _Header(NamedTuple):
    path: bytes
    start: int
    size: int


def draw(archive: HeaderArchive, profile: Collection[bytes] | None) -> bytes:
    """Return the picture of *archive*, with the paths in *profile* as what a build has read.

    Raises what reading the names raises.
    """
    headers = sorted(_headers(archive), key=lambda header: header.start)
    blocks = archive.content.blocks
    pieces = list(_heading(archive, headers, profile))
    top, following = _TOP, 0
    for number in range(len(blocks)):
        start, end = blocks.starts[number], blocks.starts[number + 1]
        kind = "hot" if number < archive.content.hot_blocks else "cold"
        size = f"{(end - start) / 1024:.0f} KiB"
        pieces.append(f'<text x="8" y="{top + _ROW}">{number}: {kind}, {size}</text>')
        pieces += _bands(start, end, start, top, "room")
        while following < len(headers) and headers[following].start < end:
            header = headers[following]
            read = "read " if profile is None or header.path in profile else ""
            name = escape(escaped(os.fsdecode(header.path)))
            bands = "".join(
                _bands(header.start, header.start + header.size, start, top, read + kind)
            )
            pieces.append(f"<g><title>{name}, {header.size} bytes</title>{bands}</g>")
            following += 1
        top += -(-(end - start) // ROW_BYTES) * _LINE + _GAP
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 8}" height="{top + 8}" '
        f'viewBox="0 0 {_LEFT + _WIDTH + 8} {top + 8}">\n<style>{_STYLE}</style>'
    )
    return "\n".join([opening, *pieces, "</svg>\n"]).encode()


def write_map(path: str, picture: bytes) -> None:
    """Write *picture* to *path*. Raises KheadersfsError."""
    with complete_file(path) as file:
        file.write(picture)


def _headers(archive: HeaderArchive) -> Iterator[_Header]:
    """Yield the files that have content, each inode once."""
    seen = set()
    for path, inode in archive.tree.walk():
        if inode in seen or not stat.S_ISREG(archive.tree.attributes(inode).mode):
            continue
        seen.add(inode)
        start, size = archive.tree.extent(inode)
        if size:
            yield _Header(path, start, size)


def _heading(
    archive: HeaderArchive, headers: list[_Header], profile: Collection[bytes] | None
) -> Iterator[str]:
    """Yield the lines above the blocks: whose they are, what was read, what the colours mean."""
    content, blocks = archive.content, archive.content.blocks
    name = escape(escaped(os.path.basename(archive.archive.source.name)))
    kernel = escape(f"{archive.release or 'an unknown kernel'} {archive.arch or ''}".strip())
    yield f'<text class="title" x="8" y="22">{name}: {kernel}</text>'
    facts = (
        f"{len(headers)} headers with {blocks.total / (1 << 20):.1f} MiB in {len(blocks)} blocks"
    )
    facts += f", {content.hot_blocks} of them hot" if content.indexed else "; no index"
    row = f"A row is {ROW_BYTES >> 10} KiB"
    if profile is not None:
        read = [header for header in headers if header.path in profile]
        numbers = {n for header in read for n in blocks.covering(header.start, header.size)}
        decoded = sum(blocks.starts[n + 1] - blocks.starts[n] for n in numbers)
        size = sum(header.size for header in read)
        row += (
            f". The build has read {len(read)} headers, {size / (1 << 20):.1f} MiB, "
            f"in {len(numbers)} blocks of {decoded / (1 << 20):.1f} MiB"
        )
    yield f'<text x="8" y="44">{facts}</text>'
    yield f'<text x="8" y="62">{row}</text>'
    kinds = [("read hot", "hot"), ("read cold", "cold")]
    if profile is not None:
        kinds = [("read hot", "hot, read"), ("hot", "hot, not read")]
        kinds += [("read cold", "cold, read"), ("cold", "cold, not read")]
    for column, (kind, meaning) in enumerate([*kinds, ("room", "between headers")]):
        x = 8 + column * 138
        yield f'<rect class="{kind}" x="{x}" y="78" width="14" height="14"/>'
        yield f'<text x="{x + 20}" y="90">{meaning}</text>'


def _bands(start: int, end: int, origin: int, top: int, kind: str) -> Iterator[str]:
    """Yield what shows the bytes from *start* to *end* of a block that begins at *origin*."""
    while start < end:
        row, column = divmod(start - origin, ROW_BYTES)
        length = min(end - start, ROW_BYTES - column)
        x, width = _LEFT + column * _WIDTH / ROW_BYTES, length * _WIDTH / ROW_BYTES
        y = top + row * _LINE
        yield f'<rect class="{kind}" x="{x:.2f}" y="{y}" width="{width:.2f}" height="{_ROW}"/>'
        start += length
