"""Hostile headers: sizes, extensions and checksums that cannot be."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.attacks import forging as forge
from tests.attacks.case import (
    DAMAGED,
    ESCAPED,
    GOOD,
    GOOD_CONTENT,
    GOOD_NAME,
    MEBIBYTE,
    REFUSED,
    TEBIBYTE,
    Case,
    tar,
)
from tests.attacks.forging import Newc, compress, newc, pax_record, tar_file, tar_header

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    sparse = b"".join(
        pax_record(b"GNU.sparse." + keyword, value)
        for keyword, value in (
            (b"major", b"1"),
            (b"minor", b"0"),
            (b"name", b"s"),
            (b"realsize", b"%d" % TEBIBYTE),
        )
    )
    yield Case(
        "a sparse file of a TiB in a pax header",
        lambda: tar(GOOD, forge.tar_pax(sparse), tar_file(b"s", b"1\n0\n512\n".ljust(1024, b"\0"))),
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
    for name, field in (("negative", b"-0000001"), ("wordy", b"manybyte")):
        yield Case(
            f"a cpio size that is {name}",
            partial(newc, Newc(GOOD_NAME, GOOD_CONTENT), Newc(b"f", b"x", size_field=field)),
            status=DAMAGED,
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
    for name, keyword, value in (
        ("name", b"path", b"../" + ESCAPED),
        ("size", b"size", b"9" * 18),
    ):
        header = forge.tar_pax(pax_record(keyword, value), forge.PAX_GLOBAL)
        yield Case(
            f"a {name} for all files in a pax header",
            partial(tar, header, GOOD),
            status=DAMAGED,
            says="a global header gives all members one name or size",
        )
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
    for room in (sizes, pax, checksums):
        yield from room()
