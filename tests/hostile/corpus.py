"""The hostile corpus: archives that mean harm, and what must come of each.

Every case is made by a few lines, from raw headers where an archiver would refuse to write it.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tests.hostile import forging as forge
from tests.hostile.forging import END, Newc, compress, newc, pax_record, tar_file, tar_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

GOOD_NAME, GOOD_CONTENT = b"good.h", b"#define GOOD 1\n"
GOOD = tar_file(GOOD_NAME, GOOD_CONTENT)
GOOD_FILES = {GOOD_NAME: GOOD_CONTENT}
ESCAPED = b"kheadersfs-escaped"
"""The name that appears in /tmp, or beside the mountpoint, if a path leads out of the tree."""
DONE, UNAVAILABLE, UNSUPPORTED, DAMAGED, REFUSED = 0, 11, 12, 13, 14
MEBIBYTE, GIBIBYTE, TEBIBYTE = 1 << 20, 1 << 30, 1 << 40


class Case(NamedTuple):
    """One archive.

    ``status`` is what verify returns for it, and mount if it can know; ``says`` a regular
    expression for the message, in the log for members that were refused by name. ``files`` are
    all files that the mount then has, ``links`` all symlinks. ``size`` makes the file on the disk
    that large, with a hole at its end.
    """

    name: str
    make: Callable[[], bytes | Iterator[bytes]]
    status: int = DONE
    says: str = ""
    files: Mapping[bytes, bytes] = GOOD_FILES
    links: Mapping[bytes, bytes] = MappingProxyType({})
    size: int = 0


def tar(*members: bytes) -> bytes:
    return b"".join(members) + END


def refused(name: str, member: bytes, why: str) -> Case:
    """A member that is left out by name, between two good ones."""
    after = tar_file(b"after.h", b"after\n")
    files = {**GOOD_FILES, b"after.h": b"after\n"}
    return Case(name, lambda: tar(GOOD, member, after), says=why, files=files)


def paths() -> Iterator[Case]:
    out = b"../" + ESCAPED
    for name in (out, b"./" + out, b"a/../" + out, b"a/b/../../" + out, b"..", b"a/.."):
        label = name.decode().replace("/", "|")
        yield refused(f"traversal {label}", tar_file(name, b"x"), r"a name with \.\. in it")
    for name in (b"/tmp/" + ESCAPED, b"//tmp/" + ESCAPED):
        label = name.decode().replace("/", "|")
        yield refused(f"absolute {label}", tar_file(name, b"x"), "an absolute name")
    below = tar_header(b"d", kind=forge.SYMLINK, link=b"/tmp") + tar_file(b"d/" + ESCAPED, b"x")
    yield Case(
        "a file below a symlink that leads out",
        lambda: tar(GOOD, below),
        says="its parent b'd' is not a directory",
        links={b"d": b"/tmp"},
    )
    for link in (b"../../../../../etc/passwd", b"/etc/passwd", b"/dev/zero"):
        label = link.decode().replace("/", "|")
        yield Case(
            f"a symlink to {label}",
            partial(tar, GOOD, tar_header(b"link", kind=forge.SYMLINK, link=link)),
            links={b"link": link},
        )
    yield Case(
        "symlinks in circles",
        lambda: tar(
            GOOD,
            tar_header(b"a", kind=forge.SYMLINK, link=b"b"),
            tar_header(b"b", kind=forge.SYMLINK, link=b"a"),
            tar_header(b"self", kind=forge.SYMLINK, link=b"self"),
        ),
        links={b"a": b"b", b"b": b"a", b"self": b"self"},
    )
    yield refused(
        "a symlink to nothing", tar_header(b"l", kind=forge.SYMLINK), "a symlink's target of 0"
    )
    long_link = forge.tar_long(forge.LONG_LINK, b"t" * 70_000)
    yield refused(
        "a symlink of 70,000 bytes",
        long_link + tar_header(b"l", kind=forge.SYMLINK, link=b"t" * 100),
        "a symlink's target of 70000 bytes",
    )


def hard_links() -> Iterator[Case]:
    for name, target in (
        ("outside by an absolute name", b"/etc/passwd"),
        ("outside by a relative name", b"../../../etc/passwd"),
        ("missing", b"missing"),
        ("itself", b"hard"),
        ("a name below a file", GOOD_NAME + b"/x"),
        ("the root", b"."),
    ):
        member = tar_header(b"hard", kind=forge.HARD_LINK, link=target)
        yield refused(f"a hard link to {name}", member, "'hard' refused")
    circle = tar_header(b"a", kind=forge.HARD_LINK, link=b"b")
    circle += tar_header(b"b", kind=forge.HARD_LINK, link=b"a")
    yield refused("hard links in a circle", circle, "'b' refused")
    directory = tar_header(b"d", kind=forge.DIRECTORY, mode=0o755)
    yield refused(
        "a hard link to a directory",
        directory + tar_header(b"hard", kind=forge.HARD_LINK, link=b"d"),
        "a hard link to a directory",
    )


def kinds() -> Iterator[Case]:
    for name, kind in (
        ("a character device", forge.CHARACTER),
        ("a block device", forge.BLOCK),
        ("a fifo", forge.FIFO),
    ):
        member = tar_header(b"node", kind=kind, mode=0o666)
        yield refused(name, member, "neither a file, a directory nor a link")
    for name, mode in (("set-user-ID", 0o4755), ("set-group-ID", 0o2755)):
        yield refused(f"a {name} file", tar_file(b"su", b"x", mode), "a set-user-ID or set-group")
    socket = Newc(b"socket", mode=0o140755)
    yield Case(
        "a socket",
        lambda: newc(Newc(GOOD_NAME, GOOD_CONTENT), socket),
        says="neither a file, a directory nor a link",
    )


def names() -> Iterator[Case]:
    yield Case(
        "a newline in a name",
        lambda: tar(GOOD, tar_file(b"new\nline", b"x")),
        files={**GOOD_FILES, b"new\nline": b"x"},
    )
    yield Case(
        "a NUL in a pax name ends it",
        lambda: tar(GOOD, forge.tar_pax(pax_record(b"path", b"nul\0tail")), tar_file(b"p", b"x")),
        files={**GOOD_FILES, b"nul": b"x"},
    )
    yield Case(
        "a NUL in a cpio name ends it",
        lambda: newc(Newc(GOOD_NAME, GOOD_CONTENT), Newc(b"nul\0tail", b"x")),
        files={**GOOD_FILES, b"nul": b"x"},
    )
    yield refused(
        "a name of 4,096 bytes", forge.tar_named(b"n" * 4096, b"x"), "a name of 4096 bytes"
    )
    yield refused("a name of 256 bytes", forge.tar_named(b"n" * 256, b"x"), "a name of 256 bytes")
    yield refused("no name", tar_file(b"", b"x"), "'' refused")
    deepest = b"d/" * 30_000 + b"f"
    yield refused("a path 30,000 deep", forge.tar_named(deepest, b"x"), "a path of 60001 bytes")
    deep = b"d/" * 1000 + b"f"
    yield refused("a path 1,000 deep", forge.tar_named(deep, b"x"), "a path of 1001 names")


def conflicts() -> Iterator[Case]:
    directory = tar_header(b"x", kind=forge.DIRECTORY, mode=0o755)
    yield Case(
        "a file twice",
        lambda: tar(tar_file(GOOD_NAME, b"first"), GOOD),
    )
    yield Case(
        "a file, then a directory of the same name",
        lambda: tar(GOOD, tar_file(b"x", b"file"), directory),
    )
    yield Case(
        "an empty directory, then a file of the same name",
        lambda: tar(GOOD, directory, tar_file(b"x", b"file")),
        files={**GOOD_FILES, b"x": b"file"},
    )
    yield refused(
        "a file in place of a full directory",
        tar_file(b"x/y", b"inside") + tar_file(b"x", b"file"),
        "a directory with content has the same name",
    )._replace(files={**GOOD_FILES, b"x/y": b"inside", b"after.h": b"after\n"})
    yield Case(
        "directory and file by turns",
        lambda: tar(GOOD, *[directory, tar_file(b"x", b"file")] * 3000),
        files={**GOOD_FILES, b"x": b"file"},
    )


def sizes() -> Iterator[Case]:
    for name, field in (
        ("negative", forge.base256(-1, 12)),
        ("most negative", forge.base256(-(1 << 94), 12)),
        ("8 GiB", b"77777777777\0"),
        ("2 to the 63", forge.base256(1 << 63, 12)),
        ("2 to the 90", forge.base256(1 << 90, 12)),
        ("a TiB", forge.base256(TEBIBYTE, 12)),
    ):
        yield Case(
            f"a size that is {name}",
            partial(tar, GOOD, tar_header(b"f", field), b"x" * 512),
            status=REFUSED if name in ("8 GiB", "a TiB") else DAMAGED,
        )
    real = b"ustar  \0".ljust(129, b"\0") + (
        forge.octal(0, 12) + forge.octal(512, 12) + bytes(72) + b"\0" + forge.base256(TEBIBYTE, 12)
    )
    yield Case(
        "a sparse file of a TiB",
        lambda: tar(GOOD, tar_header(b"s", 512, forge.SPARSE, tail=real), b"x" * 512),
        status=REFUSED,
        says="--limit file=",
    )
    for name, size in (("a negative", b"-5"), ("an enormous", b"9" * 40), ("a wordy", b"many")):
        yield Case(
            f"{name} size in a pax header",
            partial(tar, GOOD, forge.tar_pax(pax_record(b"size", size)), GOOD),
            status=DAMAGED,
        )
    yield Case(
        "a cpio member of 4 GiB",
        lambda: newc(Newc(GOOD_NAME, GOOD_CONTENT), Newc(b"f", b"x", size=0xFFFFFFFF)),
        status=REFUSED,
        says="--limit file=",
    )
    yield Case(
        "a cpio symlink of 4 GiB",
        lambda: newc(
            Newc(GOOD_NAME, GOOD_CONTENT), Newc(b"l", b"x", mode=0o120777, size=0xFFFFFFFF)
        ),
        status=DAMAGED,
    )


def pax() -> Iterator[Case]:
    for name, keyword, value in (
        ("a time far ahead", b"mtime", b"9" * 30),
        ("a time far back", b"mtime", b"-" + b"9" * 30),
        ("a time that is none", b"mtime", b"yesterday"),
        ("a user far out", b"uid", b"9" * 30),
    ):
        header = forge.tar_pax(pax_record(keyword, value))
        yield Case(f"{name} in a pax header", partial(tar, header, GOOD))
    nonsense = forge.tar_pax(pax_record(b"GNU.sparse.map", b"1,2,3,nonsense,-5"))
    yield Case("a sparse map of nonsense", lambda: tar(GOOD, nonsense, GOOD), status=DAMAGED)
    for name, records in (
        ("that says it is longer than it is", b"99 path=x\n"),
        ("of length 0", b"0 path=x\n"),
        ("without a length", b"path=x\n"),
        ("without an end", b"9 path=xx"),
    ):
        header = forge.tar_pax(records)
        yield Case(
            f"a pax record {name}",
            partial(tar, GOOD, header, tar_file(b"p", b"x")),
            status=DAMAGED,
        )
    yield Case(
        "a pax header of 64 MiB",
        lambda: compress(
            "zstd",
            tar(GOOD, forge.tar_pax(pax_record(b"comment", b"c" * (64 * MEBIBYTE))), GOOD),
        ),
        status=DAMAGED,
    )
    yield Case(
        "a long name of 64 MiB",
        lambda: compress("zstd", tar(GOOD, forge.tar_named(b"n" * (64 * MEBIBYTE), b"x"))),
        status=DAMAGED,
    )


def checksums() -> Iterator[Case]:
    wrong = bytearray(tar(GOOD, tar_file(b"f", b"x")))
    wrong[len(GOOD) + 5] ^= 1
    yield Case("a wrong tar checksum", lambda: bytes(wrong), status=DAMAGED)
    yield Case(
        "wrong cpio checksums",
        lambda: newc(
            Newc(GOOD_NAME, GOOD_CONTENT, check=sum(GOOD_CONTENT)),
            Newc(b"f", b"content", check=1),
            magic=b"070702",
        ),
        status=DAMAGED,
        says="checksum",
    )


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
        # Blocks that come after the end are not decoded: nothing refers to them.
        in_blocks = compression in ("xz", "zstd")
        yield Case(
            f"a bomb of {compression} behind the end",
            partial(bomb, compression, tar(GOOD)),
            status=DONE if in_blocks else REFUSED,
            says="" if in_blocks else "--limit ratio=",
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
        ("lz4", b"\x04\x22\x4d\x18\x60\x70\x73", UNSUPPORTED),
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
        says="zero bytes behind an xz stream",
    )
    yield Case("nothing", lambda: b"", status=UNSUPPORTED)
    yield Case("zeros", lambda: bytes(10240), status=UNSUPPORTED)
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
        ("one frame fewer", true[:1]),
        ("one frame more", [*true, (64, 512)]),
        ("frames in another order", true[::-1]),
        ("four GiB", [(true[0][0], 0xFFFFFFFF), true[1]]),
    ):
        yield Case(
            f"a zstd seek table of {name}",
            partial(forge.zstd_file, frames, sizes),
            status=DAMAGED,
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


def cases() -> list[Case]:
    """Return all of the corpus but what tests/hostile/test_index.py does to embedded indexes."""
    rooms = (
        *(paths, hard_links, kinds, names, conflicts, sizes, pax, checksums),
        *(bombs, numbers, files, framing),
    )
    return [case for room in rooms for case in room()]
