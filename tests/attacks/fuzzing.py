"""Coverage-guided fuzzing with atheris: python -m tests.attacks.fuzzing TARGET [LIBFUZZER OPTIONS]

Every target gets bytes, makes their checksums right where there are any, as an attacker would, and
fails on any exception that its module does not announce.
"""

from __future__ import annotations

import bz2
import gzip
import sys
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.names.table import Table

TARGETS = ("index", "xz", "zstd", "streams", "headers", "members")
STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "bzip2": bz2.decompress,
    "lz4": bytes,
}
"""How else to decompress these; but the standard library has nothing for lz4."""
SMALL = {"members": 500, "blocks": 500, "total": 1 << 20, "file": 1 << 18}


BLOCK_STARTS = (0, 4096, 9216)
"""Where the two blocks begin that the archive of an index has, and where they end."""
SEPARATOR = b"\xff\xfe\xfd"


def fuzz_index(data: bytes) -> None:
    """The index decoder: whatever it accepts can be walked. *data* is what was deflated."""
    from kheadersfs.archive.names import index
    from kheadersfs.limits import Limits

    body = index.find(index.wrap(index.VERSION, *data.split(SEPARATOR)))
    try:
        table = index.decode(body, BLOCK_STARTS, "index", Limits(members=5000)).table
        walk_completely(table)
        table.check()
    except (ValueError, KheadersfsError):
        return
    assert walk_completely(table) == table.entries


def walk_completely(table: Table) -> int:
    """Look at everything in *table*. Returns how many names it has."""
    from kheadersfs.tree import Tree

    tree = Tree(table)
    walked = list(tree.walk())
    assert len(walked) <= table.entries
    for path, inode in walked:
        assert tree.resolve(path) == inode
        assert tree.path(inode)
        tree.attributes(inode)
    return len(walked)


