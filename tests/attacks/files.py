"""Hostile files: bombs, crowds, holes, and framing that lies about what it frames."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.attacks import forging as forge
from tests.attacks.case import (
    DAMAGED,
    GOOD,
    MEBIBYTE,
    REFUSED,
    TEBIBYTE,
    UNSUPPORTED,
    Case,
    tar,
)
from tests.attacks.forging import Newc, compress, tar_header

if TYPE_CHECKING:
    from collections.abc import Iterator


def bomb(compression: str, start: bytes) -> bytes:
    """*start* and 2 GiB of zeros."""
    return compress(compression, start) + compress(compression, bytes(16 * MEBIBYTE)) * 128


def nested(compression: str, content: bytes) -> bytes:
    for _ in range(3):
        content = compress(compression, content)
    return content


def bombs() -> Iterator[Case]:
    for compression in ("gzip", "bzip2", "xz", "zstd", "lz4"):
        yield Case(
            f"a bomb of {compression}",
            partial(bomb, compression, GOOD + tar_header(b"zeros", 200 * MEBIBYTE)),
            status=REFUSED,
            says="--limit ratio=",
        )
        yield Case(
            f"a bomb of {compression} behind the end",
            partial(bomb, compression, tar(GOOD)),
            status=REFUSED,
            says="--limit ratio=",
            # Blocks are decoded when something refers to them.
            behind_end=compression in ("xz", "zstd"),
        )
        yield Case(
            f"a bomb of {compression} in itself",
            partial(nested, compression, tar(GOOD) + bytes(16 * MEBIBYTE)),
            status=UNSUPPORTED,
        )
    # An xz index and a zstd header state what comes, gzip, bzip2 and lz4 do not.
    large = GOOD + tar_header(b"zeros", 250 * MEBIBYTE)
    yield Case(
        "one zstd frame of 600 MiB",
        lambda: forge.zstd_run(large, 600 * MEBIBYTE),
        status=REFUSED,
        says="--limit ratio=",
    )


def numbers() -> Iterator[Case]:
    yield Case(
        "a million members",
        lambda: forge.zstd_stream(Newc(b"%07d" % number).encode() for number in range(1_000_000)),
        status=REFUSED,
        says="--limit members=",
    )
    deep = b"/" + b"d/" * 100 + b"f"
    yield Case(
        "a hundred thousand paths of a hundred directories",
        lambda: forge.zstd_stream(
            Newc(b"%05d" % number + deep).encode() for number in range(100_000)
        ),
        status=REFUSED,
        says="--limit members=",
    )
    fifo = tar_header(b"fifo", kind=forge.FIFO)
    yield Case(
        "a hundred thousand members that are refused",
        lambda: forge.zstd_stream(fifo for _ in range(100_000)),
        status=REFUSED,
        says="more than 10000 members",
    )
    target = b"t" * 4000
    yield Case(
        "a hundred thousand symlinks of 4,000 bytes",
        lambda: forge.zstd_stream(
            Newc(b"%05d" % number, target, mode=0o120777).encode() for number in range(100_000)
        ),
        status=REFUSED,
        says="--limit memory=",
    )


def files() -> Iterator[Case]:
    for compression, magic, status in (
        ("xz", b"\xfd7zXZ\0\0\4\xe6\xd6\xb4\x46", UNSUPPORTED),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\3", DAMAGED),
        ("zstd", b"\x28\xb5\x2f\xfd\x24\x00", REFUSED),
        ("bzip2", b"BZh91AY&SY", DAMAGED),
        ("lz4", b"\x04\x22\x4d\x18\x60\x70\x73", DAMAGED),
        ("cpio", b"070701", DAMAGED),
    ):
        yield Case(
            f"a hole of a TiB behind the magic of {compression}",
            partial(bytes, magic),
            status=status,
            size=TEBIBYTE,
        )
    yield Case("a hole of a TiB behind a tar", lambda: tar(GOOD), size=TEBIBYTE)
    yield Case(
        "a good xz stream before a hole of a TiB",
        lambda: compress("xz", tar(GOOD)),
        size=TEBIBYTE,
        status=UNSUPPORTED,
        says="zero bytes behind xz streams",
    )
    for compression in ("gzip", "bzip2"):
        yield Case(
            f"a good {compression} stream before a hole of a TiB",
            partial(compress, compression, tar(GOOD)),
            size=TEBIBYTE,
            status=UNSUPPORTED,
            says="bytes behind its last stream",
        )
    yield Case("nothing", lambda: b"", status=UNSUPPORTED)
    yield Case("zeros", lambda: bytes(10240), status=DAMAGED, says="has no members")
    yield Case("text", lambda: b"hello\n" * 1000, status=UNSUPPORTED)


def framing() -> Iterator[Case]:
    blocks = [tar(GOOD)[:512], tar(GOOD)[512:]]
    true = forge.xz_records(blocks)
    for name, records in (
        ("more content than there is", [(true[0][0], true[0][1] + 1), true[1]]),
        ("less content than there is", [(true[0][0], true[0][1] - 1), true[1]]),
        ("blocks of another size", [(true[0][0] + 4, true[0][1]), (true[1][0] - 4, true[1][1])]),
        ("one block fewer", true[:1]),
        ("one block more", [*true, (64, 512)]),
        ("blocks in another order", true[::-1]),
        ("all there can be", [(true[0][0], (1 << 63) - 1), (true[1][0], (1 << 63) - 1)]),
        ("a block without room", [(4, 0), *true]),
    ):
        yield Case(
            f"an xz index of {name}",
            partial(forge.xz_stream, blocks, records),
            status=DAMAGED,
        )
    start = forge.xz_stream(blocks)[:12]
    yield Case(
        "an xz index of a billion blocks",
        lambda: start + forge.xz_index(b"\x80\x94\xeb\xdc\x03" + bytes(100)),
        status=DAMAGED,
    )
    yield Case(
        "an xz index of two million empty blocks",
        lambda: start + forge.xz_index(b"\x80\x89\x7a" + b"\x08\x00" * 2_000_000),
        status=REFUSED,
        says="--limit blocks=",
    )
    empty = forge.xz_stream([])
    yield Case(
        "a hundred thousand xz streams of nothing",
        lambda: compress("xz", tar(GOOD)) + empty * 100_000,
        status=UNSUPPORTED,
    )
    yield from _zstd_framing(blocks)


def _zstd_framing(blocks: list[bytes]) -> Iterator[Case]:
    frames = [compress("zstd", block) for block in blocks]
    true = [(len(frame), len(block)) for frame, block in zip(frames, blocks, strict=True)]
    for name, sizes in (
        ("more content than there is", [(true[0][0], true[0][1] + 1), true[1]]),
        ("less content than there is", [(true[0][0], true[0][1] - 1), true[1]]),
        ("frames of another size", [(true[0][0] + 4, true[0][1]), (true[1][0] - 4, true[1][1])]),
        ("one frame more", [*true, (64, 512)]),
        ("frames in another order", true[::-1]),
        ("four GiB", [(true[0][0], 0xFFFFFFFF), true[1]]),
    ):
        yield Case(
            f"a zstd seek table of {name}",
            partial(forge.zstd_file, frames, sizes),
            status=DAMAGED,
        )
    # As after "cat": the table is of what it stands behind, and the frames speak for themselves.
    yield Case(
        "a zstd seek table of one frame fewer",
        partial(forge.zstd_file, frames, true[:1]),
    )
    for name, count in (("two billion frames", 1 << 31), ("no frame", 0)):
        yield Case(
            f"a zstd seek table of {name}",
            partial(forge.zstd_file, frames, true, count),
            status=DAMAGED,
        )
    skipped = b"\x50\x2a\x4d\x18" + bytes(4)
    yield Case(
        "a million zstd frames to be skipped",
        lambda: compress("zstd", tar(GOOD)) + skipped * 1_000_000,
        status=REFUSED,
        says="--limit blocks=",
    )
    yield Case(
        "a million lz4 frames to be skipped",
        lambda: compress("lz4", tar(GOOD)) + skipped * 1_000_000,
        status=REFUSED,
        says="--limit blocks=",
    )
    yield Case(
        "an lz4 frame of a million blocks",
        lambda: compress("lz4", tar(GOOD))[:7] + b"\1\0\0\0x" * 1_000_000 + bytes(4),
        status=REFUSED,
        says="--limit blocks=",
    )
    yield Case(
        "a zstd frame of a million empty blocks",
        lambda: b"\x28\xb5\x2f\xfd\x00\x58" + bytes(3) * 1_000_000 + b"\x01\0\0",
        status=REFUSED,
        says="--limit blocks=",
    )
    yield Case(
        "a zstd frame that says it is of 16 EiB",
        lambda: b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\0\0",
        status=DAMAGED,
    )


def cases() -> Iterator[Case]:
    """Yield all of them."""
    for room in (bombs, numbers, files, framing):
        yield from room()
