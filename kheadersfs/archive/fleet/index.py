"""The embedded index of an archive of several kernels: version 4 of the format.

Source: tools/docs/fleet-index.md. Footer, sections and outline are those of version 3; see
names.index. The first section has a header, the SHA-256 of every block, the kernels, the sets of
kernels, the outline, and the number of directories of each page. Every further section is a page,
as page.py describes.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.fleet.kernels import (
    decode_kernels,
    decode_sets,
    encode_kernels,
    encode_sets,
)
from kheadersfs.archive.fleet.page import decode_page, encode_page
from kheadersfs.archive.fleet.table import FleetTable
from kheadersfs.archive.names.columns import Sections, encode_column
from kheadersfs.archive.names.index import (
    DIGEST_SIZE,
    FLEET_VERSION,
    check_header,
    split,
    wrap,
)
from kheadersfs.archive.names.outline import Outline
from kheadersfs.bare import array
from kheadersfs.digests import sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.fleet.building import Union
    from kheadersfs.archive.fleet.page import FleetPage
    from kheadersfs.limits import Limits

_HEADER = struct.Struct("<IIIIQ")
"""Blocks, hot blocks, shift of starts, kernels, bytes of the stream in front of the index."""


class FleetIndex(NamedTuple):
    """What the index says of its archive. The fields are those of names.index.Index."""

    table: FleetTable
    digests: list[bytes]
    hot_blocks: int
    page_blocks: Sequence[Sequence[int]]
    digest: bytes


def encode(union: Union, digests: list[bytes], hot_blocks: int, stream_size: int) -> bytes:
    """Return the bytes of the index of *union*, with the footer.

    *digests* are the SHA-256 of each block, as it is stored. The first *hot_blocks* of the blocks
    have the headers that most builds read. *stream_size* is what all blocks decompress to, in
    bytes.
    """
    header = _HEADER.pack(len(digests), hot_blocks, union.shift, len(union.kernels), stream_size)
    first = b"".join(
        (
            header,
            *digests,
            encode_kernels(union.kernels, union.root),
            encode_sets(union.sets, len(union.kernels)),
            union.outline.encode(),
            encode_column(union.page_directories),
        )
    )
    pages = (encode_page(page, union.shift) for page in union.pages)
    return wrap(FLEET_VERSION, first, *pages)


def decode(
    body: bytes,
    block_starts: Sequence[int],
    archive: str,
    limits: Limits,
    completely: bool = False,
) -> FleetIndex:
    """Return the index in *body*. See names.index.decode, which does the same for one kernel.

    Raises ValueError when it cannot be right, RefusedArchive when it is beyond *limits*, and if it
    is checked *completely* DamagedArchive.
    """
    first, *pages = split(body)
    section = first.inflate()
    if len(section) < _HEADER.size:
        raise ValueError("it has no header")
    blocks, hot_blocks, shift, count, stream_size = _HEADER.unpack_from(section)
    check_header(blocks, hot_blocks, shift, stream_size, block_starts)
    sections = Sections(section, _HEADER.size)
    digests = [sections.take(DIGEST_SIZE) for _ in range(blocks)]
    root, kernels = decode_kernels(sections, count)
    sets = decode_sets(sections, count)
    outline = Outline.decode(sections, blocks)
    first_directories = array("Q", accumulate(sections.column(len(pages), "I"), initial=0))
    sections.finish()
    if len(pages) != len(outline.page_blocks):
        raise ValueError("it has another number of pages than it says")
    if not first_directories[1] or first_directories[-1] > outline.bounds.entries[-1] + 1:
        raise ValueError("its directories do not add up")
    outline.check_limits(archive, limits)
    limits.check(archive, "members", count * first_directories[-1])
    longest = max(len(kernel.name) for kernel in kernels)
    limits.check(archive, "depth", len(outline.level_names) + 1)
    limits.check(archive, "path", longest + sum(outline.level_names) + len(outline.level_names))

    def make(number: int) -> FleetPage:
        try:
            return decode_page(
                pages[number].inflate(),
                number,
                outline,
                first_directories,
                sets,
                block_starts,
                shift,
            )
        except OverflowError as error:
            raise ValueError("it holds a value that cannot be") from error

    table = FleetTable(archive, root, kernels, sets, outline, first_directories, make)
    if completely:
        table.check()
    return FleetIndex(table, digests, hot_blocks, outline.page_blocks, sha256(body).digest())