def fuzz_xz(data: bytes) -> None:
    """The xz framing: with the checksums of footer and index made right."""
    from kheadersfs.archive.compression import xz
    from kheadersfs.archive.compression.xz_blocks import XzBlocks
    from kheadersfs.archive.source import BytesSource
    from kheadersfs.limits import Limits

    body, _, stored = data.partition(b"\xff\xfe")
    index = b"\0" + body + bytes(-(1 + len(body)) % 4)
    index += zlib.crc32(index).to_bytes(4, "little")
    footer = (len(index) // 4 - 1).to_bytes(4, "little") + b"\0\x04"
    footer = zlib.crc32(footer).to_bytes(4, "little") + footer + b"YZ"
    source = BytesSource(xz.stream_start() + stored + index + footer)
    try:
        blocks = XzBlocks(source, xz.read_blocks(source, Limits(**SMALL)))
        for number in range(min(len(blocks), 4)):
            if blocks.starts[number + 1] - blocks.starts[number] < 1 << 20:
                blocks.decode(number)
    except KheadersfsError:
        return


def fuzz_zstd(data: bytes) -> None:
    """The zstd framing, with and without a seek table."""
    from kheadersfs.archive.compression import zstd, zstd_coding
    from kheadersfs.archive.compression.kind import ZSTD_MAGIC
    from kheadersfs.archive.source import BytesSource
    from kheadersfs.limits import Limits

    for content in (data, ZSTD_MAGIC + data):
        source = BytesSource(content)
        try:
            frames = zstd.read_frames(source, Limits(**SMALL))
        except KheadersfsError:
            continue
        for frame in frames[:4]:
            assert frame.stored_size >= 0
            assert frame.offset >= 0
            if 0 <= frame.decoded_size < 1 << 20:
                try:
                    stored = source.read_at(frame.offset, frame.stored_size)
                    content = zstd_coding.decode_frame(stored, frame.decoded_size)
                    assert len(content) == frame.decoded_size
                except (ValueError, KheadersfsError):
                    continue


def fuzz_streams(data: bytes) -> None:
    """gzip, bzip2 and lz4: what is taken, the standard library decompresses to the same."""
    from kheadersfs.archive.compression.decoding import open_stream
    from kheadersfs.archive.sniffing import sniff
    from kheadersfs.archive.source import BytesSource
    from kheadersfs.limits import Limits

    try:
        source = BytesSource(data)
        limits = Limits(**SMALL)
        kind = sniff(source, limits)
        if kind.name not in STREAMS:
            return
        kind.frame(source, limits)
        with closing(open_stream(source, kind, None, limits)) as decoded:
            content = b""
            while length := decoded.available(len(content), SMALL["total"]):
                content += decoded.read_at(len(content), length)
                if len(content) > SMALL["total"]:
                    return
    except KheadersfsError:
        return
    if kind.name != "lz4":
        assert content == STREAMS[kind.name](data)


def fuzz_headers(data: bytes) -> None:
    """The walk over a block's own headers, and the sums of cpio."""
    from kheadersfs.archive.cpio.sums import CpioSums
    from kheadersfs.archive.walking import walk_members

    try:
        for member in walk_members(data):
            assert 0 <= member.start <= member.start + member.size <= len(data)
    except ValueError:
        pass
    sums = CpioSums()
    try:
        for start in range(0, len(data), 37):
            sums.follow(data[start : start + 37])
    except ValueError:
        return


def fuzz_members(data: bytes) -> None:
    """One pass, through libarchive: what is found can be read, and is what was announced."""
    from kheadersfs.archive.onepass import read_in_one_pass
    from kheadersfs.archive.opening import Archive
    from kheadersfs.archive.source import BytesSource
    from kheadersfs.limits import Limits
    from kheadersfs.store import Store
    from kheadersfs.tree import Tree
    from tests.attacks.forging import TAR_BLOCK, tar_file

    # What does not begin like an archive is not even read; behind a good member it is.
    for content in (data, tar_file(b"first", b"") + data):
        source = BytesSource(content + bytes(-len(content) % TAR_BLOCK))
        try:
            found = read_in_one_pass(Archive(source, Limits(**SMALL)))
            found.table.check()
            store, tree = Store(found.blocks), Tree(found.table)
            for _, inode in tree.walk():
                attributes = tree.attributes(inode)
                if attributes.blocks:
                    assert len(store.read(*tree.extent(inode))) == attributes.size
        except KheadersfsError:
            continue


def seeds(target: str) -> list[bytes]:
    """Return good inputs for *target* to begin with."""
    from kheadersfs.archive.compression import xz, xz_coding
    from kheadersfs.archive.names import index as embedded
    from kheadersfs.archive.names.building import TableBuilder
    from kheadersfs.limits import Limits
    from tests.attacks import forging as forge
    from tests.attacks.corpus import cases
    from tests.support import members

    if target == "index":
        builder = TableBuilder("seed", Limits())
        some = (members.file(b"a/b", 5), members.symlink(b"a/l", b"b"), members.file(b"c", 9))
        for start, member in enumerate(some):
            builder.add(member, start * 512)
        index = embedded.Index(builder.build(), "6.1", "x86", [bytes(32)] * 2, 1, BLOCK_STARTS[-1])
        body = embedded.find(embedded.encode(index, BLOCK_STARTS[:-1], page_entries=2))
        return [SEPARATOR.join(section.inflate() for section in embedded.split(body))]
    if target == "xz":
        block = xz_coding.encode_block(b"content" * 20, 1)
        record = xz.encode_vli(block.unpadded_size) + xz.encode_vli(block.decoded_size)
        return [b"\x01" + record + b"\xff\xfe" + block.stored]
    if target == "zstd":
        frame = forge.compress("zstd", b"content" * 20)
        return [frame, forge.zstd_file([frame], [(len(frame), 140)])]
    if target == "streams":
        streams = [forge.compress(name, b"content" * 20) for name in STREAMS]
        return [copies * stream for stream in streams for copies in (1, 2)]
    made = (case.make() for case in cases() if "MiB" not in case.name and "bomb" not in case.name)
    small = [content for content in made if isinstance(content, bytes) and len(content) < 20_000]
    return [content for content in small if content[:4] != b"\x28\xb5\x2f\xfd"]


def target_function(name: str) -> Callable[[bytes], None]:
    functions = (fuzz_index, fuzz_xz, fuzz_zstd, fuzz_streams, fuzz_headers, fuzz_members)
    return dict(zip(TARGETS, functions, strict=True))[name]


def main(arguments: list[str]) -> None:
    """Fuzz the target that *arguments* begin with; the rest is for libFuzzer."""
    import tempfile
    from pathlib import Path

    import atheris

    name, *options = arguments
    function = target_function(name)
    with atheris.instrument_imports(include=["kheadersfs"]):
        function(b"")
        for seed in seeds(name):
            function(seed)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            Path(corpus, str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *options, corpus], function)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
