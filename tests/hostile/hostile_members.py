"""Hostile members: names, links, kinds, sizes and headers that mean harm.

Every case is made by a few lines, from raw headers where an archiver would refuse to write it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.hostile import forging as forge
from tests.hostile.case import (
    DAMAGED,
    ESCAPED,
    GOOD,
    GOOD_CONTENT,
    GOOD_FILES,
    GOOD_NAME,
    MEBIBYTE,
    REFUSED,
    TEBIBYTE,
    Case,
    refused,
    tar,
)
from tests.hostile.forging import Newc, compress, newc, pax_record, tar_file, tar_header

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def cases() -> Iterator[Case]:
    """Yield all of them."""
    for room in (paths, hard_links, kinds, names, conflicts, sizes, pax, checksums):
        yield from room()
