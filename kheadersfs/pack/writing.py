"""Write members, in portions, as an archive: blocks, end marker, index.

Blocks are cut at member boundaries and compressed in threads. Their bytes depend on the members
and the layout alone, not on how many threads there are.
"""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.compression.encoding import (
    BLOCK_ENCODERS,
    QUICK_ENCODERS,
    Block,
    new_stream_encoder,
)
from kheadersfs.archive.cpio import writing as cpio
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.tar.fields import BLOCK
from kheadersfs.archive.threads import ThreadPool
from kheadersfs.limits import DEFAULT_LIMITS
from kheadersfs.pack.planning import NEW_ARCHIVE, plan_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from kheadersfs.archive.compression.encoding import BlockEncoder
    from kheadersfs.limits import Limits
    from kheadersfs.pack.layout import Portion
    from kheadersfs.pack.planning import PlannedBlock

# liblzma takes 11.5 bytes for every byte of a block it compresses.
_UNDER_WAY = 16 << 20


class Description(NamedTuple):
    """What an archive is to say of itself: kernel release and SRCARCH, empty when unknown."""

    release: str
    arch: str


class Form(NamedTuple):
    """How to write: "tar" or "cpio"; "xz", "zstd", "gzip" or "none".

    ``quick`` is for what is made while somebody waits: zstd at a low level.
    """

    format: str
    compression: str
    quick: bool = False


def write_archive(
    file: BinaryIO,
    portions: Sequence[Portion],
    form: Form,
    description: Description,
    progress: Callable[[int, int], None],
    threads: int = 0,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Write the members of *portions* in this order to *file*.

    Directories must come before what is in them, and hard links after what they link to.
    *progress* is called with bytes done and bytes there are; *threads* is 0 for one per
    processor. Raises KheadersfsError; RefusedArchive for what *limits* would not let anybody read.
    """
    plan = plan_blocks(portions, form.format, limits)

    def encode_index(digests: list[bytes]) -> bytes:
        index = embedded.Index(
            table=plan.table,
            release=description.release,
            arch=description.arch,
            digests=digests,
            hot_blocks=plan.hot_blocks,
            stream_size=plan.size,
        )
        starts = [block.start for block in plan.blocks]
        body = embedded.encode(index, starts)
        # An index that readers would not accept must not be written.
        embedded.decode(embedded.find(body), [*starts, plan.size], NEW_ARCHIVE, limits)
        return body

    write_blocks(file, plan.blocks, plan.size, form, encode_index, progress, threads, limits)


def write_blocks(
    file: BinaryIO,
    blocks: Sequence[PlannedBlock],
    size: int,
    form: Form,
    encode_index: Callable[[list[bytes]], bytes],
    progress: Callable[[int, int], None],
    threads: int = 0,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Write *blocks*, *size* bytes in all, to *file*; for the rest see write_archive().

    *encode_index* returns the index, given the SHA-256 of each block as it is stored.
    """
    encoders = QUICK_ENCODERS if form.quick else BLOCK_ENCODERS
    encoder = encoders.get(form.compression)
    if encoder is not None:
        threads = threads or len(os.sched_getaffinity(0))
        limits.check(NEW_ARCHIVE, "block", max(block.size for block in blocks))
        _Blocks(file, blocks, size, form.format, encoder, threads, progress).write(encode_index)
        return
    stream = new_stream_encoder(form.compression)
    for block in blocks:
        file.write(stream.compress(block.content()))
        progress(block.start + block.size, size)
    file.write(stream.flush())


class _Blocks:
    """Writes an archive of blocks that are compressed one by one."""

    def __init__(
        self,
        file: BinaryIO,
        blocks: Sequence[PlannedBlock],
        size: int,
        format_name: str,
        encoder: BlockEncoder,
        threads: int,
        progress: Callable[[int, int], None],
    ) -> None:
        self._file = file
        self._planned = blocks
        self._size = size
        self._format = format_name
        self._encoder = encoder
        self._threads = threads
        self._progress = progress

    def write(self, encode_index: Callable[[list[bytes]], bytes]) -> None:
        """Write the framing, all blocks, and what *encode_index* returns as the last."""
        blocks = self._encode_all()
        body = encode_index([hashlib.sha256(block.stored).digest() for block in blocks])
        blocks.append(self._encoder.encode_plain(self._index_block(body)))
        self._file.write(self._encoder.start())
        for block in blocks:
            self._file.write(block.stored)
        self._file.write(self._encoder.end(blocks))

    def _encode_all(self) -> list[Block]:
        """Return the blocks of the plan, compressed.

        The largest are begun first, so that no processor is left alone with one at the end.
        """
        planned = self._planned
        budget = _Budget(_UNDER_WAY)

        def encode(number: int) -> Block:
            with budget.taken(planned[number].size):
                return self._encoder.encode(planned[number].content())

        pool = ThreadPool(self._threads, "compress")
        try:
            largest_first = sorted(range(len(planned)), key=lambda number: -planned[number].size)
            futures = {number: pool.submit(encode, number) for number in largest_first}
            done = 0
            for number in largest_first:
                done += futures[number].result().decoded_size
                self._progress(done, self._size)
            return [futures[number].result() for number in range(len(planned))]
        finally:
            pool.shutdown(cancel_futures=True)

    def _index_block(self, index: bytes) -> bytes:
        """Return the content of the last block: *index* behind what hides it from others.

        The whole stream is a multiple of a tar block, index and all.
        """
        position = self._size
        if self._format == "tar":
            return bytes(-(position + len(index)) % BLOCK) + index
        marker_size = len(cpio.end_marker(position, 1))
        body = bytes(-(position + marker_size + len(index)) % BLOCK) + index
        return cpio.end_marker(position, len(body)) + body


class _Budget:
    """Bytes of blocks that may be under compression at the same time; one always may."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until *size* bytes can be taken, and give them back at the end of the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= self._limit)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()
